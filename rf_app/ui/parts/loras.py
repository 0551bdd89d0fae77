"""The LoRAs of a tab: picked from the list or uploaded, each with its strength and a switch, in rows.

loras.js draws the rows and keeps them in the browser; their value is what `read_loras` reads.
"""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions import loras
from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.settings.picture import MAX_LORAS, Lora
from rf_app.ui.api import session_of
from rf_app.ui.parts.complaint import complain
from rf_app.ui.parts.explained import EXPLAINED
from rf_app.ui.parts.left_out import left_out

STYLE = "A look, or a thing, that the model has learned besides; two or more can be mixed."
SCRIPT = Path(__file__).with_name("loras.js")


def lora_rows(prefix: str = "", keeps: bool = False) -> gr.HTML:
    """The rows alone: `input` while a person changes them, `settled` after. prefix: sets the ids apart.

    keeps: whether an upload has a button for the event `keep`.
    """
    return gr.HTML(
        [],
        html_template='<div class="loras"></div>',
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=f"{prefix}loras",
        keeps=keeps,
    )


def lora_panel(
    app: Application, model: gr.Dropdown, page: gr.Blocks, changed: Callable[[Any], Any]
) -> gr.HTML:
    """Rows, a list to pick from, and a button to upload with; returns the rows.

    model: what an upload has to fit. changed: given an event after which the rows are different, connects it
    to what has to follow.
    """
    with gr.Column(elem_id="lora-box"):
        with gr.Row(elem_id="lora-add"):
            pick = gr.Dropdown(
                [],
                value=None,
                label="Style (LoRA)",
                info=STYLE,
                elem_id="lora-pick",
                min_width=150,
                scale=2,
                elem_classes=EXPLAINED,
            )
            upload = gr.UploadButton(
                "Upload styles",
                file_count="multiple",
                file_types=[".safetensors"],
                size="sm",
                min_width=110,
                elem_id="lora-upload",
            )
        problems = left_out(app.loras, elem_id="lora-problems")
        rows = lora_rows(keeps=True)

    def choices(asked_by: gr.Request) -> gr.Dropdown:
        return gr.Dropdown(choices=loras.choices(app.seen_by(session_of(asked_by))))

    def picked(id: str | None, shown: Any, asked_by: gr.Request) -> dict[gr.Component, Any]:
        if not id:
            return gr.skip()
        try:
            own = app.seen_by(session_of(asked_by))
            return {pick: None, rows: _added(shown, loras.rows(own, [loras.recommended(own, id)]))}
        except UserError as error:
            complain(error)
            return {pick: None}

    def uploaded(paths: list[str], model: str, shown: Any, asked_by: gr.Request) -> dict[gr.Component, Any]:
        own = app.seen_by(session_of(asked_by))
        for path in map(Path, paths):
            try:
                found = loras.upload(own, path, path.name, model)
                shown = _added(shown, loras.rows(own, [Lora(found.id, found.strength)]))
            except UserError as error:
                complain(UserError(f"{path.name}: {error}"))
        return {rows: shown, pick: choices(asked_by)}

    def kept(shown: Any, event: gr.EventData, asked_by: gr.Request) -> dict[gr.Component, Any]:
        try:
            card = loras.keep(app.seen_by(session_of(asked_by)), _id_in(event))
            saved = show_loras(app, [Lora(card.id)], asked_by)[0]
        except UserError as error:
            complain(error)
            return gr.skip()
        gr.Info(f"{escape(card.title)} is in the list of LoRAs now, as {card.id}.")
        as_it_was = [row for row in shown if row["id"] == _id_in(event)]
        saved |= {name: row[name] for row in as_it_was for name in ("strength", "on")}
        return {rows: [saved if row in as_it_was else row for row in shown], pick: choices(asked_by)}

    def removed(event: gr.EventData, asked_by: gr.Request) -> gr.Dropdown:
        app.worker.uploads.remove(session_of(asked_by), _id_in(event))
        return choices(asked_by)

    def left(asked_by: gr.Request) -> None:
        app.worker.uploads.leave(session_of(asked_by))

    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    changed(rows.input)
    changed(pick.input(picked, [pick, rows], [pick, rows], **quiet).then)
    changed(upload.upload(uploaded, [upload, model, rows], [rows, pick], **quiet).then)
    changed(rows.keep(kept, rows, [rows, pick], **quiet).then)
    rows.removed(removed, None, pick, **quiet)
    page.load(choices, None, pick, **quiet)
    page.unload(left)
    gr.on([page.load, pick.focus], lambda: left_out(app.loras), None, problems, **quiet)
    pick.focus(choices, None, pick, **quiet)  # a training may have made one since
    return rows


def show_loras(app: Application, found: Sequence[Lora], asked_by: gr.Request) -> list[dict[str, Any]]:
    """The rows for the LoRAs of a picture that was restored or sent here."""
    return loras.rows(app.seen_by(session_of(asked_by)), found)


def _added(rows: Any, more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that the page has, and those that it has not yet; raises UserError for too many."""
    ids = {row["id"] for row in rows}
    rows = [*rows, *(row for row in more if row["id"] not in ids)]
    if len(rows) > MAX_LORAS:
        raise UserError(f"{MAX_LORAS} LoRAs are there already: remove one first.")
    return rows


def _id_in(event: gr.EventData) -> str:
    """Whose row it is; a program may say nothing, or anything."""
    return str(event._data.get("id")) if isinstance(event._data, dict) else ""
