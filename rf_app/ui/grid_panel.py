"""Grid: a picture for every combination of the settings on two or three axes, streamed cell by cell.

As on the other panels every wish changes the cue, and the cue's change asks the server.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.ui.complaint import complain
from rf_app.ui.cue import GO
from rf_app.ui.grid_view import empty_grid, filled_cell
from rf_app.ui.progress_bar import note, progress_bar
from rf_app.ui.side_by_side_panel import EXAMPLES
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.workflows import grid
from rf_app.workflows.background import Emit, IsCancelled, Progress, batches
from rf_app.workflows.generate import Studio
from rf_app.workflows.grid import CellDone, GridRequest, Plan
from rf_app.workflows.grid_export import archive, sheet

OPENING = (
    '<div class="lead"><p>One picture for every combination: what do more steps change, and what guidance? '
    "Press a figure to draw it.</p></div>"
)
CHOICES = [("–", ""), *((name.capitalize(), name) for name in grid.AXES)]


@dataclass(frozen=True)
class AxisFields:
    """The parts that say what varies along one direction."""

    name: gr.Dropdown
    text: gr.Textbox  # for all but models
    models: gr.Dropdown

    @property
    def all(self) -> list[gr.Component]:
        """In the order of `_axis`."""
        return [self.name, self.text, self.models]


def build(studio: Studio) -> list[gr.Dropdown]:
    """Lay the panel out and connect it, inside the Blocks at hand; returns its lists of models."""
    base = GenerateRequest(EXAMPLES[0][1], studio.first_model(), seed=EXAMPLES[0][2])
    figures = (
        ("The N-step figure", grid.steps_figure(studio.registry, base)),
        ("The guidance figure", grid.guidance_figure(studio.registry, base)),
    )
    opening = figures[0][1]
    with gr.Column(elem_id="grid", elem_classes="study"):
        with gr.Row(elem_classes="acts"):
            presets = [gr.Button(title, elem_classes="figure", min_width=170) for title, _ in figures]
        with gr.Row(elem_classes="wish"):
            prompt = gr.Textbox(
                base.prompt, label="Prompt", lines=1, max_lines=4, scale=4, elem_id="grid-prompt"
            )
            seed = gr.Number(base.seed, label="Seed", precision=0, min_width=100, elem_id="grid-seed")
        axes = [
            _axis_row(studio, title, axis)
            for title, axis in (
                ("Rows", opening.rows),
                ("Columns", opening.columns),
                ("Pages", opening.pages),
            )
        ]
        with gr.Accordion("What all pictures share", open=False, elem_classes="advanced"):
            with gr.Row(elem_classes="wish"):
                model = gr.Dropdown(
                    studio.models(), value=base.model, label="Model", filterable=False, elem_id="grid-model"
                )
                steps = gr.Number(None, label="Steps (empty: the model’s)", elem_id="grid-steps")
                guidance = gr.Number(None, label="Guidance (empty: the model’s)", elem_id="grid-guidance")
            negative = gr.Textbox("", label="Negative prompt", lines=1, max_lines=4, elem_id="grid-negative")
        with gr.Row(elem_classes="acts"):
            go = gr.Button("Draw the grid", variant="primary", min_width=150, elem_id="grid-go")
            stop = gr.Button("Stop", min_width=80, elem_id="grid-stop")
            sheet_file = gr.DownloadButton("Sheet (PNG)", visible=False, size="sm", elem_id="grid-sheet")
            zip_file = gr.DownloadButton("All pictures (ZIP)", visible=False, size="sm", elem_id="grid-zip")
        way = gr.HTML("", elem_id="grid-way")
        cells = gr.HTML(OPENING, elem_id="grid-cells")
    cue = gr.Textbox("", visible="hidden", elem_id="grid-cue")
    turn = gr.State(Turn())
    private = {"show_progress": "hidden", "api_visibility": "private"}

    rows, columns, pages = axes
    shared = [prompt, model, steps, guidance, seed, negative]
    cue.change(
        _draw(studio, cells),
        [turn, *shared, *rows.all, *columns.all, *pages.all],
        [way, cells, sheet_file, zip_file],
        trigger_mode="multiple",
        **LONG_WORK,
        **private,
    )
    gr.on(
        [go.click, prompt.submit, *(axis.text.submit for axis in axes)],
        fn=None,
        js=GO,
        outputs=[cue],
        trigger_mode="multiple",
        api_visibility="private",
    )
    for button, (_, figure) in zip(presets, figures, strict=True):
        button.click(
            lambda figure=figure: _set(studio, figure),
            outputs=[steps, guidance, *rows.all, *columns.all, *pages.all, cue],
            **private,
        )
    stop.click(lambda turn: turn.stop(), turn, **private)
    return [model, *(axis.models for axis in axes)]


def _axis_row(studio: Studio, title: str, axis: grid.Axis | None) -> AxisFields:
    id = title.lower()
    with gr.Row(elem_classes="axis"):
        name = gr.Dropdown(
            CHOICES,
            value=axis.name if axis else "",
            label=title,
            filterable=False,
            scale=1,
            min_width=130,
            elem_id=f"grid-{id}",
        )
        text, models = (
            gr.Textbox(**_text(axis), scale=5, max_lines=6, elem_id=f"grid-{id}-values"),
            gr.Dropdown(
                studio.models(), **_models(axis), multiselect=True, scale=5, elem_id=f"grid-{id}-models"
            ),
        )
    # Values of another setting make no sense, so choosing one gives an example of its own.
    name.input(
        lambda name: _examples(studio, name),
        name,
        [text, models],
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    return AxisFields(name, text, models)


def _text(axis: grid.Axis | None) -> dict:
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


def _models(axis: grid.Axis | None) -> dict:
    chosen = axis is not None and axis.name == "model"
    return {"value": list(axis.values) if chosen else [], "label": "Models", "visible": chosen}


def _examples(studio: Studio, name: str) -> tuple[gr.Textbox, gr.Dropdown]:
    texts = {
        "steps": "1, 2, 4, 8, 25",
        "guidance": "1, 1.5, 2, 3, 5",
        "seed": "1-4",
        "prompt": "\n".join(text for _, text, _ in EXAMPLES[:3]),
    }
    if name == "model":
        axis = grid.Axis(name, tuple(id for _, id in studio.models()))
    else:
        axis = grid.axis(name, texts.get(name))
    return gr.Textbox(**_text(axis)), gr.Dropdown(choices=studio.models(), **_models(axis))


def _set(studio: Studio, figure: GridRequest) -> list:
    """A figure into the fields, and off it goes."""
    fields = []
    for axis in (figure.rows, figure.columns, figure.pages):
        fields += [axis.name if axis else "", gr.Textbox(**_text(axis)), gr.Dropdown(**_models(axis))]
    return [None, None, *fields, f"go:{time.time_ns()}"]


def _axis(fields: Sequence) -> grid.Axis | None:
    name, text, models = fields
    return grid.axis(name, models if name == "model" else text)


def _draw(studio: Studio, cells: gr.HTML) -> Callable:
    def run(turn, prompt, model, steps, guidance, seed, negative, *axes) -> Iterator[tuple]:
        ended = turn.begin()
        base = GenerateRequest(prompt, model or "", steps, guidance, seed, negative_prompt=negative)
        hidden = gr.DownloadButton(visible=False)
        try:
            request = GridRequest(base, *(_axis(axes[i : i + 3]) for i in (0, 3, 6)))
            plan = grid.plan(studio, request)
        except UserError as error:
            complain(error)
            yield "", gr.skip(), gr.skip(), gr.skip()
            return
        html, done = empty_grid(plan), []

        def work(emit: Emit, left: IsCancelled) -> None:
            grid.run(studio, plan, emit, lambda: left() or ended())

        yield progress_bar(None), html, hidden, hidden
        with suppress(Cancelled):
            for news in batches(work):
                arrived = [each for each in news if isinstance(each, CellDone)]
                done += arrived
                html += "".join(filled_cell(plan, each, _file(each, cells)) for each in arrived)
                if ended():
                    continue
                steps_done = [each for each in news if isinstance(each, Progress)]
                yield (
                    progress_bar(steps_done[-1]) if steps_done else gr.skip(),
                    html if arrived else gr.skip(),
                    gr.skip(),
                    gr.skip(),
                )
        if turn.stopped or not ended():
            said = (
                f"Stopped: {len(done)} of {len(plan.cells)} pictures."
                if ended()
                else f"{len(done)} pictures."
            )
            yield note(said), html, gr.skip(), gr.skip()
            yield gr.skip(), gr.skip(), *_files(plan, done, cells)

    return run


def _file(done: CellDone, cells: gr.HTML) -> str | None:
    picture = done.attempt.picture
    if picture is None:
        return None
    path = save_bytes_to_cache(picture.png, picture.name, cells.GRADIO_CACHE)
    cells.temp_files.add(path)  # so that Gradio clears it away one day
    return path


def _files(plan: Plan, done: list[CellDone], cells: gr.HTML) -> tuple:
    """The two downloads of what is drawn; none of nothing."""
    if not any(each.attempt.picture for each in done):
        return gr.skip(), gr.skip()
    buffer = BytesIO()
    sheet(plan, done).save(buffer, "PNG", compress_level=1)
    contents = (buffer.getvalue(), archive(plan, done, buffer.getvalue()))
    return tuple(
        gr.DownloadButton(value=save_bytes_to_cache(content, name, cells.GRADIO_CACHE), visible=True)
        for content, name in zip(contents, ("instaflow-grid.png", "instaflow-grid.zip"), strict=True)
    )
