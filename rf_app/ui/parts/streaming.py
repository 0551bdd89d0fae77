"""An action on the page: its progress in a line, its results where they belong, its errors as toasts."""

from collections.abc import Callable, Generator
from typing import Any

import gradio as gr

from rf_app.actions.progress import Events, Progress
from rf_app.actions.run import LatestRun, run
from rf_app.errors import Cancelled, UserError
from rf_app.ui.parts.complaint import complain
from rf_app.ui.parts.context import Updates
from rf_app.ui.parts.events import QUIET
from rf_app.ui.parts.progress_bar import note, progress_bar
from rf_app.ui.parts.script import browser


def stops(button: gr.Button, latest: gr.State) -> None:
    """Let the button end what was asked for before it was pressed, and nothing that came after."""
    button.click(
        lambda latest, number: latest.stop(number),
        [latest, gr.Number(visible="hidden")],
        js=browser("soFar"),
        **QUIET,
    )


def stream(
    events: Events[Any],
    latest: LatestRun,
    line: gr.HTML,
    show: Callable[[Any], Updates],
    done: Callable[[], str] = lambda: "",
    number: int | None = None,
) -> Generator[Updates, None, bool]:
    """What a run changes on the page; for an event's generator. Returns whether no other run has taken over.

    It ends with the visitor's next run, with Stop and with the page. line: tells the progress. show: what a
    result changes. done: what the line says in the end. number: of the wish, for `latest`.
    """
    ended = latest.begin(number)
    yield gr.skip() if ended() else {line: progress_bar(None)}
    try:
        for event in run(events, ended):
            if isinstance(event, Progress):
                yield {line: progress_bar(event)}
            else:
                yield gr.skip() if event is None else show(event)
        said = note(done())
    except Cancelled:
        if not latest.stopped:  # the next run has the word
            yield gr.skip()  # at its end Gradio repeats a run's last word, perhaps after those of the next
            return False
        said = note("Stopped.")
    except UserError as error:
        complain(error)
        said = note("")
    yield {line: said}
    return True
