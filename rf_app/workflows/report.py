"""How far work is that calls back rather than yields: made into `Progress` for whoever listens."""

import time

from rf_app.errors import Cancelled
from rf_app.workflows.background import Emit, IsCancelled, Progress

EVERY = 0.3  # seconds between two words


class Report:
    """Called with done, of and a text; ends the work with `Cancelled` where nobody waits for it any more."""

    def __init__(self, emit: Emit, cancelled: IsCancelled, unit: str, size: float = 1.0):
        """unit, size: of what is counted, for people: "MB", 1e6."""
        self._emit, self._cancelled, self._unit, self._size = emit, cancelled, unit, size
        self._text, self._said = "", 0.0

    def __call__(self, done: int, of: int, text: str) -> None:
        """Say it at most three times a second, the end of each text always."""
        if self._cancelled():
            raise Cancelled("Stopped.")
        now = time.monotonic()
        if text != self._text:  # what a run before has done tells nothing of the pace
            self._text, self._first, self._began, self._said = text, done, now, 0.0
        if now - self._said < EVERY and done < of:
            return
        self._said = now
        left = (of - done) * (now - self._began) / (done - self._first) if done > self._first else None
        amount = f", {done / self._size:,.0f} of {of / self._size:,.0f} {self._unit}" if of > 1 else ""
        self._emit(Progress(done, of, text + amount, left))
