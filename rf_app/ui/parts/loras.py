"""The LoRAs of a tab: picked from the list or uploaded, each with its strength and a switch, in rows.

loras.js draws the rows and keeps them in the browser; their value is what `read_loras` reads.
"""

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions import loras
from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.settings.picture import Lora
from rf_app.ui.api import session_of
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Updates
from rf_app.ui.parts.events import QUIET
from rf_app.ui.parts.fields import explained
from rf_app.ui.parts.left_out import left_out
from rf_app.ui.parts.script import scripted

STYLE = "A look, or a thing, that the model has learned besides; two or more can be mixed."
ROWS = (
    '<div class="loras"></div><p class="budget" role="status" hidden><span></span>'
    '<button title="Let the strengths share a budget of 1">Balance</button></p>'
)


@dataclass(frozen=True)
class LoraPanel:
    """What a tab connects. rows: `input` while a person changes them, `settled` after."""

    rows: gr.HTML
    pick: gr.Dropdown
    upload: gr.UploadButton
    problems: gr.HTML
    accordion: gr.Accordion | None  # around them, where they are folded away

    @property
    def parts(self) -> list[gr.Component]:
        """What `show` changes."""
        return [self.rows, *([self.accordion] if self.accordion else [])]

    def show(self, own: Application, found: Sequence[Lora]) -> Updates:
        """The panel for the LoRAs of a picture that was restored or sent here; raises UserError for one that
        is gone.
        """
        rows = loras.rows(own, found)
        opened = {self.accordion: gr.Accordion(open=True)} if rows and self.accordion else {}
        return opened | {self.rows: rows}

    def connect(
        self, app: Application, model: gr.Dropdown, changed: Callable[[Any], Any], opened: Any = None
    ) -> None:
        """Connect the panel to the tab it is on.

        model: what an upload has to fit. changed: given an event after which the rows are different, connects
        it to what has to follow. opened: the event with which a panel that is not folded away is first seen.
        """
        rows, pick, upload = self.rows, self.pick, self.upload

        def picked(id: str | None, shown: Any, asked_by: gr.Request) -> Updates:
            if not id:
                return gr.skip()
            try:
                own = app.seen_by(session_of(asked_by))
                return {pick: None, rows: loras.added(own, shown, loras.recommended(own, id))}
            except UserError as error:
                complain(error)
                return {pick: None}

        def uploaded(paths: list[str], model: str, shown: Any, asked_by: gr.Request) -> Updates:
            own = app.seen_by(session_of(asked_by))
            before = shown
            for path in map(Path, paths):
                try:
                    found = loras.upload(own, path, path.name, model)
                    shown = loras.added(own, shown, Lora(found.id, found.strength))
                except UserError as error:
                    complain(UserError(f"{path.name}: {error}"))
            if shown == before:  # nothing shall follow
                raise gr.Error("Nothing was added.", print_exception=False, visible=False)
            opened = {self.accordion: gr.Accordion(open=True)} if self.accordion else {}  # dropped on the tab
            return opened | {rows: shown, pick: _choices(app, asked_by)}

        @complaining
        def kept(shown: Any, event: gr.EventData, asked_by: gr.Request) -> Updates:
            own = app.seen_by(session_of(asked_by))
            card = loras.keep(own, _id_in(event))
            (saved,) = loras.rows(own, [Lora(card.id)])
            gr.Info(f"{escape(card.title)} is in the list of LoRAs now, as {card.id}.")
            as_it_was = [row for row in shown if row["id"] == _id_in(event)]
            saved |= {name: row[name] for row in as_it_was for name in ("strength", "on")}
            return {
                rows: [saved if row in as_it_was else row for row in shown],
                pick: _choices(app, asked_by),
            }

        @complaining
        def told(shown: Any, event: gr.EventData, asked_by: gr.Request) -> Any:
            own, id = app.seen_by(session_of(asked_by)), _id_in(event)
            loras.tell(own, id, str(event._data.get("kind")))
            as_it_was = {row["id"]: row for row in shown}[id]
            (row,) = loras.rows(own, [Lora(id, as_it_was["strength"])])
            return [row | {"on": as_it_was["on"]} if each["id"] == id else each for each in shown]

        def refreshed(asked_by: gr.Request) -> Updates:
            return {pick: _choices(app, asked_by), self.problems: left_out(app.loras)}

        changed(pick.input(picked, [pick, rows], [pick, rows], **QUIET).then)
        changed(upload.upload(uploaded, [upload, model, rows], [*self.parts, pick], **QUIET).success)
        changed(rows.keep(kept, rows, [rows, pick], **QUIET).then)
        changed(rows.told(told, rows, rows, **QUIET).then)
        # A training may have made one since.
        gr.on([opened or self.accordion.expand, pick.focus], refreshed, None, [pick, self.problems], **QUIET)


def lora_panel(app: Application, prefix: str = "") -> LoraPanel:
    """Lay the panel out: a list to pick from, a button to upload with, and the rows.

    prefix: sets the ids apart; a panel with one is folded away in an accordion.
    """
    fold = (
        gr.Accordion("Styles to draw with (LoRAs)", open=False, elem_classes="lora-fold") if prefix else None
    )
    with fold if prefix else nullcontext(), gr.Column(elem_id=f"{prefix}lora-box", elem_classes="lora-box"):
        with gr.Row(elem_classes="lora-add"):
            shown = {"label": "Style (LoRA)", "elem_id": f"{prefix}lora-pick", "min_width": 150, "scale": 2}
            pick = gr.Dropdown([], value=None, **shown, **explained(STYLE))
            upload = gr.UploadButton(
                "Upload styles",
                file_count="multiple",
                file_types=[".safetensors"],
                size="sm",
                min_width=110,
                elem_id=f"{prefix}lora-upload",
                elem_classes="lora-upload",
            )
        problems = left_out(app.loras, elem_id=f"{prefix}lora-problems")
        rows = scripted(__file__, [], html_template=ROWS, elem_id=f"{prefix}loras")
    return LoraPanel(rows, pick, upload, problems, fold)


def end_uploads(app: Application, panel: LoraPanel, page: gr.Blocks) -> None:
    """An upload goes with its row in this panel, and all of a session's with its page."""

    def removed(event: gr.EventData, asked_by: gr.Request) -> gr.Dropdown:
        app.worker.uploads.remove(session_of(asked_by), _id_in(event))
        return _choices(app, asked_by)

    def left(asked_by: gr.Request) -> None:
        app.worker.uploads.leave(session_of(asked_by))

    panel.rows.removed(removed, None, panel.pick, **QUIET)
    page.unload(left)


def _choices(app: Application, asked_by: gr.Request) -> gr.Dropdown:
    return gr.Dropdown(choices=loras.choices(app.seen_by(session_of(asked_by))))


def _id_in(event: gr.EventData) -> str:
    """Whose row it is; a program may say nothing, or anything."""
    return str(event._data.get("id")) if isinstance(event._data, dict) else ""
