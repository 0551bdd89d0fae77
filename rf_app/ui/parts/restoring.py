"""A picture's settings on their way to a tab: from a saved PNG, or from the picture of another tab."""

from html import escape
from pathlib import Path

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.restore import Restored, restore, restore_sent
from rf_app.errors import UserError
from rf_app.settings.picture import CheckedSettings


def restore_button(elem_id: str) -> gr.UploadButton:
    """Takes a saved picture, dropped or chosen."""
    # A box of its own around it: pictures are dropped on that.
    with gr.Column(elem_id=f"{elem_id}-box", elem_classes="restore-box"):
        return gr.UploadButton(
            "Restore a saved picture’s settings", file_types=[".png"], size="sm", elem_id=elem_id
        )


def restored(own: Application, source: str) -> Restored:
    """What the PNG of a path carries, or what another tab sent as JSON; a toast says what is left out.

    Raises UserError, as `restore` does.
    """
    found = restore_sent(own, source) if source.startswith("{") else restore(own, Path(source))
    if found.note:
        gr.Info(escape(found.note))
    return found


def restored_picture(own: Application, source: str) -> CheckedSettings:
    """The same of a picture; raises UserError for a frame of an interpolation, too."""
    found = restored(own, source)
    if found.settings is None:
        raise UserError("This picture lies between others: open it in the Interpolate tab.")
    return found.settings
