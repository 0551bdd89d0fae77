"""An action that goes on when whoever asked for it has gone: a page that is loaded anew follows it again."""

import time
from collections.abc import Generator
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import Any

from rf_app.actions.progress import Events, Progress, Result
from rf_app.actions.run import run
from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.turns import NOBODY, PULSE, Line

AT_ONCE = 2  # of one address
MOST = 16  # of all
EACH = 0.004  # seconds between two looks for each result there is
KEPT = 3600.0  # seconds for which one that has ended can be looked at again


@dataclass(eq=False)
class Run:
    """One of them: what it has yielded so far, and how it ended."""

    line: Line
    results: list[Any] = field(default_factory=list)
    progress: Progress | None = None
    error: UserError | None = None
    ended: float | None = None
    stop: Event = field(default_factory=Event)

    def work(self, events: Events[Any]) -> None:
        """Run the action to its end."""
        try:
            for event in run(events, self.stop.is_set):
                if isinstance(event, Progress):
                    self.progress = event
                elif event is not None:
                    self.results.append(event)
        except Cancelled:
            pass
        except UserError as error:
            self.error = error
        finally:
            self.ended = time.monotonic()

    def follow(self) -> Generator[list[Any] | Progress | None, None, None]:
        """All its results from the first on, those that are new together, and its progress, to its end.

        The more there are, the less often: whoever follows shows all of them anew. Closing this ends nothing
        but this. Raises the error that ended the run, if that was not `stop`.
        """
        seen, looked, told = 0, 0.0, None
        while True:
            over, now = self.ended is not None, time.monotonic()
            if len(self.results) > seen and (over or now - looked > EACH * seen):
                new = self.results[seen:]
                yield new
                seen, looked = seen + len(new), now
            if over:
                break
            yield self.progress if self.progress is not told else None
            told = self.progress
            time.sleep(PULSE / 2)
        if self.error:
            raise self.error


class Detached:
    """The runs of all visitors, by their names: who knows the name of one may follow and stop it."""

    def __init__(self):
        self._runs: dict[str, Run] = {}
        self._lock = Lock()

    def start(self, name: str, events: Events[Result], line: Line = NOBODY) -> Run:
        """Begin; one of the same name is ended first. Raises UserError where too many are at work."""
        self.stop(name, wait=True)
        with self._lock:
            now = time.monotonic()
            self._runs = {
                each: run for each, run in self._runs.items() if run.ended is None or now - run.ended < KEPT
            }
            at_work = [each.line[0] for each in self._runs.values() if each.ended is None]
            if at_work.count(line[0]) >= AT_ONCE:
                raise UserError(f"{AT_ONCE} runs of yours are under way: let one of them end, or stop it.")
            if len(at_work) >= MOST:
                raise UserError(f"{MOST} runs are under way: try again in a moment.")
            found = self._runs[name] = Run(line)
        # ZeroGPU asks the context whose request it is.
        Thread(target=copy_context().run, args=[found.work, events], daemon=True).start()
        return found

    def find(self, name: str) -> Run | None:
        """The one of a name, while it can be looked at."""
        return self._runs.get(name)

    def stop(self, name: str, wait: bool = False) -> None:
        """End one within a step; wait: until it has ended. Nothing where there is none."""
        if found := self._runs.get(name):
            found.stop.set()
            while wait and found.ended is None:
                time.sleep(PULSE / 10)
