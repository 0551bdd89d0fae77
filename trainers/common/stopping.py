"""A clean stop: the first SIGINT or SIGTERM asks, a second one acts as usual."""

import signal

from accelerate import Accelerator


class Stopping:
    """While entered, turns the first SIGINT or SIGTERM into `requested`."""

    def __enter__(self) -> "Stopping":
        """Take over the two signals."""
        self.requested = False
        self.before = {s: signal.signal(s, self._request) for s in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _request(self, number: int, frame: object) -> None:
        self.requested = True
        self._restore()

    def _restore(self) -> None:
        for number, handler in self.before.items():
            signal.signal(number, handler)

    def __exit__(self, *error: object) -> None:
        """Give the two signals back."""
        self._restore()

    def anywhere(self, accelerator: Accelerator) -> bool:
        """Whether any process was asked to stop, so that all leave at the same step."""
        if accelerator.num_processes == 1:
            return self.requested
        if self.requested:
            accelerator.set_trigger()
        return accelerator.check_trigger()
