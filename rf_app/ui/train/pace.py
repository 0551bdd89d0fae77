"""What a training costs those who draw meanwhile: one small picture now and then, timed.

It is drawn while somebody looks, at most every `EVERY` seconds, on a thread of its own. What it takes without
a training is kept in the jobs' database, for a page that starts while one runs.
"""

import statistics
import threading
import time
from collections import deque
from contextlib import suppress

from rf_app.actions.application import Application
from rf_app.actions.words import duration
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.settings.picture import PictureSettings

EVERY = 8.0  # seconds
KEPT = 7  # measurements, of which the median counts


class Pace:
    """Seconds of one picture of the model the page opens with, with a training under way and without."""

    def __init__(self, app: Application):
        """Nothing is measured before the first `look`."""
        self.app = app
        self._busy: deque[float] = deque(maxlen=KEPT)
        self._idle: deque[float] = deque(maxlen=KEPT)
        self._last = -EVERY
        self._lock = threading.Lock()

    def look(self, busy: bool) -> None:
        """Measure again, if it is time; returns at once."""
        with self._lock:
            if time.monotonic() - self._last < EVERY:
                return
            self._last = time.monotonic()
        threading.Thread(target=self._measure, args=(busy,), daemon=True).start()

    def _measure(self, busy: bool) -> None:
        with suppress(UserError):
            model = self.app.first_model()
            taken = result_of(self.app.worker.draw(PictureSettings("a lake", model))).timings.total
            kept = self._busy if busy else self._idle
            kept.append(taken)
            if not busy:
                self.app.jobs.measured(f"picture {model}", 0.0, statistics.median(kept))

    def in_words(self) -> str:
        """How much longer a picture takes while it trains; "" before both were measured."""
        idle = self.app.jobs.rates(f"picture {self.app.first_model()}").get(0.0)
        if idle is None or not self._busy:
            return ""
        busy = statistics.median(self._busy)
        return f"a picture takes {duration(busy)} meanwhile, {max(1.0, busy / idle):.1f} × as long"
