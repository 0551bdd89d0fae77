"""The LoRAs of a tab: picked from the list or uploaded, each with its strength and a switch, in rows.

assets/loras.js draws the rows and keeps them in the browser; their value is what a request is made of.
"""

from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.errors import UserError
from rf_app.pipeline.requests import MAX_LORAS, Lora
from rf_app.registry.disk import DiskFull
from rf_app.registry.permission import Permission
from rf_app.ui.complaint import complain
from rf_app.workflows.generate import Studio

SCRIPT = Path(__file__).parents[2] / "assets" / "loras.js"


def session_of(asked_by: gr.Request) -> str:
    """The visitor's session, whose uploads are theirs alone; "" for a call without one, as MCP's are."""
    return getattr(asked_by, "session_hash", None) or ""


def lora_rows(prefix: str = "", keeps: bool = False) -> gr.HTML:
    """The rows alone: `input` while a person changes them, `settled` after. prefix: sets the ids apart.

    keeps: whether an upload has a button for the event `keep`.
    """
    return gr.HTML(
        [],
        html_template='<div class="loras"></div>',
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=f"{prefix}-loras" if prefix else "loras",
        keeps=keeps,
    )


def lora_panel(
    studio: Studio,
    model: gr.Dropdown,
    page: gr.Blocks,
    permission: Permission,
    changed: Callable[[Any], Any],
) -> gr.HTML:
    """Rows, a list to pick from, and a button to upload with; returns the rows.

    model: what an upload has to fit. permission: whether visitors may keep one for all. changed: given an
    event after which the rows are different, connects it to what has to follow.
    """
    with gr.Column(elem_id="lora-box"):
        with gr.Row(elem_id="lora-add"):
            pick = gr.Dropdown(
                [],
                value=None,
                label="LoRA",
                elem_id="lora-pick",
                min_width=150,
                scale=2,
            )
            upload = gr.UploadButton(
                "Upload LoRAs",
                file_count="multiple",
                file_types=[".safetensors"],
                size="sm",
                min_width=110,
                elem_id="lora-upload",
            )
        rows = lora_rows(keeps=True)
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    changed(rows.input)
    changed(pick.input(_pick(studio), [pick, rows], [pick, rows], **quiet).then)
    changed(upload.upload(_upload(studio), [upload, model, rows], [rows, pick], **quiet).then)
    changed(rows.keep(_keep(studio, permission), rows, [rows, pick], **quiet).then)
    rows.removed(_removed(studio), None, pick, **quiet)
    page.load(_choices(studio), None, pick, **quiet)
    page.unload(_leave(studio))
    pick.focus(_choices(studio), None, pick, **quiet)  # a training may have made one since
    return rows


def with_loras(studio: Studio, loras: Sequence[Lora], asked_by: gr.Request) -> list[dict[str, Any]]:
    """Rows for the LoRAs of a picture that was restored or sent here."""
    return studio.loras.rows(loras, session_of(asked_by))


def _choices(studio: Studio) -> Callable:
    def choices(asked_by: gr.Request) -> gr.Dropdown:
        return gr.Dropdown(choices=studio.loras.choices(session_of(asked_by)))

    return choices


def _pick(studio: Studio) -> Callable:
    def pick(id: str | None, rows: Any, asked_by: gr.Request) -> tuple:
        if not id:
            return gr.skip(), gr.skip()
        try:
            return None, _added(rows, with_loras(studio, [Lora(id)], asked_by))
        except UserError as error:
            complain(error)
            return None, gr.skip()

    return pick


def _upload(studio: Studio) -> Callable:
    def upload(paths: list[str], model: str, rows: Any, asked_by: gr.Request) -> tuple:
        session = session_of(asked_by)
        for path in map(Path, paths):
            try:
                found = studio.loras.upload(path, path.name, model, session)
                rows = _added(rows, with_loras(studio, [Lora(found.id)], asked_by))
            except (UserError, DiskFull) as error:
                complain(UserError(f"{path.name}: {error}"))
            finally:
                path.unlink(missing_ok=True)
        return rows, _choices(studio)(asked_by)

    return upload


def _keep(studio: Studio, permission: Permission) -> Callable:
    def keep(rows: Any, event: gr.EventData, asked_by: gr.Request) -> tuple:
        try:
            permission.check("Keeping a LoRA")
            card = studio.loras.save(str(event.id), session_of(asked_by))
            saved = with_loras(studio, [Lora(card.id)], asked_by)[0]
            kept = ("strength", "on")
            rows = [
                saved | {name: row[name] for name in kept} if row["id"] == event.id else row for row in rows
            ]
        except (UserError, DiskFull) as error:
            complain(UserError(str(error)))
            return gr.skip(), gr.skip()
        gr.Info(f"{escape(card.title)} is in the list of LoRAs now, as {card.id}.")
        return rows, _choices(studio)(asked_by)

    return keep


def _removed(studio: Studio) -> Callable:
    def removed(event: gr.EventData, asked_by: gr.Request) -> gr.Dropdown:
        studio.loras.remove(str(event.id), session_of(asked_by))
        return _choices(studio)(asked_by)

    return removed


def _leave(studio: Studio) -> Callable:
    def leave(asked_by: gr.Request) -> None:
        studio.loras.leave(session_of(asked_by))

    return leave


def _added(rows: Any, more: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows that the page has, and those that it has not yet; raises UserError for too many."""
    ids = {row["id"] for row in rows}
    rows = [*rows, *(row for row in more if row["id"] not in ids)]
    if len(rows) > MAX_LORAS:
        raise UserError(f"{MAX_LORAS} LoRAs are there already: remove one first.")
    return rows
