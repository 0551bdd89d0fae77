"""What the pictures of Compare and Interpolate follow: controls that came with one, each with a switch."""

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.settings.picture import Control

SCRIPT = Path(__file__).with_name("followed.js")


def followed(prefix: str) -> gr.HTML:
    """The rows; their value is what `read_controls` reads, `input` is a switch. prefix: as everywhere."""
    return gr.HTML(
        [],
        html_template='<div class="followed" hidden></div>',
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        elem_id=f"{prefix}followed",
    )


def show_followed(control: Sequence[Control]) -> list[dict[str, Any]]:
    """The value for a picture's controls, all of them on."""
    return [asdict(each) | {"on": True} for each in control]
