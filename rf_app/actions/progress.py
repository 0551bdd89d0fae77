"""What an action yields: progress with the time left, its results, and None where nothing is new.

An action is a generator, `action(app, wish)`. Whoever runs it may close it where it yields, and what it does
ends within a step: so it yields at least every `PULSE` seconds, and hands the worker's turns on.
"""

import time
from collections.abc import Generator
from dataclasses import dataclass
from typing import TypeVar

from rf_app.pipeline.turns import Step, Turn

Result = TypeVar("Result")


@dataclass(frozen=True)
class Progress:
    """How far a long work is: done of `of` equal parts; seconds_left is None before anything is done."""

    done: float
    of: float
    text: str
    seconds_left: float | None


Events = Generator[Progress | Result | None, None, None]
"""What an action returns."""


def result_in(events: Events[Result]) -> Generator[Progress | None, None, Result]:
    """Hand the progress of an action on, for its one result."""
    for event in events:
        if event is None or isinstance(event, Progress):
            yield event
        else:
            found = event
    return found


class Clock:
    """Makes Progress: the time left follows from the time taken so far."""

    def __init__(self, of: float):
        """of: the equal parts of the whole work."""
        self.of = of
        self.done = 0.0
        self._start = time.monotonic()

    def at(self, done: float, text: str) -> Progress:
        """The progress now."""
        taken = time.monotonic() - self._start
        return Progress(done, self.of, text, taken * (self.of - done) / done if done else None)

    def follow(
        self, turn: Turn[Result], text: str, parts: float = 1
    ) -> Generator[Progress | None, None, Result]:
        """Hand a turn of the worker on, its steps as progress through the next so many parts of the work."""
        try:
            while True:
                step: Step | None = next(turn)
                yield step and self.at(self.done + parts * step.done / step.of, text)
        except StopIteration as end:
            return end.value
        finally:
            self.done += parts
            turn.close()
