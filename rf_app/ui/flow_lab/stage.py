"""The stage: points on their way, drawn by stage.js from the answer of the action as JSON."""

import gradio as gr

from rf_app.ui.parts.script import scripted

TURN = "Points on their way from source to target"


def stage() -> gr.HTML:
    """The part; its value is the action's answer, or {}."""
    return scripted(
        __file__,
        {},
        html_template=(
            f'<div class="view" role="group" aria-label="{TURN}" tabindex="0"><canvas></canvas></div>'
            '<div class="moment"><button class="act play" disabled>Play</button>'
            '<input type="range" min="0" max="1" step="0.005" value="1" aria-label="Moment τ" disabled>'
            '<output>τ = 1.00</output></div><div class="chips flows"></div><p class="legend"></p>'
            '<div class="links"><a class="save" download="flow-lab.json" hidden>Save JSON</a></div>'
        ),
        elem_id="flow-stage",
    )
