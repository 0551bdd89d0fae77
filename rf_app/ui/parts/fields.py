"""Fields as every tab has them. What one means, its `info`, is seen with the pointer on its name or the
keyboard in it.
"""

from collections.abc import Sequence
from typing import Any, TypeVar

import gradio as gr

EXPLAINED = "explained"  # a class of assets/style.css
Field = TypeVar("Field", bound=gr.components.Component)


def explained(info: str) -> dict[str, Any]:
    """The options of a field with a sentence on what it means; "" for none."""
    return {"info": info, "elem_classes": EXPLAINED} if info else {}


def slider(
    low: float, high: float, value: float, step: float, label: str, id: str, info: str = "", **more: Any
) -> gr.Slider:
    """A number from `low` to `high`; more: as for `gr.Slider`, and so below."""
    shown = {"label": label, "elem_id": id, "buttons": []}
    return gr.Slider(low, high, value, step=step, **shown, **explained(info), **more)


def choice(
    choices: Sequence[Any], value: Any, label: str, id: str, info: str = "", **more: Any
) -> gr.Dropdown:
    """One of a list, which nobody types into."""
    shown = {"label": label, "elem_id": id, "filterable": False}
    return gr.Dropdown(choices, value=value, **shown, **explained(info), **more)


def changing(field: Field) -> Field:
    """A list that is another one with the next model, say, while an event is on its way with a value of the
    one before: `Blocks` hands it on, and whoever reads the field judges it, as what programs send.
    """
    field.changing = True
    return field


def text_field(value: str, label: str, id: str, info: str = "", **more: Any) -> gr.Textbox:
    """A text of some lines."""
    return gr.Textbox(value, label=label, elem_id=id, max_lines=4, **explained(info), **more)


def live_switch(on: bool, id: str) -> gr.Checkbox:
    """Whether pictures follow what is typed or painted."""
    shown = {"elem_classes": "switch", "container": False, "min_width": 90}
    return gr.Checkbox(on, label="Live", elem_id=id, **shown)
