"""What a person has done with the picture that is shown: refined, enlarged, given a star.

The stage's buttons send it to hidden texts, whose changes ask the server.
"""

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from rf_app.actions import refine, upscale
from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.caption import caption
from rf_app.actions.history import star
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Events
from rf_app.errors import UserError
from rf_app.plugins.picture import read_base64
from rf_app.settings.picture import parse_json
from rf_app.ui.api import seen_by
from rf_app.ui.generate.stage import stage, upscaled_stage
from rf_app.ui.parts.complaint import complain
from rf_app.ui.parts.context import Updates
from rf_app.ui.parts.events import PAGE_ONLY, QUIET, RUN
from rf_app.ui.parts.keeping import kept
from rf_app.ui.parts.restoring import restored_picture
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.streaming import stream
from rf_app.ui.waiting import LONG_WORK


def connect(app: Application, picture: gr.HTML, line: gr.HTML, latest: gr.State, number: gr.Number) -> None:
    """Lay the hidden texts out and connect them; latest, number: of the tab's runs, which these are, too."""

    def made_anew(
        button: str, make: Callable[[Application, str], Events[Any]], shown: Callable[[Application, Any], str]
    ) -> None:
        sent = gr.Textbox("", visible="hidden", elem_id=f"sent-{button}")

        def made(source: str, latest: Any, number: Any, asked_by: gr.Request) -> Iterator[Updates]:
            own = seen_by(app, asked_by)

            def show(found: Any) -> Updates:
                if found.settings:
                    kept(own, found)
                return {picture: shown(own, found)}

            yield from stream(make(own, source), latest, line, show, number=number)

        sent.change(made, [sent, latest, number], [picture, line], **RUN)

    made_anew("refine", _refined, lambda own, made: stage([made], caption(own, [made])))
    made_anew("upscale", _upscaled, lambda _, made: upscaled_stage(made))

    to_star = gr.Textbox("", visible="hidden", elem_id="sent-star")

    def starred(source: str, asked_by: gr.Request) -> None:
        try:
            own = seen_by(app, asked_by)
            star(own, restored_picture(own, source))
            gr.Info("It is in the history, with a star.")
        except UserError as error:
            complain(error)
            raise gr.Error("It is not kept.", print_exception=False, visible=False) from None

    to_star.change(starred, to_star, None, **LONG_WORK, **QUIET).success(
        js=browser("starred"), inputs=to_star, **PAGE_ONLY
    )


def _refined(own: Application, source: str) -> Events[Picture]:
    yield from refine.refine(own, refine.Refine(restored_picture(own, source)))


def _upscaled(own: Application, source: str) -> Events[upscale.Upscaled]:
    said = parse_json(source, "The picture sent here")
    shown = File("picture.png", read_base64(said.get("image")))
    yield from upscale.upscale(own, upscale.Upscale(shown, said.get("factor")))
