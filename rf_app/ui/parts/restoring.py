"""A picture's settings on their way to a tab: from a saved picture, or from the picture of another tab."""

from html import escape
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.restore import Restored, restore, restore_sent
from rf_app.errors import UserError
from rf_app.settings.picture import CheckedSettings
from rf_app.ui.api import uploaded

IN_EDIT = "This picture is a translation of another one: open it in the Edit tab."
TYPES = [".png", ".jpg", ".jpeg", ".webp"]


def restore_button(elem_id: str) -> gr.UploadButton:
    """Takes a saved picture, dropped or chosen."""
    # A box of its own around it: pictures are dropped on that.
    with gr.Column(elem_id=f"{elem_id}-box", elem_classes="restore-box"):
        return gr.UploadButton(
            "Restore a saved picture’s settings", file_types=TYPES, size="sm", elem_id=elem_id
        )


def restored(own: Application, source: Any) -> Restored:
    """What an uploaded picture carries, or what another tab sent as JSON; a toast says what is left out.

    Raises UserError, as `restore` does, and for the path of any other file: anybody may send one.
    """
    if isinstance(source, str) and source.startswith("{"):
        found = restore_sent(own, source)
    else:
        found = restore(own, uploaded({"path": source}).content)
    if found.note:
        gr.Info(escape(found.note))
    return found


def restored_picture(own: Application, source: Any) -> CheckedSettings:
    """The same of a picture; raises UserError for a frame of an interpolation, and for one that began
    from another, too.
    """
    found = restored(own, source)
    if found.translated:
        raise UserError(IN_EDIT)
    if found.settings is None:
        raise UserError("This picture lies between others: open it in the Interpolate tab.")
    if found.start:
        raise UserError("This picture began from another one: open it in the Edit tab.")
    return found.settings
