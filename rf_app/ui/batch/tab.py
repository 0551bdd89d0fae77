"""The Batch tab: a list of prompts beside the pictures that come of it.

The work goes on at the server when the page is closed, and a page that is loaded anew finds it by a name that
only its browser knows. The pictures lie among the files that are swept; the owner's are in the history, too.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from rf_app.actions import batch
from rf_app.actions.application import Application
from rf_app.actions.batch import Batch, PictureDone, Planned
from rf_app.actions.contact_sheet import files
from rf_app.actions.detached import Run
from rf_app.actions.history import keep
from rf_app.actions.loras import rows as lora_rows
from rf_app.actions.progress import Events
from rf_app.actions.restore import usable
from rf_app.actions.run import LatestRun
from rf_app.errors import UserError
from rf_app.settings.picture import PictureSettings, parse_json, read_loras
from rf_app.settings.prompts import Text
from rf_app.ui.api import endpoint, seen_by
from rf_app.ui.batch.view import OPENING, gallery
from rf_app.ui.files import served, uploaded_text
from rf_app.ui.parts.complaint import complaining, told
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import AGAIN, PAGE_ONLY, QUIET, in_browser
from rf_app.ui.parts.loras import lora_panel
from rf_app.ui.parts.model_form import ModelForm, advanced, decoder_list, model_list, steps_and_guidance
from rf_app.ui.parts.progress_bar import note
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.size import size_fields
from rf_app.ui.parts.streaming import stream
from rf_app.ui.waiting import LONG_WORK

FIRST_SEED = 7
NAME = re.compile(r"[0-9a-f]{32}")
LEFT = "“Go on” shows what is drawn of this list, and draws the rest."
EXAMPLE = """a snowy mountain near a lake at sunset
a {red|blue|green|yellow} boat on a lake
{2$$a moon|a cloud|a bird} above a castle at night"""


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it; with the endpoint of the same action."""
    preset = app.preset(app.first_model())
    with gr.Column(elem_id="batch"):
        with gr.Column(elem_id="batch-form"):
            prompts = gr.Textbox(
                EXAMPLE,
                label="Prompts, one a line",
                info="Or a table (CSV) with a column “prompt”, and if you like seed, count, model, steps…",
                lines=8,
                max_lines=12,
                elem_id="batch-prompts",
            )
            file = gr.UploadButton(
                "Read a file", file_types=[".txt", ".csv", ".tsv"], size="sm", elem_id="batch-file"
            )
            with gr.Row(elem_classes="pair"):
                count = gr.Number(2, label="Pictures of each", precision=0, elem_id="batch-count")
                seed = gr.Number(FIRST_SEED, label="First seed", precision=0, elem_id="batch-seed")
            with gr.Row(elem_classes="acts"):
                go = gr.Button("Draw all", variant="primary", elem_id="batch-go", min_width=140)
                stop = gr.Button("Stop", elem_id="batch-stop", min_width=70)
        with gr.Column(elem_id="batch-side"):
            line = gr.HTML("", elem_id="batch-way")
            with gr.Row(elem_classes="acts"):
                again = gr.Button("Go on", visible=False, size="sm", elem_id="batch-again", min_width=90)
                sheet = gr.DownloadButton("Contact sheet", visible=False, size="sm", elem_id="batch-sheet")
                archive = gr.DownloadButton("All as ZIP", visible=False, size="sm", elem_id="batch-zip")
            shown = gr.HTML(OPENING, elem_id="batch-pictures")
        with gr.Column(elem_id="batch-settings"):  # on a phone the pictures come before it
            model = model_list(app, app.first_model(), elem_id="batch-model")
            size = size_fields(preset, "batch-")
            decoder = decoder_list(preset, "batch-")
            steps, guidance = steps_and_guidance(preset, "batch-")
            loras = lora_panel(app, "batch-")
            solver, negative = advanced(preset, "batch-")
    form = ModelForm(model, steps, guidance, solver, negative, size, decoder)
    page.lists.append(model)
    cue, left = (gr.Textbox("", visible="hidden", elem_id=f"batch-{name}") for name in ("cue", "left"))
    latest = gr.State(LatestRun())

    def kept(own: Application, wish: Batch) -> Events[Planned | PictureDone]:
        """The action; the pictures of the owner go into the history, whether a page looks on or not."""
        problem = None
        for event in batch.batch(own, wish):
            if isinstance(event, PictureDone) and event.new and not event.error:
                try:
                    keep(own, event.file.read_bytes(), event.settings.as_json())
                except UserError as error:  # said in the end: the others go on
                    problem = error
            yield event
        if problem:
            raise problem

    def started(values: Values, own: Application) -> Run:
        act, name = _said(values[cue])
        given = read_loras(values[loras.rows])
        wish = Batch(
            Text(values[prompts]),
            count=values[count],
            seed=values[seed],
            out=_folder(name),
            loras=given,
            **form.read(own, values, given),
        )
        batch.plan(own, wish)  # what is wrong with it is said before anything is cleared away
        own.detached.stop(name, wait=True)
        if act == "go":
            shutil.rmtree(wish.out, ignore_errors=True)
        return own.detached.start(name, kept(own, wish), own.line)

    def followed(run: Run, latest: LatestRun) -> Iterator[Updates]:
        """The run to its end, or until the page leaves it."""
        plan: Planned | None = None
        done: list[PictureDone] = []

        def show(new: list[Planned | PictureDone]) -> Updates:
            nonlocal plan
            plan = next((each for each in new if isinstance(each, Planned)), plan)
            done.extend(each for each in new if isinstance(each, PictureDone))
            return {shown: gallery(done, len(plan.pictures))}

        def said() -> str:
            if plan is None:
                return "Stopped."
            failed = sum(bool(each.error) for each in done)
            stopped = "" if len(done) == len(plan.pictures) else "Stopped: "
            missing = f"; {failed} could not be drawn" if failed else ""
            return f"{stopped}{len(done) - failed} of {len(plan.pictures)} pictures{missing}."

        hidden = {each: gr.DownloadButton(visible=False) for each in (sheet, archive)}
        yield hidden | {again: gr.Button(visible=False)}
        if (yield from stream(run.follow(), latest, line, show, said)) and plan:
            yield {again: gr.Button(visible=len(done) < len(plan.pictures))}
            if any(not each.error for each in done):
                paths = told(lambda: list(map(served, files(done, plan.out))))
                if paths:  # the disk is not full
                    made = [gr.DownloadButton(value=path, visible=True) for path in paths]
                    yield dict(zip((sheet, archive), made, strict=True))

    def draw(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        run = told(lambda: started(values, seen_by(app, asked_by)))
        if run:
            yield from followed(run, values[latest])
        else:
            yield gr.skip()

    def opened(text: str, latest: LatestRun, asked_by: gr.Request) -> Iterator[Updates]:
        """What this browser has left: the form, and the run, which may still be at work."""
        own = seen_by(app, asked_by)
        yield gr.skip()  # without anything to yield, Gradio would empty the tab
        try:
            found = parse_json(text, "The form")
            run = own.detached.find(_name(found.get("name")))
        except UserError:  # nothing that a page of ours says
            return
        if isinstance(left_form := found.get("form"), dict):
            default = PictureSettings("a lake", own.first_model(), seed=FIRST_SEED)
            settings = usable(own, left_form, default)
            text, many = left_form.get("prompts"), left_form.get("count")
            yield {
                **form.show(own, settings),
                prompts: text if isinstance(text, str) else EXAMPLE,
                seed: settings.seed,
                loras.rows: lora_rows(own, settings.loras),
                count: many if many in range(1, batch.MAX_COUNT + 1) else 1,
            }
        if run:
            yield from followed(run, latest)
        elif _folder(found["name"]).is_dir():  # the server was started anew
            yield {again: gr.Button(visible=True), line: note(LEFT)}

    @complaining
    def stopped(text: str) -> None:
        app.detached.stop(_said(text)[1])

    outputs = [line, shown, again, sheet, archive]
    form_now = [prompts, count, seed, *form.fields, loras.rows]
    go.click(js=browser("batch", "go"), outputs=cue, **PAGE_ONLY)
    again.click(js=browser("batch", "on"), outputs=cue, **PAGE_ONLY)
    cue.change(draw, {cue, prompts, count, seed, latest, loras.rows, *form.fields}, outputs, **AGAIN)
    stop.click(stopped, cue, None, js=browser("batch", "stop"), **QUIET)
    in_browser([field.change for field in form_now], "batchForm", form_now)
    file.upload(complaining(uploaded_text), file, prompts, **QUIET)
    model.input(**form.recommended(app))
    size.connect(app, model, lambda event: None)
    loras.connect(app, model, lambda event: None)
    page.blocks.load(
        opened, [left, latest], [*form_now, *outputs], js=browser("batchLeft"), **LONG_WORK, **QUIET
    )
    endpoint(app, batch, ("prompts", "model", "count", "seed"))


def _said(cue: str) -> tuple[str, str]:
    """What a page wants, and of the batch of which name; raises UserError."""
    found = parse_json(cue, "The page's words")
    return found.get("act"), _name(found.get("name"))


def _name(text: Any) -> str:
    """A name that a browser has made; raises UserError for anything else, as it becomes a folder's."""
    if not isinstance(text, str) or not NAME.fullmatch(text):
        raise UserError("This page has no list under way.")
    return text


def _folder(name: str) -> Path:
    return Path(get_upload_folder()) / f"batch-{name}"
