"""Import: a field for anything, the originals of the catalogue, and the imports that are under way."""

import json
from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from rf_app.errors import UserError
from rf_app.registry.catalogue import Entry, catalogue, obstacle
from rf_app.registry.permission import Permission
from rf_app.ui.complaint import complain
from rf_app.ui.model_view import in_bytes
from rf_app.workflows.generate import Studio
from rf_app.workflows.imports import Import, Imports
from rf_app.workflows.shelf import KIND_TITLES

EVERY = 1.0  # seconds
CLOSED = """<div class="lead"><p>Importing models is off on this public page. Run your own copy, or, as
its owner, start it with <code>--allow-training</code>.</p></div>"""
LEAD = """<div class="lead"><p>A diffusers folder or a single .safetensors file on this computer,
or a name on the Hugging Face Hub. Only safetensors are read; a model appears once it is checked.</p></div>"""
KINDS = [("As its card or scheduler says", ""), *((title, kind) for kind, title in KIND_TITLES.items())]


def build(studio: Studio, tab: gr.Tab, permission: Permission) -> None:
    """Lay the panel out and connect it, inside `tab`."""
    if not permission:
        gr.HTML(CLOSED, elem_id="import-closed")
        return
    imports = Imports(studio.registry, permission)
    with gr.Column(elem_id="import", elem_classes="study"):
        gr.HTML(LEAD)
        with gr.Row(elem_classes="wish"):
            source = gr.Textbox(
                "",
                label="Folder, file or name on the Hub",
                placeholder="~/models/dreamshaper.safetensors or Lykon/dreamshaper-7",
                lines=1,
                elem_id="import-source",
            )
            id = gr.Textbox("", label="Id here (empty: from its name)", lines=1, elem_id="import-id")
            kind = gr.Dropdown(KINDS, value="", label="Kind", filterable=False, elem_id="import-kind")
        with gr.Row(elem_classes="acts"):
            start = gr.Button("Import", variant="primary", min_width=150, elem_id="import-start")
        under_way = gr.HTML("", elem_id="imports")
        offered = gr.HTML("", elem_id="catalogue")
    act = gr.Textbox("", visible="hidden", elem_id="sent-imports")
    timer = gr.Timer(EVERY, active=False)
    private = {"show_progress": "hidden", "api_visibility": "private"}

    def show() -> tuple[str, gr.Timer]:
        now = imports.all()
        return _under_way(now), gr.Timer(active=any(each.running for each in now))

    timer.tick(show, outputs=[under_way, timer], queue=False, **private)
    tab.select(show, outputs=[under_way, timer], **private).then(
        lambda: _catalogue(studio), outputs=offered, **private
    )
    gr.on(
        [start.click, source.submit],
        _start(imports),
        [source, id, kind],
        [source, id],
        **private,
    ).then(show, outputs=[under_way, timer], **private)
    act.change(_act(imports), act, None, **private).then(show, outputs=[under_way, timer], **private)


def _start(imports: Imports) -> Callable:
    def start(source: str, id: str, kind: str) -> tuple:
        try:
            imports.start(source, id, kind=kind)
        except UserError as error:
            complain(error)
            return gr.skip(), gr.skip()
        return "", ""

    return start


def _act(imports: Imports) -> Callable:
    """What a button of an import or of the catalogue says: {"act": "pause", "id": "dreamshaper"}."""
    acts: dict[str, Callable[[str], Any]] = {
        "pause": imports.pause,
        "resume": imports.resume,
        "drop": imports.drop,
        "fetch": imports.start,
    }

    def do(text: str) -> None:
        try:
            said = json.loads(text)
            acts[said["act"]](str(said["id"]))
        except UserError as error:
            complain(error)
        except (ValueError, TypeError, KeyError):
            complain(UserError("This button is none of the page's."))

    return do


def _under_way(imports: list[Import]) -> str:
    return "".join(_import(each) for each in imports)


def _import(each: Import) -> str:
    share = each.done / each.of if each.of else 0
    amount = f" {in_bytes(each.done)} of {in_bytes(each.of)}" if each.of > 1 else ""
    said = each.error or (each.text + amount if each.running else f"Paused.{amount}")
    acts = [("pause", "Pause") if each.running else ("resume", "Resume"), ("drop", "Drop")]
    buttons = "".join(_button(act, title, each.id) for act, title in acts)
    return (
        f'<section class="import{" failed" if each.error else ""}" data-import="{escape(each.id)}">'
        f"<h4>{escape(each.id)} <small>{escape(each.source[-100:])}</small></h4>"
        f'<div class="way" role="status"><div><i style="width:{share:.1%}"></i></div>'
        f'<p>{escape(said)}</p></div><div class="links">{buttons}</div>'
        "</section>"
    )


def _button(act: str, title: str, id: str, off: str = "") -> str:
    state = " disabled" if off else ""
    return f'<button class="send" data-act-import="{act}" data-id="{escape(id)}"{state}>{title}</button>'


def _catalogue(studio: Studio) -> str:
    here = {card.id for card in studio.registry.cards()}
    entries = "".join(_entry(each, here, studio) for each in catalogue())
    return f'<h3>The originals</h3><div class="shelf">{entries}</div>'


def _entry(entry: Entry, here: set[str], studio: Studio) -> str:
    reason = "is here" if entry.id in here else obstacle(entry, studio.registry.folders[-1])
    note = f'<p class="reason">{escape(reason[0].upper() + reason[1:])}.</p>' if reason else ""
    return (
        f'<article class="model{" off" if reason else ""}" data-entry="{escape(entry.id)}">'
        f'<h4>{escape(entry.title)}</h4><p class="badge {entry.kind}">{KIND_TITLES[entry.kind]}</p>'
        f"<p>{escape(entry.about)}</p><p>{escape(entry.license)} · {entry.gigabytes:g} GB</p>{note}"
        f'<div class="links">{_button("fetch", "Import", entry.name, reason)}</div></article>'
    )
