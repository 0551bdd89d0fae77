"""The Train tab: a form on one side; on the other the queue, and how the chosen job gets on.

Jobs live in processes and a database of their own (`rf_app.jobs`). What is shown here is read from there each
second while something is under way, so a page opened anew, or another one, shows the same.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.log import tail
from rf_app.jobs.progress import progress
from rf_app.jobs.recipes import recipe
from rf_app.registry.card import as_id
from rf_app.registry.permission import Permission
from rf_app.ui import job_view, train_form
from rf_app.ui.complaint import complain
from rf_app.ui.job_opening import opening
from rf_app.ui.pace import Pace
from rf_app.ui.sample_strip import sample_strip
from rf_app.ui.train_uploads import keep_pictures, prompts_of
from rf_app.workflows.generate import Studio

EVERY = 1.0  # seconds
CLOSED = """<div class="lead"><p>Training is off on this public page. Run your own copy to train: everything
it needs comes with it. The owner of this page can turn it on with <code>--allow-training</code>.</p></div>"""
PARTS = ("list", "head", "actions", "charts", "strip", "log")


def build(studio: Studio, tab: gr.Tab, permission: Permission) -> None:
    """Lay the tab out and connect it, inside `tab`."""
    if not permission:
        gr.HTML(CLOSED, elem_id="train-closed")
        return
    database = Database()
    pace = Pace(studio, database)
    with gr.Column(elem_id="train"):
        form = train_form.build(studio)
        with gr.Column(elem_id="train-side"):
            jobs = gr.HTML("", elem_id="train-jobs")
            with gr.Column(elem_id="train-job", visible=False) as details:
                head = gr.HTML("", elem_id="train-head")
                actions = gr.HTML("", elem_id="train-actions")
                strip = gr.HTML("", elem_id="train-strip")
                charts = gr.HTML("", elem_id="train-charts")
                with gr.Accordion("Log", open=False, elem_id="train-log-box", elem_classes="advanced"):
                    log = gr.HTML("", elem_id="train-log")
    act = gr.Textbox("", visible="hidden", elem_id="sent-train")
    selected, before = gr.State(None), gr.State({})
    timer = gr.Timer(EVERY, active=False)
    view = [before, selected, timer, details, jobs, head, actions, charts, strip, log]
    private = {"show_progress": "hidden", "api_visibility": "private"}
    show = _show(studio, database, pace)

    gr.on([timer.tick, tab.select], show, [before, selected], view, queue=False, **private)
    started = form.start.click(
        _start(studio, database, permission, form), form.fields, [selected, form.name], **private
    )
    started.then(show, [before, selected], view, **private)
    act.change(
        _act(studio, database, permission, form),
        [act, selected],
        [selected, form.recipe, form.prompts, form.images, *form.shaped],
        **private,
    ).then(show, [before, selected], view, **private)

    form.recipe.input(
        train_form.shape(studio, database, form),
        [form.recipe, form.preset, form.teacher, form.name],
        form.shaped,
        trigger_mode="always_last",
        **private,
    )
    form.prompt_file.upload(prompts_of, form.prompt_file, form.prompts, **private)
    form.pictures.change(keep_pictures(database), form.pictures, form.images, **private)
    # As a rule only what a person changes is listened to: each event sends every field.
    preset_chosen = form.preset.input(
        train_form.preset_values(form),
        [form.recipe, form.preset],
        [*form.settings.values(), *form.advanced.values()],
        trigger_mode="always_last",
        **private,
    )
    # Models and LoRAs may have come since the page was opened.
    tab_opened = tab.select(
        train_form.lists(studio, database),
        [form.recipe, form.preset, form.teacher, form.name],
        [form.teacher, form.preset, form.name, form.style],
        **private,
    )
    estimate = {
        "fn": lambda *values: train_form.said(studio, database, form.read(values)),
        "inputs": form.fields,
        "outputs": form.estimate,
        "trigger_mode": "always_last",
    }
    own = [form.teacher, form.name, form.style, *form.settings.values(), *form.advanced.values()]
    # A text box's `input` misses pasting and deleting.
    changes = [field.change if isinstance(field, gr.Textbox) else field.input for field in own]
    gr.on([form.images.change, *changes], **estimate, **private)
    for event in (tab_opened, preset_chosen, started):
        event.then(**estimate, **private)


def _start(studio: Studio, database: Database, permission: Permission, form: train_form.Form) -> Callable:
    def start(*values: Any) -> tuple:
        try:
            permission.check("Training")
            job = queue.start(database, form.read(values), studio.registry)
        except UserError as error:
            complain(error)
            return gr.skip(), gr.skip()
        return job.id, train_form.free_name(studio, database, job.wish.title)

    return start


def _act(studio: Studio, database: Database, permission: Permission, form: train_form.Form) -> Callable:
    """What a button of a job says: {"act": "stop", "job": 3}."""
    acts: dict[str, Callable[[int], object]] = {
        "show": lambda id: None,
        "stop": lambda id: queue.stop(database, id),
        "resume": lambda id: queue.resume(database, id),
        "up": lambda id: queue.move(database, id, up=True),
        "down": lambda id: queue.move(database, id, up=False),
        "delete": lambda id: queue.delete(database, id),
        "copy": lambda id: recipe(database.job(id).wish.recipe),  # it may be gone
    }

    def do(text: str, selected: int | None) -> list[Any]:
        form_as_it_is = [gr.skip()] * (3 + len(form.shaped))
        try:
            permission.check("Training")
            said = json.loads(text)
            name, id = said["act"], int(said["job"])
            wish = database.job(id).wish
            acts[name](id)
        except UserError as error:
            complain(error)
            return [gr.skip(), *form_as_it_is]
        except (ValueError, KeyError, TypeError):  # nothing that a button of ours says
            return [gr.skip(), *form_as_it_is]
        chosen = {"show": id, "copy": id, "resume": id, "delete": None}.get(name, selected)
        if name != "copy":
            return [chosen, *form_as_it_is]
        title = train_form.free_name(studio, database, wish.title or wish.output)
        wish = replace(wish, title=title, output=as_id(title))
        fields = train_form.fill(studio, database, form, wish)
        return [chosen, wish.recipe, wish.prompts, wish.images, *fields]

    return do


def _show(studio: Studio, database: Database, pace: Pace) -> Callable:
    def show(before: dict[str, str], selected: int | None) -> tuple:
        try:
            found = queue.look(database)
        except UserError as error:
            complain(error)
            return (gr.skip(),) * (4 + len(PARTS))
        pace.look(any(job.state == "running" for job in found))
        chosen = next((job for job in found if job.id == selected), found[0] if found else None)
        ways = [(job, progress(database, job)) for job in found]
        parts = dict.fromkeys(PARTS, "")
        parts["list"] = job_view.job_list(ways, chosen and chosen.id)
        if chosen:
            way = next(way for job, way in ways if job.id == chosen.id)
            folder = database.job_folder(chosen.id)
            parts["head"] = job_view.job_head(
                chosen, way, pace.in_words() if chosen.state == "running" else ""
            )
            parts["actions"] = job_view.job_actions(chosen, _bytes(folder), opening(studio, chosen))
            parts["charts"] = job_view.job_charts(way)
            parts["strip"] = sample_strip(way.sheets)
            parts["log"] = job_view.job_log(tail(folder))
        changed = [gr.skip() if before.get(name) == hash(parts[name]) else parts[name] for name in PARTS]
        active = any(job.under_way for job in found)
        now = {name: hash(text) for name, text in parts.items()} | {"active": active, "any": bool(found)}
        pulse = gr.skip() if before.get("active") == active else gr.Timer(active=active)
        box = gr.skip() if before.get("any") == bool(found) else gr.Column(visible=bool(found))
        return now, chosen and chosen.id, pulse, box, *changed

    return show


def _bytes(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if folder.is_dir() else 0
