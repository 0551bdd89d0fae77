"""Merge: a fine-tune's difference from its base, or a LoRA, added to a model; the result is a new model."""

import time
from collections.abc import Callable

import gradio as gr

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.progress import progress
from rf_app.plugins.deltas import MAX_STRENGTH, Options
from rf_app.registry.card import as_id
from rf_app.registry.loras import Loras
from rf_app.registry.permission import Permission
from rf_app.ui.complaint import complain
from rf_app.ui.progress_bar import note
from rf_app.ui.turn import LONG_WORK
from rf_app.workflows import merging
from rf_app.workflows.generate import Studio

EVERY = 0.5  # seconds
FINE_TUNE, LORA = "A fine-tune", "A LoRA"
LEAD = """<div class="lead"><p>What a fine-tune has learned since its base, or a LoRA, becomes part of another
model’s weights: a look from elsewhere, drawn in one step.</p></div>"""
CLOSED = '<div class="lead"><p>Merging models is off on this public page.</p></div>'


def build(studio: Studio, tab: gr.Tab, opened: gr.Textbox, permission: Permission) -> list[gr.Dropdown]:
    """Lay the panel out and connect it, inside `tab`; `opened` gets the id of a new model.

    Returns its lists of models.
    """
    if not permission:
        gr.HTML(CLOSED, elem_id="merge-closed")
        return []
    models, loras = studio.models(), Loras.beside(studio.registry)
    with gr.Column(elem_id="merge", elem_classes="study"):
        gr.HTML(LEAD)
        with gr.Row(elem_classes="wish"):
            model = gr.Dropdown(
                models, value=studio.first_model(), label="Model", filterable=False, elem_id="merge-model"
            )
            what = gr.Radio([LORA, FINE_TUNE], value=LORA, label="Gets", elem_id="merge-what")
            strength = gr.Slider(
                -MAX_STRENGTH, MAX_STRENGTH, 1.0, step=0.05, label="Strength", elem_id="merge-strength"
            )
        with gr.Row(elem_classes="wish") as plugged:
            lora = gr.Dropdown(_choices(loras), label="LoRA", filterable=False, elem_id="merge-lora")
        with gr.Row(elem_classes="wish", visible=False) as tuned:
            fine = gr.Textbox(
                "",
                label="Fine-tune",
                placeholder="Id, folder, .safetensors file or name on the Hub",
                lines=1,
                elem_id="merge-fine",
            )
            base = gr.Textbox(
                "", label="Its base", placeholder="What it was fine-tuned from", lines=1, elem_id="merge-base"
            )
        with gr.Row(elem_classes="wish"):
            name = gr.Textbox(
                "",
                label="Name",
                placeholder="It will stand in every list under this name",
                lines=1,
                max_length=60,
                elem_id="merge-name",
            )
            go = gr.Button("Merge", variant="primary", min_width=150, elem_id="merge-go")
        way = gr.HTML("", elem_id="merge-way")
    private = {"show_progress": "hidden", "api_visibility": "private"}
    what.change(
        lambda what: (gr.Row(visible=what == FINE_TUNE), gr.Row(visible=what == LORA)),
        what,
        [tuned, plugged],
        **private,
    )
    tab.select(lambda: gr.Dropdown(choices=_choices(loras)), outputs=lora, **private)
    go.click(
        _merge(studio, permission),
        [model, what, strength, fine, base, lora, name],
        [way, opened],
        **LONG_WORK,
        **private,
    )
    return [model]


def _choices(loras: Loras) -> list[tuple[str, str]]:
    return [(card.title, card.id) for card in loras.cards()]


def _merge(studio: Studio, permission: Permission) -> Callable:
    """As a job, in a process of its own: loading here would disturb the thread that owns the models."""

    def merge(model: str, what: str, strength: float, fine: str, base: str, lora: str | None, name: str):
        tuned = (
            {"fine_tuned": fine.strip(), "base": base.strip()} if what == FINE_TUNE else {"lora": lora or ""}
        )
        options = Options(model, as_id(name), strength=strength, title=name.strip(), **tuned)
        database = Database()
        try:
            permission.check("Merging models")
            job = merging.start(database, studio.registry, options)
            while job.under_way:
                yield note(progress(database, job).text), gr.skip()
                time.sleep(EVERY)
                queue.look(database)
                job = database.job(job.id)
            if job.state == "done":
                yield note(f"{options.title} is in every list now."), options.output
            elif job.state == "stopped":
                yield note("Stopped."), gr.skip()
            else:
                raise UserError(job.said)
        except UserError as error:
            complain(error)
            yield "", gr.skip()

    return merge
