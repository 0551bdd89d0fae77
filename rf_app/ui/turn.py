"""Whose turn it is: a visitor's latest run of some long work, and how it learns that it should end.

Gradio's own `cancels` races with the event that starts the next run, and a run so ended has no last word.

    turn = gr.State(Turn())  # each visitor gets a copy
    stop.click(lambda turn: turn.stop(), turn)
"""

from collections.abc import Callable

LONG_WORK = {"concurrency_limit": 16, "concurrency_id": "long work"}  # all of it takes turns at the worker


class Turn:
    """Beginning a run ends the one before; `stop` ends it without another."""

    def __init__(self):
        self._run = 0
        self._stopped = False

    def begin(self) -> Callable[[], bool]:
        """For the new run: whether it should end."""
        self._run += 1
        self._stopped = False
        mine = self._run
        return lambda: self._stopped or self._run != mine

    def stop(self) -> None:
        """End the run at hand, if there is one."""
        self._stopped = True

    @property
    def stopped(self) -> bool:
        """Whether the latest run was ended by `stop`; a run ended by the next one has nothing more to say."""
        return self._stopped
