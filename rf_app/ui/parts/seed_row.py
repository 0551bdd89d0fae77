"""The seed with its dice and lock, the same on every tab."""

from typing import Any

import gradio as gr

from rf_app.ui.parts.fields import explained

SEED = "The number a picture grows from: the same number and words make the same picture again."


def seed_field(value: int, **options: Any) -> gr.Number:
    """The number field alone; options: as for `gr.Number`."""
    return gr.Number(value, label="Seed", precision=0, min_width=90, **explained(SEED), **options)


def seed_row(value: int, prefix: str = "") -> tuple[gr.Number, gr.Button, gr.Checkbox]:
    """Number field, dice ("another seed") and lock ("keep the seed"); prefix: sets the ids apart."""
    with gr.Row(elem_id=f"{prefix}seed-row", elem_classes="seed-row"):
        seed = seed_field(value, elem_id=f"{prefix}seed")
        dice = gr.Button("Another seed", elem_id=f"{prefix}dice", elem_classes="dice", min_width=44, scale=0)
        locked = gr.Checkbox(
            False,
            label="Keep the seed",
            container=False,
            elem_id=f"{prefix}lock",
            elem_classes="lock",
            min_width=44,
            scale=0,
        )
    return seed, dice, locked
