"""Import: a field for anything, the originals of the catalogue, and the imports that are under way."""

import json
import time
from html import escape
from typing import Any

import gradio as gr

from rf_app.actions import words
from rf_app.actions.application import KIND_TITLES, Application
from rf_app.actions.as_job import ANSWER
from rf_app.actions.collection import SHELVES, beside
from rf_app.actions.import_model import KIND, ImportModel, start_import
from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import RESUMABLE
from rf_app.jobs.job import Job
from rf_app.jobs.progress import Progress, progress
from rf_app.registry.catalogue import Entry, catalogue, obstacle
from rf_app.registry.file_recognition import CONTROLNET, DECODER, LORA, MODEL
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Updates
from rf_app.ui.parts.events import QUIET
from rf_app.ui.parts.fields import choice, text_field
from rf_app.ui.parts.progress_bar import bar
from rf_app.ui.parts.send import send_button

EVERY = 1.0  # seconds
CLOSED = """<div class="lead"><p>Importing models is off on this public page. Run your own copy, or, as
its owner, start it with <code>--allow-training</code>.</p></div>"""
LEAD = """<div class="lead"><p>A model, LoRA or ControlNet: a folder or a .safetensors file on this computer,
or a name or an address on the Hugging Face Hub. Only safetensors are read; it appears once it is
checked.</p></div>"""
SHOWN = 3600.0  # seconds for which one that is done stays in the list
PROMPT, SEED = "a snowy mountain near a lake at sunset", 7
KINDS = [("As its card or files say", ""), *((title, kind) for kind, title in KIND_TITLES.items())]


def build(app: Application, tab: gr.Tab) -> None:
    """Lay the panel out and connect it, inside `tab`."""
    if not app.permission:
        gr.HTML(CLOSED, elem_id="import-closed")
        return
    with gr.Column(elem_id="import", elem_classes="study"):
        gr.HTML(LEAD)
        with gr.Row(elem_classes="wish"):
            such = "~/models/dreamshaper.safetensors or Lykon/dreamshaper-7"
            source = text_field("", "Folder, file, or name on the Hub", "import-source", placeholder=such)
            id = gr.Textbox("", label="Id here (empty: from its name)", elem_id="import-id")
            kind = choice(KINDS, "", "Kind of model, or what a LoRA makes of one", "import-kind")
        with gr.Row(elem_classes="acts"):
            start = gr.Button("Import", variant="primary", min_width=150, elem_id="import-start")
            title = "Copy a folder's files, rather than use them where they lie"
            copy = gr.Checkbox(False, label=title, elem_id="import-copy")
        under_way = gr.HTML("", elem_id="imports")
        offered = gr.HTML("", elem_id="catalogue")
    act = gr.Textbox("", visible="hidden", elem_id="sent-imports")
    timer = gr.Timer(EVERY, active=False)

    @complaining
    def show() -> Updates:
        found = queue.look(app.jobs)
        since = time.time() - SHOWN
        now = [job for job in found if job.kind == KIND and (job.state != "done" or (job.ended or 0) > since)]
        return {
            under_way: "".join(
                _arrival(app, job) if job.state == "done" else _import(job, progress(app.jobs, job))
                for job in now
            ),
            timer: gr.Timer(active=any(job.under_way for job in now)),
        }

    @complaining
    def begun(wanted: str, own_id: str, own_kind: str, copied: bool) -> Updates:
        start_import(app, ImportModel(wanted, own_id.strip(), kind=own_kind, copy=copied))
        return {source: "", id: ""}

    acts = {
        "pause": lambda id: queue.stop(app.jobs, int(id)),
        "resume": lambda id: queue.resume(app.jobs, int(id)),
        "drop": lambda id: queue.delete(app.jobs, int(id)),
        "fetch": lambda name: start_import(app, ImportModel(name)),
    }

    def done(text: str) -> None:
        """What a button of an import or of the catalogue says: {"act": "pause", "id": "3"}."""
        try:
            app.permission.check("Importing a model")
            said = json.loads(text)
            acts[said["act"]](str(said["id"]))
        except UserError as error:
            complain(error)
        except (ValueError, TypeError, KeyError):
            complain(UserError("This button is none of the page's."))

    seen = {"fn": show, "outputs": [under_way, timer], **QUIET}
    timer.tick(queue=False, **seen)
    tab.select(**seen).then(lambda: _catalogue(app), outputs=offered, **QUIET)
    gr.on([start.click, source.submit], begun, [source, id, kind, copy], [source, id], **QUIET).then(**seen)
    act.change(done, act, None, **QUIET).then(**seen)


def _import(job: Job, way: Progress) -> str:
    failed = job.said if job.state not in ("running", "queued", "stopped") else ""
    words = {"running": way.text, "queued": "Waiting for its turn…", "stopped": f"Paused. {way.text}"}
    acts = [("pause", "Pausing…" if job.stop else "Pause")] if job.under_way else [("drop", "Drop")]
    acts = [("resume", "Resume"), *acts] if job.state in RESUMABLE else acts
    buttons = "".join(_button(act, title, str(job.id)) for act, title in acts)
    source = escape(str(job.wish.get("source", ""))[-100:])
    return (
        f'<section class="import{" failed" if failed else ""}" data-import="{escape(job.output)}">'
        f"<h4>{escape(job.output)} <small>{source}</small></h4>"
        f'<div class="way">{bar(way.share, job.state == "running")}'
        f'<p>{escape(failed or words[job.state])}</p></div><div class="links">{buttons}</div>'
        "</section>"
    )


def _arrival(app: Application, job: Job) -> str:
    """One that is done, with a button that draws with it, where it is still here."""
    try:
        text = (app.jobs.job_folder(job.id) / ANSWER).read_text(encoding="utf-8")
    except FileNotFoundError:  # it is being cleared away, or the disk was too full to note that it was
        return ""
    what = json.loads(text).get("what", MODEL)  # those of an earlier version were models
    store = beside(app).get(what, app.registry)
    card = next((each for each in store.cards() if each.id == job.output), None)
    if card is None:  # it was deleted
        return ""
    settings: dict[str, Any] = {"prompt": PROMPT, "model": card.id, "seed": SEED}
    if what == LORA:
        called = ", ".join(filter(None, (PROMPT, card.trigger)))
        style = {"id": card.id, "strength": card.strength}
        settings = {"prompt": called, "model": _base(app), "seed": SEED, "loras": [style]}
    places = {
        MODEL: "",
        LORA: "among the LoRAs",
        CONTROLNET: "among the ControlNets, under “Follow a drawing or picture”",
        DECODER: "among the decoders, under “Advanced” beside models that it fits",
    }
    draw = "" if what in (CONTROLNET, DECODER) else send_button("generate", settings, "Draw with it")
    return (
        f'<section class="import done" data-import="{escape(job.output)}"><h4>{escape(card.title)}</h4>'
        f'<p role="status">It is here now{places[what] and ", "}{places[what]}.</p>'
        f'<div class="links">{draw}{_button("drop", "Clear", str(job.id))}</div></section>'
    )


def _base(app: Application) -> str:
    """A model for a LoRA from elsewhere: a plain one that is the user's own, if there is any."""
    plain = [card.id for card in app.registry.cards() if card.kind == "diffusion"]
    own = [id for id in plain if not app.registry.is_bundled(id)]
    return next(iter([*own, *plain]), app.first_model())


def _button(act: str, title: str, id: str, off: str = "") -> str:
    state = " disabled" if off else ""
    return f'<button class="send" data-act-import="{act}" data-id="{escape(id)}"{state}>{title}</button>'


def _catalogue(app: Application) -> str:
    here = {card.id for store in (app.registry, app.loras, app.decoders) for card in store.cards()}
    entries = "".join(_entry(app, each, here) for each in catalogue())
    return f'<h3>The originals</h3><div class="shelf">{entries}</div>'


def _entry(app: Application, entry: Entry, here: set[str]) -> str:
    reason = "is here" if entry.id in here else obstacle(entry, app.registry.folders[-1])
    note = f'<p class="reason">{escape(reason[0].upper() + reason[1:])}.</p>' if reason else ""
    drawn = f" · {words.steps(entry.steps)}, guidance {entry.guidance:g}" if entry.kind in KIND_TITLES else ""
    return (
        f'<article class="model{" off" if reason else ""}" data-entry="{escape(entry.id)}">'
        f'<h4>{escape(entry.title)}</h4><p class="badge {entry.kind}">{SHELVES[entry.kind]}</p>'
        f"<p>{escape(entry.about)}</p><p>{escape(entry.license)} · {entry.gigabytes:g} GB to fetch, "
        f"{entry.memory:g} GB of memory{drawn}</p>{note}"
        f'<div class="links">{_button("fetch", "Import", entry.name, reason)}</div></article>'
    )
