"""The gallery of the Models tab: search, a shelf of cards, and one of them in full with what can be done."""

import hashlib
import os
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder
from huggingface_hub import get_token

from rf_app.actions.application import Application
from rf_app.actions.collection import SHELVES, Thing, thing, things
from rf_app.actions.delete import Delete, deletable, delete
from rf_app.actions.export import SINGLE_FILE, Export, export
from rf_app.actions.progress import Events
from rf_app.actions.push import Push, start_push
from rf_app.actions.rename import Rename, rename
from rf_app.actions.run import LatestRun, results, run
from rf_app.actions.samples import draw_sample, is_quick, sample_at_hand
from rf_app.actions.space import Space, start_space
from rf_app.actions.words import in_bytes
from rf_app.errors import Cancelled, UserError
from rf_app.registry.disk import disk_full_named, stamp
from rf_app.ui.models.view import full, shelf
from rf_app.ui.parts.complaint import complain, told
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import QUIET, RUN
from rf_app.ui.parts.fields import changing, text_field
from rf_app.ui.parts.left_out import left_out
from rf_app.ui.parts.streaming import stream
from rf_app.ui.waiting import LONG_WORK

SHOWN = 24  # cards
LAYOUTS = [("For diffusers (a folder)", "diffusers"), ("For ComfyUI, Forge, A1111 (one file)", SINGLE_FILE)]


def build(app: Application, page: Page, opened: gr.Textbox) -> None:
    """Lay the panel out and connect it; opened: the key of what is shown in full."""

    def kinds(chosen: str = "") -> list[tuple[str, str]]:
        """Those of what is here, and the chosen one."""
        here = {chosen, *(each.kind for each in things(app))}
        return [("All", ""), *((title, kind) for kind, title in SHELVES.items() if kind in here)]

    with gr.Column(elem_id="gallery"):
        with gr.Column(elem_id="shelf-side"):
            with gr.Row(elem_classes="wish"):
                words = "Title, licence, what it was made from…"
                search = text_field("", "Search", "models-search", placeholder=words)
                kind = changing(gr.Radio(kinds(), value="", label="Kind", elem_id="models-kind"))
            cards = gr.HTML("", elem_id="models-shelf")
            problems = left_out(*app.stores, elem_id="models-problems")
            more = gr.Button("Show more", size="sm", visible=False, elem_id="models-more")
        with gr.Column(elem_id="model-side"):
            about = gr.HTML("", elem_id="model-full")
            with gr.Row(elem_id="model-rename-row"):
                title = gr.Textbox("", label="Title", max_length=80, elem_id="model-title")
                rename_button = gr.Button("Rename", size="sm", min_width=90, elem_id="model-rename")
            with gr.Row(elem_id="model-acts"):
                draw = gr.Button("Draw a sample", size="sm", min_width=120, elem_id="model-draw")
                delete_button = gr.Button("Delete", size="sm", min_width=90, elem_id="model-delete")
            with gr.Row(elem_id="model-export-row"):
                layout = gr.Dropdown(LAYOUTS, label="Take it along", elem_id="model-layout")
                pack = gr.Button("Export", size="sm", min_width=90, elem_id="model-export")
            line = gr.HTML("", elem_id="model-way")
            file = gr.DownloadButton("Save", visible=False, size="sm", elem_id="model-file")
            with gr.Column(visible=False, elem_id="model-sure") as sure:
                question = gr.HTML("")
                with gr.Row():
                    yes = gr.Button("Delete for good", variant="stop", size="sm", elem_id="model-yes")
                    no = gr.Button("Keep it", size="sm", elem_id="model-no")
            with gr.Row(visible=bool(get_token()) and bool(app.permission), elem_id="model-push-row"):
                repo = gr.Textbox("", label="On the Hub as", placeholder="OWNER/NAME")
                push = gr.Button("Push", size="sm", min_width=90, elem_id="model-push")
                make_space = gr.Button("Make a Space", size="sm", min_width=120, elem_id="model-space")
    count, visited, number = gr.State(SHOWN), gr.State(False), gr.Number(visible="hidden")
    asked = gr.Textbox("", visible="hidden")  # what is to be deleted: another may be opened, and on its way
    latest, own_latest = gr.State(LatestRun()), gr.State(LatestRun())  # of samples; of what was asked for

    def show(values: Values) -> Iterator[Any]:
        """The shelf and what is chosen; then the samples that are missing and quick, as they are drawn."""
        if not values[visited]:  # nobody waits for samples on a page whose gallery was never opened
            yield gr.skip()
            return
        ended = values[latest].begin(values[number])
        hits = things(app, values[search], values[kind])
        shown = hits[: values[count]]
        try:
            chosen = thing(app, values[opened])
        except UserError:
            chosen = thing(app, app.first_model())

        def view() -> Updates:
            return {
                cards: shelf(app, shown, len(hits) - len(shown), chosen.key),
                more: gr.Button(visible=len(hits) > len(shown)),
                about: full(app, chosen),
            }

        try:
            yield gr.skip() if ended() else view()
            for drawn in run(_missing_samples(app, [chosen, *shown]), ended):
                yield view() if isinstance(drawn, Path) else gr.skip()
        except (Cancelled, FileNotFoundError):
            pass
        except UserError as error:
            complain(error)

    def open_(id: str) -> Updates:
        try:
            found = thing(app, id)
            fixed = found.store.is_bundled(found.card.id)
        except UserError:
            return gr.skip()
        return {
            title: gr.Textbox(found.card.title, interactive=not fixed),
            rename_button: gr.Button(interactive=not fixed),
            delete_button: gr.Button(interactive=not fixed),
            sure: gr.Column(visible=False),
            file: gr.DownloadButton(visible=False),
            line: "",
        }

    def packed(values: Values) -> Iterator[Updates]:
        """One ZIP for each state of a model, so that nobody can fill the disk with them."""
        found = told(lambda: thing(app, values[opened]))
        if found is None:
            yield gr.skip()
            return
        state = hashlib.sha256(repr((stamp(found.folder), values[layout])).encode()).hexdigest()
        target = Path(get_upload_folder()) / state / f"{found.card.id}.zip"

        def saved(path: Path) -> Updates:
            label = f"Save {path.name} ({in_bytes(path.stat().st_size)})"
            return {file: gr.DownloadButton(label, value=str(path), visible=True)}

        if target.is_file():
            os.utime(target)  # it is as good as new: not to be swept before it is fetched
            yield saved(target)
        else:
            yield from stream(
                _packed(app, found.key, target, values[layout]), values[own_latest], line, saved
            )

    def ask(id: str) -> Updates:
        found = told(lambda: deletable(app, id))
        if found is None:
            return {sure: gr.Column(visible=False)}
        said = f"<p>Delete <b>{escape(found.card.title)}</b> ({in_bytes(found.size)}) for good?"
        children = [
            card.title
            for card in app.registry.cards()
            if found.card.id in card.lineage and card.id != found.card.id
        ]
        if children:
            said += f" {escape(', '.join(children))} was made from it, and goes on working."
        return {sure: gr.Column(visible=True), question: f"{said}</p>", asked: id}

    def deleted(id: str) -> Updates:
        gone = told(lambda: results(delete(app, Delete(id))))
        return {sure: gr.Column(visible=False)} | ({opened: app.first_model()} if gone else {})

    def renamed(id: str, wanted: str) -> Any:
        found = told(lambda: results(rename(app, Rename(id, wanted))))
        return found[0] if found else gr.skip()

    def drawn(values: Values) -> Iterator[Updates]:
        """The sample, whatever it takes."""
        yield from stream(_sample(app, values[opened]), values[own_latest], line, lambda _: gr.skip())

    def pushed(id: str, name: str) -> None:
        if told(lambda: start_push(app, Push(id, name.strip()))):
            gr.Info(f"It is on its way to {escape(name)}: see the list of jobs in Train.")

    def spaced(id: str, name: str) -> None:
        if told(lambda: start_space(app, Space(name.strip(), id))):
            gr.Info(f"A Space is on its way to {escape(name)}: see the list of jobs in Train.")

    wish, view = {latest, search, kind, count, opened, visited, number}, [cards, more, about]
    again = {"fn": show, "inputs": wish, "outputs": view, **RUN}
    gr.on([search.change, kind.change, count.change, page.seen.change], **again)
    page.seen.change(lambda chosen: gr.Radio(kinds(chosen)), kind, kind, **QUIET)
    page.tab.select(lambda: (True, left_out(*app.stores)), outputs=[visited, problems], **QUIET)
    own = [title, rename_button, delete_button, sure, file, line]
    at_once = {"trigger_mode": "multiple", **QUIET}
    gr.on([opened.change, visited.change], open_, opened, own, **at_once).then(**again)
    gr.on([search.change, kind.change], lambda: SHOWN, outputs=count, **QUIET)
    more.click(lambda count: count + SHOWN, count, count, **QUIET)
    rename_button.click(renamed, [opened, title], title, **QUIET).then(**again)
    draw.click(drawn, {opened, own_latest}, line, **LONG_WORK, **QUIET).then(**again)
    pack.click(packed, {opened, layout, own_latest}, [file, line], concurrency_limit=2, **QUIET)
    layout.change(lambda: gr.DownloadButton(visible=False), outputs=file, **QUIET)
    delete_button.click(ask, opened, [sure, question, asked], **QUIET)
    no.click(lambda: gr.Column(visible=False), outputs=sure, **QUIET)
    yes.click(deleted, asked, [sure, opened], **QUIET)
    push.click(pushed, [opened, repo], None, **QUIET)
    make_space.click(spaced, [opened, repo], None, **QUIET)


def _packed(app: Application, key: str, target: Path, layout: str) -> Events[Path]:
    with disk_full_named(target, target.name):
        yield from export(app, Export(key, target.parent, archive=True, layout=layout))


def _sample(app: Application, key: str) -> Events[Path]:
    yield from draw_sample(app, thing(app, key))


def _missing_samples(app: Application, shown: list[Thing]) -> Events[Path]:
    for each in {each.key: each for each in shown}.values():
        if sample_at_hand(app, each) is None and is_quick(app, each):
            yield from draw_sample(app, each)
