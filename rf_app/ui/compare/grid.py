"""Grid: a picture for every combination of the settings on two or three axes, streamed cell by cell.

As on the other panels every wish changes the cue, and the cue's change asks the server.
"""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.grid import files, grid
from rf_app.actions.grid_plan import (
    AXES,
    LORA,
    Axis,
    CellDone,
    Grid,
    Plan,
    axis,
    guidance_figure,
    one_step_figure,
    steps_figure,
)
from rf_app.actions.loras import choices
from rf_app.actions.progress import Events
from rf_app.actions.run import LatestRun
from rf_app.pipeline.turns import PULSE
from rf_app.settings.picture import PictureSettings
from rf_app.ui.api import seen_by
from rf_app.ui.compare.grid_view import empty_grid, filled_cell
from rf_app.ui.compare.side_by_side import EXAMPLES
from rf_app.ui.files import served
from rf_app.ui.parts.complaint import told
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import LATEST, QUIET, RUN, in_browser
from rf_app.ui.parts.fields import choice, text_field
from rf_app.ui.parts.model_form import model_list
from rf_app.ui.parts.plug_ins import PlugIns
from rf_app.ui.parts.progress_bar import note
from rf_app.ui.parts.seed_row import seed_field
from rf_app.ui.parts.size import size_numbers
from rf_app.ui.parts.streaming import stops, stream

OPENING = (
    '<div class="lead"><p>One picture for every combination of two or three settings: choose them, or press '
    "one of the examples.</p></div>"
)
VALUES = {
    "steps": "1, 2, 4, 8, 25",
    "guidance": "1, 1.5, 2, 3, 5",
    "seed": "1-4",
    "size": "96x96, 144x96, 64x96",
    "lora": "0, 0.25, 0.5, 0.75, 1",
    "prompt": "\n".join(text for _, text, _ in EXAMPLES[:3]),
}
"""What an axis begins with."""


@dataclass(frozen=True)
class AxisFields:
    """The parts that say what varies along one direction."""

    name: gr.Dropdown
    text: gr.Textbox  # for all but models
    models: gr.Dropdown

    @property
    def fields(self) -> set[gr.Component]:
        """All of them."""
        return {self.name, self.text, self.models}

    def read(self, values: Values) -> Axis | None:
        """The axis they say; raises UserError for values that make no sense."""
        name = values[self.name]
        return axis(name, values[self.models if name == "model" else self.text])

    def show(self, axis: Axis | None) -> Updates:
        """The fields with an axis."""
        name = axis.name if axis else ""
        return {
            self.name: name,
            self.text: gr.Textbox(**_text(axis)),
            self.models: gr.Dropdown(**_models(axis)),
        }

    def example(self, app: Application, name: str) -> Updates:
        """The fields with an example of a setting: values of another one make no sense."""
        values = VALUES.get((name or "").partition(":")[0])
        values = tuple(id for _, id in app.models()) if name == "model" else values
        shown = self.show(axis(name, values))
        return {self.text: shown[self.text], self.models: shown[self.models]}


def build(app: Application, page: Page, plugs: PlugIns) -> None:
    """Lay the panel out and connect it; plugs: what all pictures are drawn with."""
    base = PictureSettings(EXAMPLES[0][1], app.first_model(), seed=EXAMPLES[0][2])
    figures = (
        ("Models in one step", one_step_figure(app.registry, base)),
        ("What steps change", steps_figure(app.registry, base)),
        ("What guidance changes", guidance_figure(app.registry, base)),
    )
    opening = figures[0][1]
    with gr.Column(elem_id="grid", elem_classes="study"):
        with gr.Row(elem_classes="acts"):
            presets = [gr.Button(title, elem_classes="figure", min_width=170) for title, _ in figures]
        with gr.Row(elem_classes="wish"):
            prompt = text_field(base.prompt, "Prompt", "grid-prompt", scale=4)
            seed = seed_field(base.seed, elem_id="grid-seed")
        rows = _axis_row(app, "Rows", opening.rows)
        columns = _axis_row(app, "Columns", opening.columns)
        pages = _axis_row(app, "Pages", opening.pages)
        with gr.Accordion("What all pictures share", open=False, elem_classes="advanced"):
            with gr.Row(elem_classes="wish"):
                model = model_list(app, base.model, elem_id="grid-model")
                steps = gr.Number(0, label="Steps (0: the model’s)", elem_id="grid-steps")
                guidance = gr.Number(0, label="Guidance (0: the model’s)", elem_id="grid-guidance")
            size = size_numbers("grid-")
            negative = text_field("", "Leave out (negative prompt)", "grid-negative")
        with gr.Row(elem_classes="acts"):
            go = gr.Button("Draw the grid", variant="primary", min_width=150, elem_id="grid-go")
            stop = gr.Button("Stop", min_width=80, elem_id="grid-stop")
            sheet_file = gr.DownloadButton("Sheet (PNG)", visible=False, size="sm", elem_id="grid-sheet")
            zip_file = gr.DownloadButton("All pictures (ZIP)", visible=False, size="sm", elem_id="grid-zip")
        line = gr.HTML("", elem_id="grid-way")
        cells = gr.HTML(OPENING, elem_id="grid-cells")
    axes = (rows, columns, pages)
    page.lists.extend([model, *(each.models for each in axes)])
    cue = gr.Textbox("", visible="hidden", elem_id="grid-cue")
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    def asked(values: Values, asked_by: gr.Request) -> Events[Plan | CellDone]:
        shared = PictureSettings(
            values[prompt],
            values[model] or "",
            values[steps] or None,
            values[guidance] or None,
            values[seed],
            values[negative],
            **plugs.read(values),
            **size.read(values),
        )
        wish = Grid(shared, *(each.read(values) for each in axes))
        yield from grid(seen_by(app, asked_by), wish)

    def draw(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        plan: Plan | None = None
        done: list[CellDone] = []
        html, sent = "", 0.0

        def show(event: Plan | CellDone) -> Updates:
            nonlocal plan, html, sent
            if isinstance(event, Plan):
                plan, html = event, empty_grid(event)
                hidden = gr.DownloadButton(visible=False)
                return {cells: html, sheet_file: hidden, zip_file: hidden}
            done.append(event)
            picture = event.attempt.picture
            html += filled_cell(plan, event, picture and served(File(picture.name, picture.png)))
            if time.monotonic() - sent < PULSE:  # the whole grid is sent with each of its pictures
                return gr.skip()
            sent = time.monotonic()
            return {cells: html}

        events = asked(values, asked_by)
        if (yield from stream(events, values[latest], line, show, number=values[number])) and plan:
            drawn, of = sum(each.attempt.picture is not None for each in done), len(plan.cells)
            stopped = "Stopped: " if values[latest].stopped else ""
            counted = f"{drawn} of {of}" if stopped or drawn < of else of
            yield {line: note(f"{stopped}{counted} pictures."), cells: html}
            if drawn:
                paths = told(lambda: list(map(served, files(plan, done))))
                if paths:  # the disk is not full
                    made = [gr.DownloadButton(value=path, visible=True) for path in paths]
                    yield dict(zip((sheet_file, zip_file), made, strict=True))

    def set_up(figure: Grid) -> Updates:
        """A figure into the fields, and off it goes."""
        shown = rows.show(figure.rows) | columns.show(figure.columns) | pages.show(figure.pages)
        unset = dict.fromkeys((steps, guidance, *size.fields), 0)
        return shown | unset | {cue: f"go:{time.time_ns()}"}

    fields = [field for each in axes for field in each.fields]
    shared = {prompt, model, steps, guidance, seed, negative, *size.fields, *plugs.inputs}
    outputs = [line, cells, sheet_file, zip_file]
    cue.change(draw, {latest, number, *shared, *fields}, outputs, **RUN)
    in_browser([go.click, prompt.submit, *(each.text.submit for each in axes)], "again", outputs=[cue])
    for button, (_, figure) in zip(presets, figures, strict=True):
        outputs = [steps, guidance, *size.fields, cue, *fields]
        button.click(lambda figure=figure: set_up(figure), outputs=outputs, **QUIET)
    stops(stop, latest)


def axis_choices(own: Application) -> list[tuple[str, str]]:
    """(title, name) of all that may vary, for a visitor."""
    loras = [(f"{title}, strength", f"{LORA}{id}") for title, id in choices(own)]
    return [("–", ""), *((name.capitalize(), name) for name in AXES), *loras]


def _axis_row(app: Application, title: str, axis: Axis | None) -> AxisFields:
    id = title.lower()
    with gr.Row(elem_classes="axis"):
        chosen = axis.name if axis else ""
        name = choice(axis_choices(app), chosen, title, f"grid-{id}", scale=1, min_width=130)
        text = gr.Textbox(**_text(axis), scale=5, max_lines=6, elem_id=f"grid-{id}-values")
        models = gr.Dropdown(
            app.models(), **_models(axis), multiselect=True, scale=5, elem_id=f"grid-{id}-models"
        )
    found = AxisFields(name, text, models)
    name.input(lambda name: found.example(app, name), name, [text, models], **LATEST)

    def now(asked_by: gr.Request) -> gr.Dropdown:
        return gr.Dropdown(choices=axis_choices(seen_by(app, asked_by)))

    name.focus(now, None, name, **QUIET)  # LoRAs may have come since the page was built
    return found


def _text(axis: Axis | None) -> dict[str, Any]:
    name = axis.name if axis else ""
    mark = "\n" if name == "prompt" else ", "
    values = () if not axis or name == "model" else axis.values
    label = {"prompt": "Prompts, one a line", "": " "}.get(name, "Values")
    return {
        "value": mark.join(f"{value:g}" if isinstance(value, float) else str(value) for value in values),
        "label": label,
        "lines": 3 if name == "prompt" else 1,
        "visible": name not in ("", "model"),
    }


def _models(axis: Axis | None) -> dict[str, Any]:
    chosen = axis is not None and axis.name == "model"
    return {"value": list(axis.values) if chosen else [], "label": "Models", "visible": chosen}
