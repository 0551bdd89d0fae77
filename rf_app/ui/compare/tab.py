"""The Compare tab: one sub-tab for each way to compare models, with the same LoRAs and ControlNets in all."""

import gradio as gr

from rf_app.actions import compare, trajectory
from rf_app.actions import grid as grid_action
from rf_app.actions.application import Application
from rf_app.ui.api import endpoint
from rf_app.ui.compare import grid, quality, side_by_side
from rf_app.ui.compare import trajectory as trajectory_panel
from rf_app.ui.parts.context import Page
from rf_app.ui.parts.plug_ins import plug_ins


def build(app: Application, page: Page) -> None:
    """Lay the sub-tabs out and connect them; with the endpoints of the same actions."""
    # Sent settings arrive here from other tabs, so it stands outside of the sub-tabs: those may not be drawn.
    sent = gr.Textbox("", visible="hidden", elem_id="sent-compare")
    plugs = plug_ins(app, page, "compare-")
    with gr.Tabs(elem_id="compare-tabs", elem_classes="subtabs") as subtabs:
        with gr.Tab("Side by side", id="side-by-side"):
            side_by_side.build(app, page, plugs, sent, subtabs)
        with gr.Tab("Grid", id="grid"):
            grid.build(app, page, plugs)
        with gr.Tab("Path (trajectory)", id="trajectory") as own:
            trajectory_panel.build(app, page, plugs, own)
        with gr.Tab("Quality and cost", id="quality") as own:
            quality.build(app, page, plugs, own)
    endpoint(app, compare, tool="compare_models")
    endpoint(app, grid_action, tool="draw_grid")
    endpoint(app, trajectory)
