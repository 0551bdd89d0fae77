"""The Compare tab: one sub-tab for each way to compare models."""

import gradio as gr

from rf_app.ui import grid_panel, quality_panel, side_by_side_panel, trajectory_panel
from rf_app.workflows.generate import Studio


def build(studio: Studio, tab: gr.Tab) -> list[gr.Dropdown]:
    """Lay the sub-tabs out, inside `tab`; returns their lists of models."""
    # Sent settings arrive here from other tabs, so it stands outside of the sub-tabs: those may not be drawn.
    sent = gr.Textbox("", visible="hidden", elem_id="sent-compare")
    with gr.Tabs(elem_id="compare-tabs", elem_classes="subtabs") as subtabs:
        with gr.Tab("Side by side", id="side-by-side"):
            models = side_by_side_panel.build(studio, sent, tab, subtabs)
        with gr.Tab("Grid", id="grid"):
            models += grid_panel.build(studio)
        with gr.Tab("Trajectory", id="trajectory") as trajectory:
            models += trajectory_panel.build(studio, trajectory)
        with gr.Tab("Quality and cost", id="quality") as quality:
            models += quality_panel.build(studio, quality)
    return models
