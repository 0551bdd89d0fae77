"""A panel's long work: the line of its progress and what it has found so far, until it is done or ended."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import gradio as gr

from rf_app.errors import Cancelled, UserError
from rf_app.ui.complaint import complain
from rf_app.ui.progress_bar import note, progress_bar
from rf_app.ui.turn import Turn
from rf_app.workflows.background import Emit, IsCancelled, Progress, batches


def long_work(
    turn: Turn, job: Callable[[Emit, IsCancelled], None], shown: Callable[[Sequence[Any]], str]
) -> Iterator[tuple[Any, Any]]:
    """For two parts of the page: the progress of job(emit, cancelled) and `shown` of all else it emitted.

    An event's generator: it ends with the next run of the visitor's `turn`, with Stop and with the page.
    """
    ended = turn.begin()
    found: list[Any] = []
    yield progress_bar(None), gr.skip()
    try:
        for news in batches(lambda emit, left: job(emit, lambda: left() or ended())):
            steps = [each for each in news if isinstance(each, Progress)]
            arrived = [each for each in news if not isinstance(each, Progress)]
            found += arrived
            if not ended():
                yield (
                    progress_bar(steps[-1]) if steps else gr.skip(),
                    shown(found) if arrived else gr.skip(),
                )
    except Cancelled:
        if turn.stopped:
            yield note("Stopped."), gr.skip()
        return
    except UserError as error:
        complain(error)
    if turn.stopped or not ended():
        yield "", gr.skip()
