"""Fields made from what recipes and trainers say of their settings."""

from typing import Any

import gradio as gr

from rf_app.jobs.plan import Wish
from rf_app.settings.options import Option, options
from rf_app.settings.recipe import Recipe, Shown


def shown_field(each: Shown, first: Recipe) -> gr.components.Component:
    """A field that has the preset's value while nobody changes it; one without minimum is a text.

    The minimum itself is `plan.settings` to check: it names the setting, and Gradio would not.
    """
    common = {
        "label": each.title,
        "info": each.about,
        "visible": each in first.shown,
        "min_width": 120,
        "elem_id": f"train-{each.key.replace('.', '-')}",
    }
    value = first.presets["quick"].get(each.key)
    if each.minimum is None:
        return gr.Textbox(value or "", max_lines=1, **common)
    trainer, name = each.key.split(".", 1)
    return gr.Number(value, precision=0 if options(trainer)[name].type == "int" else None, **common)


def advanced_field(key: str, option: Option, first: Recipe) -> gr.components.Component:
    """A field that is empty while nobody changes it: the preset's value holds, or the trainer's own.

    A number is a text as well: one of Gradio's that is empty becomes 0 when its accordion is opened.
    """
    trainer, name = key.split(".", 1)
    common = {
        "label": f"{name.replace('_', ' ').capitalize()} ({trainer})",
        "info": option.about,
        "visible": key in first.advanced(),
        "elem_id": f"train-{trainer}-{name}",
    }
    if option.choices or option.type == "bool":
        own = str(option.default).lower()
        choices = option.choices or ("true", "false")
        return gr.Dropdown([(f"As it is ({own})", ""), *choices], value="", filterable=False, **common)
    return gr.Textbox("", max_lines=1, placeholder=placeholder(key, option, first, "quick"), **common)


def advanced_update(
    key: str, field: gr.components.Component, found: Recipe, wish: Wish
) -> gr.components.Component:
    """The field as it is for a wish."""
    option = found.advanced().get(key)
    if option is None:
        return type(field)(visible=False)
    value = wish.settings.get(key)
    if isinstance(field, gr.Dropdown):
        return gr.Dropdown(value="" if value is None else str(value).lower(), visible=True)
    own = "" if value is None else str(value)
    return gr.Textbox(own, visible=True, placeholder=placeholder(key, option, found, wish.preset))


def placeholder(key: str, option: Option, found: Recipe, preset: str) -> str:
    """The value that holds where the field is empty."""
    own: Any = found.presets[preset].get(key, option.default)
    return "as suits the model" if own is None else str(own)
