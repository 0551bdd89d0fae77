"""The Train tab: a form on one side; on the other the queue, and how the chosen job gets on.

Jobs live in processes and a database of their own (`rf_app.jobs`). What is shown here is read from there each
second while something is under way, so a page opened anew, or another one, shows the same.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.report import report
from rf_app.actions.run import LatestRun
from rf_app.errors import UserError
from rf_app.jobs import queue, training
from rf_app.jobs.lengthening import lengthen
from rf_app.jobs.log import tail
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import progress
from rf_app.jobs.stage import TRAINING
from rf_app.registry.card import as_id
from rf_app.settings.recipes import recipe
from rf_app.settings.world import FEW_SAID
from rf_app.ui.files import uploaded_text
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import AGAIN, LATEST, QUIET
from rf_app.ui.parts.streaming import stream
from rf_app.ui.train import form as train_form
from rf_app.ui.train import view
from rf_app.ui.train.contact_sheet import contact_sheet
from rf_app.ui.train.opening import opening
from rf_app.ui.train.pace import Pace
from rf_app.ui.train.sample_strip import sample_strip
from rf_app.ui.train.uploads import keep_pictures

EVERY = 1.0  # seconds
CLOSED = """<div class="lead"><p>Training is off on this public page. Run your own copy to train: everything
it needs comes with it. The owner of this page can turn it on with <code>--allow-training</code>.</p></div>"""


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it, inside the page's tab."""
    if not app.permission:
        gr.HTML(CLOSED, elem_id="train-closed")
        return
    pace = Pace(app)
    with gr.Column(elem_id="train"):
        form = train_form.build(app)
        with gr.Column(elem_id="train-side"):
            jobs = gr.HTML("", elem_id="train-jobs")
            with gr.Column(elem_id="train-job", visible=False) as details:
                head = gr.HTML("", elem_id="train-head")
                actions = gr.HTML("", elem_id="train-actions")
                strip = gr.HTML("", elem_id="train-strip")
                charts = gr.HTML("", elem_id="train-charts")
                with gr.Accordion(
                    "More curves", open=False, elem_id="train-more-box", elem_classes="advanced"
                ):
                    more = gr.HTML("", elem_id="train-more")
                with gr.Accordion("Log", open=False, elem_id="train-log-box", elem_classes="advanced"):
                    log = gr.HTML("", elem_id="train-log")
    act = gr.Textbox("", visible="hidden", elem_id="sent-train")
    selected, before = gr.State(None), gr.State({})
    timer = gr.Timer(EVERY, active=False)

    @complaining
    def show(seen: dict[int, Any], chosen_id: int | None) -> Updates:
        """What has changed since; seen: by the id of a part, what the page has."""
        found = queue.look(app.jobs)
        pace.look(any(job.state == "running" and job.kind == TRAINING for job in found))
        chosen = next((job for job in found if job.id == chosen_id), found[0] if found else None)
        ways = {job.id: (job, progress(app.jobs, job)) for job in found}
        parts: Values = dict.fromkeys((jobs, head, actions, charts, more, strip, log), "")
        parts[jobs] = view.job_list(list(ways.values()), chosen and chosen.id)
        if chosen:
            way, folder = ways[chosen.id][1], app.jobs.job_folder(chosen.id)
            slower = pace.in_words() if chosen.state == "running" else ""
            parts[head] = view.job_head(chosen, way, slower)
            held = 0 if chosen.state == "running" else _bytes(folder)  # then there is nothing to delete yet
            parts[actions] = view.job_actions(chosen, held, opening(app, chosen))
            parts[charts], parts[more] = view.job_charts(way)
            parts[strip] = contact_sheet(folder) or sample_strip(way.sheets)
            parts[log] = view.job_log(tail(folder))
        active = any(job.under_way for job in found)
        now = {part._id: hash(text) for part, text in parts.items()}
        now |= {timer._id: active, details._id: bool(found)}
        fresh = parts | {timer: gr.Timer(active=active), details: gr.Column(visible=bool(found))}
        changed = {part: new for part, new in fresh.items() if seen.get(part._id) != now[part._id]}
        if chosen and chosen.id != chosen_id:  # else another one may have been chosen meanwhile
            changed[selected] = chosen.id
        return changed | {before: now}

    @complaining
    def started(values: Values) -> Updates:
        app.permission.check("Training")
        job = training.start(app.jobs, form.read(values), app.registry)
        return {selected: job.id, form.name: form.free_name(job.title)}

    acts: dict[str, Callable[[int], object]] = {
        "show": lambda id: None,
        "stop": lambda id: queue.stop(app.jobs, id),
        "resume": lambda id: queue.resume(app.jobs, id),
        "up": lambda id: app.jobs.move(id, up=True),
        "down": lambda id: app.jobs.move(id, up=False),
        "delete": lambda id: queue.delete(app.jobs, id),
        "copy": lambda id: _copied(app, id),
    }

    def longer(id: int, more: float) -> int:
        """Have a training go on, under its name with a number; the new job's."""
        title = form.free_name(app.jobs.job(id).name)
        return lengthen(app.jobs, id, more, as_id(title), title).id

    def acted(text: str, chosen: int | None) -> Updates:
        """What a button of a job says: {"act": "stop", "job": 3}."""
        try:
            app.permission.check("Training")
            said = json.loads(text)
            name, id = said["act"], int(said["job"])
            if name == "lengthen":
                return {selected: longer(id, float(said["more"] or "nan"))}  # of an empty field, too
            wish = acts[name](id)
            chosen = {"show": id, "copy": id, "resume": id, "delete": None}.get(name, chosen)
            if name != "copy":
                return {selected: chosen}
            title = form.free_name(wish.title or wish.output)
            return {selected: chosen} | form.show(replace(wish, title=title, output=as_id(title)))
        except UserError as error:
            complain(error)
        except (ValueError, KeyError, TypeError):  # nothing that a button of ours says
            pass
        return gr.skip()

    parts = [before, selected, timer, details, jobs, head, actions, charts, more, strip, log]
    look = {"fn": show, "inputs": [before, selected], "outputs": parts, **QUIET}
    gr.on([timer.tick, page.tab.select], queue=False, **look)
    start = form.start.click(started, form.fields, [selected, form.name], **QUIET)
    start.then(**look)
    act.change(acted, [act, selected], [selected, *form.shaped], **QUIET).then(**look)
    choice = {form.recipe, form.preset, form.teacher, form.name, form.prompts, form.images, form.source}
    form.recipe.input(complaining(form.show_recipe), choice, list(form.shaped), **LATEST)
    form.prompt_file.upload(complaining(uploaded_text), form.prompt_file, form.prompts, **QUIET)
    form.pictures.change(keep_pictures(app.jobs), [form.pictures, form.images], form.images, **QUIET)
    # As a rule only what a person changes is listened to: each event sends every field.
    own = [*form.settings.values(), *form.advanced.values()]
    preset_chosen = form.preset.input(form.show_preset, {form.recipe, form.preset}, own, **LATEST)
    # Models and LoRAs may have come since the page was opened; another teacher takes another time.
    lists = [form.teacher, form.preset, form.name, form.style]
    opened = gr.on(
        [page.tab.select, form.teacher.input], complaining(form.show_lists), choice, lists, **LATEST
    )
    estimate = {
        "fn": lambda values: form.said(form.read(values)),
        "inputs": form.fields,
        "outputs": form.estimate,
        **LATEST,
    }
    # A text box's `input` misses pasting and deleting.
    changed = [form.name, form.style, form.source, *own]
    changes = [field.change if isinstance(field, gr.Textbox) else field.input for field in changed]
    gr.on([form.images.change, *changes], **estimate)

    def looked(values: Values) -> Iterator[Updates]:
        def show(said: str) -> Updates:
            return {form.report: view.report(said), form.few: gr.Button(visible=FEW_SAID in said)}

        yield {form.report: "", form.few: gr.Button(visible=False)}
        events = report(app, form.read(values), form.named(values))
        yield from stream(events, values[run], form.looking, show)

    run = gr.State(LatestRun())
    form.look.click(
        looked, {*form.fields, form.pictures, run}, [form.looking, form.report, form.few], **AGAIN
    )
    gone = {"fn": lambda: ("", gr.Button(visible=False)), "outputs": [form.report, form.few], **QUIET}
    gr.on([form.images.change, form.source.change], **gone)  # it is of other pictures
    form.few.click(complaining(form.show_style), choice, list(form.shaped), **QUIET)
    for event in (opened, preset_chosen, start):
        event.then(**estimate)


def _copied(app: Application, id: int) -> Wish:
    """The wish of a job, to be changed; raises UserError where it is no training of a recipe that is here."""
    wish = app.jobs.job(id).wish
    if not isinstance(wish, Wish):
        raise UserError(f"Job {id} is no training: it cannot be put into this form.")
    recipe(wish.recipe)
    return wish


def _bytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
