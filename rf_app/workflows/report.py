"""Work that calls back rather than yields, as a generator of its progress: copying, downloading, adding."""

import time
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event
from typing import TypeVar

from rf_app.errors import Cancelled
from rf_app.workflows.background import Progress

EVERY = 0.2  # seconds between two words

Result = TypeVar("Result")


class Report:
    """Called with done, of and what is being done; ends the work where nobody waits for it any more."""

    def __init__(self, unit: str, size: float):
        """unit, size: of what is counted, for people: "MB", 1e6."""
        self.unit, self.size = unit, size
        self.latest: Progress | None = None
        self.left = Event()
        self._text = ""

    def __call__(self, done: int, of: int, text: str) -> None:
        """Raises `Cancelled`."""
        if self.left.is_set():
            raise Cancelled("Stopped.")
        now = time.monotonic()
        if text != self._text:  # what a run before has done tells nothing of the pace
            self._text, self._first, self._began = text, done, now
        left = (of - done) * (now - self._began) / (done - self._first) if done > self._first else None
        amount = f", {done / self.size:,.0f} of {of / self.size:,.0f} {self.unit}" if of > 1 else ""
        self.latest = Progress(done, of, text + amount, left)


def reported(
    work: Callable[[Report], Result], unit: str, size: float = 1.0
) -> Generator[Progress | None, None, Result]:
    """Run work(report) on a thread of its own and yield how far it is, None where nothing is new.

    Returns its result. Closed, it ends the work at its next report and does not wait for that.
    """
    report = Report(unit, size)
    thread = ThreadPoolExecutor(1, thread_name_prefix="reported")
    running = thread.submit(work, report)
    thread.shutdown(wait=False)  # it ends with its work
    said = None
    try:
        finished = False
        while not finished:
            finished = bool(wait([running], EVERY).done)  # asked before the latest is taken: none is missed
            yield report.latest if report.latest is not said else None
            said = report.latest
        return running.result()
    finally:
        report.left.set()
