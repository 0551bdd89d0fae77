"""The Models tab: what is here, what can be brought in, and what can be made of two."""

import gradio as gr

from rf_app.actions.application import Application
from rf_app.ui.models import bring_in, gallery, merge
from rf_app.ui.parts.context import Page


def build(app: Application, page: Page) -> None:
    """Lay the sub-tabs out, inside the page's tab."""
    # Outside of the sub-tabs, which may not be drawn.
    opened = gr.Textbox(app.first_model(), visible="hidden", elem_id="sent-models")
    with gr.Tabs(elem_id="models-tabs", elem_classes="subtabs"):
        with gr.Tab("Gallery", id="gallery"):
            gallery.build(app, page, opened)
        with gr.Tab("Import", id="import") as tab:
            bring_in.build(app, tab)
        with gr.Tab("Merge", id="merge") as tab:
            merge.build(app, page, tab, opened)
