"""Work that calls back rather than yields, as a generator of its progress: copying, downloading, adding."""

import time
from collections.abc import Callable, Generator
from typing import TypeVar

from rf_app.actions.progress import Progress
from rf_app.pipeline.turns import Turns

Result = TypeVar("Result")


class Report:
    """Called with done, of and what is being done; ends the work where nobody waits for it any more."""

    def __init__(self, put: Callable[[Progress], None], unit: str, size: float):
        """unit, size: of what is counted, for people: "MB", 1e6."""
        self._put, self._unit, self._size = put, unit, size
        self._text = ""

    def __call__(self, done: int, of: int, text: str) -> None:
        """Raises `Cancelled`."""
        now = time.monotonic()
        if text != self._text:  # what a run before has done tells nothing of the pace
            self._text, self._first, self._began = text, done, now
        left = (of - done) * (now - self._began) / (done - self._first) if done > self._first else None
        amount = f", {done / self._size:,.0f} of {of / self._size:,.0f} {self._unit}" if of > 1 else ""
        self._put(Progress(done, of, text + amount, left))


def reported(
    work: Callable[[Report], Result], unit: str, size: float = 1.0
) -> Generator[Progress | None, None, Result]:
    """Run work(report) on a thread of its own, yield how far it is, and return its result.

    Closed, it ends the work at its next report and does not wait for that.
    """
    turns = Turns()
    try:
        return (yield from turns.take(lambda put: work(Report(put, unit, size))))
    finally:
        turns.close(wait=False)
