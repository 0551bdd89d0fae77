"""The settings that a model recommends, the same on every tab."""

from collections.abc import Callable

import gradio as gr

from rf_app.errors import UserError
from rf_app.pipeline.requests import MAX_GUIDANCE, MAX_STEPS
from rf_app.ui.complaint import complain
from rf_app.workflows.generate import Preset, Studio


def steps_slider(value: int, id: str) -> gr.Slider:
    """The number of steps."""
    return gr.Slider(1, MAX_STEPS, value, step=1, label="Steps", buttons=[], min_width=140, elem_id=id)


def steps_and_guidance(preset: Preset, prefix: str = "") -> tuple[gr.Slider, gr.Slider]:
    """Two sliders side by side; prefix: sets the ids apart."""
    prefix = f"{prefix}-" if prefix else ""
    with gr.Row(elem_classes="pair"):
        steps = steps_slider(preset.steps, f"{prefix}steps")
        guidance = gr.Slider(
            0,
            MAX_GUIDANCE,
            preset.guidance,
            step=0.1,
            label="Guidance",
            buttons=[],
            elem_id=f"{prefix}guidance",
        )
    return steps, guidance


def recommended(studio: Studio) -> Callable:
    """For the event of choosing a model: its steps, guidance and solvers."""

    def settings(model: str) -> tuple:
        try:
            chosen = studio.preset(model)
        except UserError as error:
            complain(error)
            return (gr.skip(),) * 3
        return chosen.steps, chosen.guidance, gr.Dropdown(chosen.solvers, value=chosen.solvers[0][1])

    return settings
