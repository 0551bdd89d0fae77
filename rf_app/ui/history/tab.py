"""The History tab: what was drawn here, found again by its words, kept with a star, used again or deleted."""

from html import escape

import gradio as gr

from rf_app.actions import history
from rf_app.actions.application import Application
from rf_app.actions.history import pictures
from rf_app.actions.words import in_bytes
from rf_app.pipeline.checking import check_text
from rf_app.ui.api import endpoint
from rf_app.ui.history.view import ELSEWHERE, NOT_FOUND, NOTHING, full, grid
from rf_app.ui.parts.complaint import complaining, told
from rf_app.ui.parts.context import Page, Updates
from rf_app.ui.parts.events import LATEST, QUIET
from rf_app.ui.parts.fields import text_field

SHOWN = 60


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it."""
    endpoint(app, history)
    if not app.permission:
        gr.HTML(ELSEWHERE)
        return
    with gr.Column(elem_id="history"):
        with gr.Column(elem_id="kept-all"):
            with gr.Row(elem_classes="wish"):
                words = "Words of the prompt, a model, a style…"
                search = text_field("", "Search", "history-search", placeholder=words)
                starred = gr.Checkbox(False, label="With a star", elem_id="history-starred", container=False)
            shown = gr.HTML("", elem_id="history-pictures")
            more = gr.Button("Show more", size="sm", visible=False, elem_id="history-more")
            room = gr.HTML("", elem_id="history-room")
        with gr.Column(elem_id="kept-side", visible=False) as side:
            about = gr.HTML("", elem_id="kept-full")
            with gr.Row(elem_id="kept-acts"):
                star = gr.Button("Give a star", size="sm", min_width=110, elem_id="kept-star")
                delete = gr.Button("Delete", size="sm", min_width=90, elem_id="kept-delete")
            with gr.Row(visible=False, elem_id="kept-sure") as sure:
                yes = gr.Button("Delete for good", variant="stop", size="sm", elem_id="kept-yes")
                no = gr.Button("Keep it", size="sm", elem_id="kept-no")
    opened = gr.Textbox("", visible="hidden", elem_id="sent-history")
    named = gr.Textbox("", visible="hidden")  # what is shown in full: another may be opened, and on its way
    count = gr.State(SHOWN)

    @complaining
    def show(words: str, only: bool, wanted: int, name: str) -> Updates:
        kept = pictures(app)
        found, total = kept.search(check_text("search", words), only, wanted)
        number, size = kept.size()
        nothing = NOT_FOUND if words.strip() or only else NOTHING
        limit = f"{in_bytes(size)} of at most {in_bytes(kept.limit)}"
        return {
            shown: grid(found, total - len(found), name) if found else nothing,
            more: gr.Button(visible=total > len(found)),
            room: f"<p>{number:,} picture{'s' * (number != 1)}, {limit}, in {escape(str(kept.folder))}.</p>",
        }

    def open_(name: str) -> Updates:
        if not name:
            return {side: gr.Column(visible=False)}
        kept = pictures(app)
        found = told(lambda: (kept.picture(name), kept.png(name)))
        if found is None:
            return {side: gr.Column(visible=False)}
        picture, png = found
        return {
            side: gr.Column(visible=True),
            about: full(picture, png, {id: title for title, id in app.models()}),
            star: "Take the star away" if picture.starred else "Give a star",
            sure: gr.Row(visible=False),
            named: name,
        }

    @complaining
    def starring(name: str) -> None:
        kept = pictures(app)
        kept.star(name, not kept.picture(name).starred)

    def deleting(name: str) -> Updates:
        told(lambda: pictures(app).delete(name))
        return {opened: ""}

    view = {"fn": show, "inputs": [search, starred, count, opened], "outputs": [shown, more, room], **LATEST}
    one = {"fn": open_, "inputs": opened, "outputs": [side, about, star, sure, named], **LATEST}
    gr.on([search.change, starred.change], lambda: SHOWN, outputs=count, **LATEST).then(**view)
    page.tab.select(**view)  # whoever comes back finds as many as there were
    more.click(lambda count: count + SHOWN, count, count, **QUIET).then(**view)
    opened.change(**one).then(**view)
    star.click(starring, named, None, **QUIET).then(**one).then(**view)
    delete.click(lambda: gr.Row(visible=True), outputs=sure, **QUIET)
    no.click(lambda: gr.Row(visible=False), outputs=sure, **QUIET)
    yes.click(deleting, named, opened, **QUIET)
