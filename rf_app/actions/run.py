"""The one way in which the page, the API, MCP and the command line run an action.

    for event in run(generate(app, wish)):
        …  # Progress, results, or None at least five times a second, so that whoever waits can leave

Closing the iterator, as Gradio does when a connection is gone, ends the action within a step.
"""

import logging
import time
from collections.abc import Callable, Iterator
from typing import Any

from rf_app.actions.progress import Events, Progress, Result
from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.turns import PULSE

log = logging.getLogger(__name__)


class LatestRun:
    """A visitor's latest run of an action: beginning one ends the one before, `stop` ends it without another.

    Gradio's own `cancels` races with the event that starts the next run, and a run so ended has no last word.
    """

    def __init__(self):
        self._newest = 0
        self._stopped = -1

    @property
    def stopped(self) -> bool:
        """Whether the latest was ended by `stop`; a run ended by the next one has nothing more to say."""
        return self._stopped >= self._newest

    def begin(self, number: int | None = None) -> Callable[[], bool]:
        """For the new run: whether it should end, as it does at once where a later wish was here before it.

        number: of the wish, where a page may send several at a time, as requests overtake each other; a
        program may send anything.
        """
        mine = number if isinstance(number, (int, float)) else self._newest + 1
        if mine > self._newest:
            self._newest = mine
        return lambda: self._newest != mine or self.stopped

    def stop(self, number: int | None = None) -> None:
        """End the run at hand, if there is one, and any of a wish up to that number that is still on its way.

        A later wish may have been here before this: its run goes on.
        """
        self._stopped = max(self._stopped, number if isinstance(number, (int, float)) else self._newest)


def run(events: Events[Result], ended: Callable[[], bool] = lambda: False) -> Iterator[Any]:
    """What an action yields, until it is done or `ended`; of progress too quick to be seen, the last.

    Progress is dropped rather than told after a result that came later: a page would take back what it shows.

    Raises UserError with a message for the person who asked, whatever went wrong, and `Cancelled`.
    """
    said, unsaid = time.monotonic(), None
    try:
        for event in events:
            if ended():
                raise Cancelled("Stopped.")
            if event is not None and not isinstance(event, Progress):
                unsaid = None
                yield event
                continue
            unsaid = event or unsaid
            if unsaid and time.monotonic() - said >= PULSE:
                yield unsaid
                said, unsaid = time.monotonic(), None
            elif event is None:
                yield None
    except UserError:
        raise
    except Exception as error:  # a defect, or a device without memory
        log.exception("An action failed")
        raise UserError(f"That failed ({type(error).__name__}): the log has the details.") from error
    finally:
        events.close()


def results(events: Events[Result]) -> list[Result]:
    """All results of an action, for who needs no progress."""
    return [event for event in run(events) if event is not None and not isinstance(event, Progress)]
