"""The Models tab: what is here, what can be brought in, and what can be made of two."""

import gradio as gr

from rf_app.registry.permission import Permission
from rf_app.ui import gallery_panel, import_panel, merge_panel
from rf_app.workflows.generate import Studio


def build(studio: Studio, tab: gr.Tab, seen: gr.Textbox, permission: Permission) -> list[gr.Dropdown]:
    """Lay the sub-tabs out, inside `tab`; returns their lists of models.

    seen: changes with the registry.
    """
    # Outside of the sub-tabs, which may not be drawn.
    opened = gr.Textbox(studio.first_model(), visible="hidden", elem_id="sent-models")
    with gr.Tabs(elem_id="models-tabs", elem_classes="subtabs"):
        with gr.Tab("Gallery", id="gallery"):
            gallery_panel.build(studio, tab, opened, seen, permission)
        with gr.Tab("Import", id="import") as bring:
            import_panel.build(studio, bring, permission)
        with gr.Tab("Merge", id="merge") as merge:
            return merge_panel.build(studio, merge, opened, permission)
