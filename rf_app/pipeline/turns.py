"""Turns on the one thread that owns the device: work waits in line, is watched while it runs, and can be
left.
"""

from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import TypeVar

from rf_app.errors import Cancelled

PULSE = 0.2  # seconds: at least so often whoever waits is heard, and can leave

Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """Calls of the U-Net done, of so many."""

    done: int
    of: int


Report = Callable[[Step], None]
"""Called on the thread after each step; raises `Cancelled` when whoever asked has left."""
Turn = Generator[Step | None, None, Result]
"""Yields steps, or None where nothing is new, and returns the result. Closing it ends the work within a
step.
"""


class Turns:
    """One thread, one piece of work at a time, in the order asked for."""

    def __init__(self):
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pipeline")

    def take(self, work: Callable[[Report], Result]) -> Turn[Result]:
        """Do `work(report)` when its turn comes; an error of the work is raised here."""
        news: SimpleQueue[Step | None] = SimpleQueue()
        left = Event()

        def report(step: Step) -> None:
            if left.is_set():
                raise Cancelled("Stopped.")
            news.put(step)

        running = self._thread.submit(work, report)
        running.add_done_callback(lambda _: news.put(None))
        try:
            while not running.done() or not news.empty():
                try:
                    heard = news.get(timeout=PULSE)
                except Empty:
                    yield None
                else:
                    if heard:
                        yield heard
            return running.result()
        finally:
            left.set()
            running.cancel()

    def wait_for(self, work: Callable[[], Result]) -> Result:
        """The result of work that nobody watches."""
        return self._thread.submit(work).result()

    def close(self, wait: bool = True) -> None:
        """Drop what waits and end the thread, after the work at hand; wait: until that is done."""
        self._thread.shutdown(wait=wait, cancel_futures=True)


def result_of(turn: Generator[object, None, Result]) -> Result:
    """Run a generator to its end, for what it returns."""
    while True:
        try:
            next(turn)
        except StopIteration as end:
            return end.value
