"""Merge: a fine-tune's difference from its base, or a LoRA, added to a model; the result is a new model."""

import time
from collections.abc import Iterator

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.merge import start_merge
from rf_app.actions.progress import Progress
from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.job import Job
from rf_app.jobs.progress import progress
from rf_app.plugins.deltas import MAX_STRENGTH, Merge
from rf_app.registry.card import as_id
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import QUIET
from rf_app.ui.parts.fields import slider, text_field
from rf_app.ui.parts.model_form import model_list
from rf_app.ui.parts.progress_bar import note, progress_bar
from rf_app.ui.waiting import LONG_WORK

EVERY = 0.5  # seconds
FINE_TUNE, LORA = "A fine-tuned model", "A style (LoRA)"
LEAD = """<div class="lead"><p>A style (LoRA), or what a fine-tuned model has learned, becomes part of another
model: a look from elsewhere, drawn in one step.</p></div>"""
CLOSED = '<div class="lead"><p>Merging models is off on this public page.</p></div>'


def build(app: Application, page: Page, tab: gr.Tab, opened: gr.Textbox) -> None:
    """Lay the panel out and connect it, inside `tab`; `opened` gets the id of a new model."""
    if not app.permission:
        gr.HTML(CLOSED, elem_id="merge-closed")
        return
    with gr.Column(elem_id="merge", elem_classes="study"):
        gr.HTML(LEAD)
        with gr.Row(elem_classes="wish"):
            model = model_list(app, app.first_model(), elem_id="merge-model")
            what = gr.Radio([LORA, FINE_TUNE], value=LORA, label="Gets", elem_id="merge-what")
            strength = slider(-MAX_STRENGTH, MAX_STRENGTH, 1.0, 0.05, "Strength", "merge-strength")
        with gr.Row(elem_classes="wish") as plugged:
            lora = gr.Dropdown(_choices(app), label="Style (LoRA)", filterable=False, elem_id="merge-lora")
        with gr.Row(elem_classes="wish", visible=False) as tuned:
            source = "Id, folder, .safetensors file or name on the Hub"
            fine = text_field("", "Fine-tuned model", "merge-fine", placeholder=source)
            source = "Id, folder or name on the Hub"
            base = text_field("", "What it was made from (base)", "merge-base", placeholder=source)
        with gr.Row(elem_classes="wish"):
            stands = "It will stand in every list under this name"
            name = text_field("", "Name", "merge-name", placeholder=stands, max_length=60)
            with gr.Row(elem_classes="acts"):
                go = gr.Button("Merge", variant="primary", min_width=150, elem_id="merge-go")
                stop = gr.Button("Stop", min_width=80, elem_id="merge-stop")
        line = gr.HTML("", elem_id="merge-way")
    page.lists.append(model)
    under_way = gr.State(None)

    def wish(values: Values) -> Merge:
        if values[what] == FINE_TUNE:
            added = {"fine_tuned": values[fine].strip(), "base": values[base].strip()}
        else:
            added = {"lora": values[lora] or ""}
        title = values[name].strip()
        return Merge(values[model], as_id(title), strength=values[strength], title=title, **added)

    def merged(values: Values) -> Iterator[Updates]:
        """As a job, in a process of its own: loading here would disturb the thread that owns the models."""
        try:
            begun = start_merge(app, wish(values))
            yield {under_way: begun.id}
            for job in _followed(app, begun):
                way = progress(app.jobs, job)
                yield {line: progress_bar(Progress(way.share, 1, way.text, way.seconds_left))}
            if job.state == "done":
                yield {line: note(f"{job.name} is in every list now."), opened: job.output, under_way: None}
            elif job.state == "stopped":
                yield {line: note("Stopped."), under_way: None}
            else:
                raise UserError(job.said)
        except UserError as error:
            complain(error)
            yield {line: "", under_way: None}

    @complaining
    def stopped(job: int | None) -> None:
        app.permission.check("Merging models")
        if job is not None:
            queue.stop(app.jobs, job)

    what.change(
        lambda what: {tuned: gr.Row(visible=what == FINE_TUNE), plugged: gr.Row(visible=what == LORA)},
        what,
        [tuned, plugged],
        **QUIET,
    )
    tab.select(lambda: gr.Dropdown(choices=_choices(app)), outputs=lora, **QUIET)
    asked = {model, what, strength, fine, base, lora, name}
    go.click(merged, asked, [line, opened, under_way], **LONG_WORK, **QUIET)
    stop.click(stopped, under_way, None, **QUIET)


def _followed(app: Application, job: Job) -> Iterator[Job]:
    """A job as it is, again and again, to its end."""
    while job.under_way:
        yield job
        time.sleep(EVERY)
        queue.look(app.jobs)
        job = app.jobs.job(job.id)
    yield job


def _choices(app: Application) -> list[tuple[str, str]]:
    return [(card.title, card.id) for card in app.loras.cards()]
