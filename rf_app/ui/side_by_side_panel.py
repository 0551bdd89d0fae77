"""Side by side: one prompt and one seed on two to four models, each with settings of its own.

Every wish, from the button to an example, changes one hidden text, the cue; its change asks the server, where
a new run ends the one under way.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.requests import Control, GenerateRequest, Lora
from rf_app.ui.comparison import OPENING, faster, outcome, over, waiting, working
from rf_app.ui.complaint import complain
from rf_app.ui.cue import GO as AGAIN
from rf_app.ui.cue import OPEN, go_with
from rf_app.ui.followed import followed, followed_rows
from rf_app.ui.lora_panel import lora_rows, session_of, with_loras
from rf_app.ui.model_settings import recommended, steps_and_guidance
from rf_app.ui.seed_row import GO, RANDOM_SEED, seed_row
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.workflows import examples
from rf_app.workflows.attempt import Attempt
from rf_app.workflows.background import Emit, IsCancelled, batches
from rf_app.workflows.compare import SideDone, SideProgress, compare, default_models, speed_up
from rf_app.workflows.control import read_control
from rf_app.workflows.generate import Studio
from rf_app.workflows.loras import read_loras

SHOWN, MOST = 2, 4  # columns
TITLES = {
    "1-mountain-lake": "Mountain lake",
    "2-red-sailboat": "Red sailboat",
    "4-forest-camp": "Yellow tent",
    "5-city-lights": "City lights",
}
EXAMPLES = tuple((TITLES[name], prompt, seed) for name, prompt, seed in examples.EXAMPLES if name in TITLES)


@dataclass(frozen=True)
class Column:
    """The parts of one side."""

    column: gr.Column
    picture: gr.HTML
    model: gr.Dropdown
    steps: gr.Slider
    guidance: gr.Slider
    solver: gr.Dropdown
    negative: gr.Textbox

    @property
    def fields(self) -> list[gr.Component]:
        """What a request is made of, in the order of `_request`."""
        return [self.model, self.steps, self.guidance, self.solver, self.negative]


def build(studio: Studio, sent: gr.Textbox, tab: gr.Tab, subtabs: gr.Tabs) -> list[gr.Dropdown]:
    """Lay the panel out and connect it; `sent` gets settings of other tabs, `subtabs` holds this panel.

    `tab` is the outer one: opened for the first time, it shows the first example. Returns its model lists.
    """
    with gr.Column(elem_id="side-by-side", elem_classes="study"):
        with gr.Row(elem_classes="wish"):
            prompt = gr.Textbox(
                EXAMPLES[0][1],
                label="Prompt",
                show_label=False,
                placeholder="Describe a picture…",
                lines=1,
                max_lines=4,
                scale=4,
                elem_id="compare-prompt",
            )
            seed, dice, locked = seed_row(EXAMPLES[0][2], "compare")
        with gr.Row(elem_classes="acts"):
            go = gr.Button("Compare", variant="primary", min_width=150, elem_id="compare-go")
            stop = gr.Button("Stop", min_width=80, elem_id="compare-stop")
            chips = [
                gr.Button(title, size="sm", min_width=110, elem_classes="chip") for title, _, _ in EXAMPLES
            ]
        loras = lora_rows("compare")
        follows = followed("compare")
        headline = gr.HTML(OPENING, elem_id="compare-headline")
        models = default_models(studio.registry, MOST)
        with gr.Row(elem_id="sides"):
            columns = [_column(studio, i, model) for i, model in enumerate(models)]
        with gr.Row(elem_classes="acts"):
            more = gr.Button("Add a model", size="sm", elem_id="compare-more")
            fewer = gr.Button("Remove the last", size="sm", elem_id="compare-fewer", visible=False)
        laid_over = gr.HTML("", elem_id="before-after")
    cue = gr.Textbox("", visible="hidden", elem_id="compare-cue")
    count, turn = gr.State(SHOWN), gr.State(Turn())
    pictures = [column.picture for column in columns]
    private = {"show_progress": "hidden", "api_visibility": "private"}

    cue.change(
        _compare(studio),
        [
            turn,
            prompt,
            seed,
            count,
            loras,
            follows,
            *(field for column in columns for field in column.fields),
        ],
        [headline, laid_over, *pictures],
        trigger_mode="multiple",
        **LONG_WORK,
        **private,
    )
    page_only = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}
    gr.on(
        [go.click, prompt.submit],
        js=GO,
        inputs=[seed, locked, prompt],
        outputs=[seed, cue],
        **page_only,
    )
    dice.click(js=f"() => {RANDOM_SEED}", outputs=[seed], **page_only)
    loras.settled(js=AGAIN, outputs=[cue], **page_only)
    follows.input(js=AGAIN, outputs=[cue], **page_only)
    for button, (_, *values) in zip(chips, EXAMPLES, strict=True):
        button.click(js=go_with(*values), outputs=[prompt, seed, cue], **page_only)
    stop.click(lambda turn: turn.stop(), turn, **private)
    for column in columns:
        column.model.input(
            recommended(studio),
            column.model,
            [column.steps, column.guidance, column.solver],
            trigger_mode="always_last",
            **private,
        )
    shape = [count, more, fewer, *(column.column for column in columns)]
    for button, change in ((more, 1), (fewer, -1)):
        button.click(lambda count, change=change: _shape(count + change), count, shape, **private)
    tab.select(js=OPEN, inputs=[cue], outputs=[cue], **page_only)
    received = [prompt, seed, locked, loras, follows, cue, subtabs]
    for column in columns[:2]:
        received += column.fields
    sent.change(_receive(studio), sent, received, **private)
    return [column.model for column in columns]


def _column(studio: Studio, i: int, model: str) -> Column:
    preset = studio.preset(model)
    with gr.Column(visible=i < SHOWN, min_width=230, elem_classes="side", elem_id=f"side-{i + 1}") as column:
        picture = gr.HTML(waiting("Press Compare"), elem_classes="side-frame")
        chosen = gr.Dropdown(studio.models(), value=model, label=f"Model {i + 1}", filterable=False)
        steps, guidance = steps_and_guidance(preset, f"side-{i + 1}")
        with gr.Accordion("Advanced", open=False, elem_classes="advanced"):
            solver = gr.Dropdown(preset.solvers, value=preset.solvers[0][1], label="Solver", filterable=False)
            negative = gr.Textbox("", label="Negative prompt", lines=1, max_lines=4)
    return Column(column, picture, chosen, steps, guidance, solver, negative)


def _request(
    prompt: str, seed: int, loras: tuple[Lora, ...], control: tuple[Control, ...], session: str, fields: tuple
) -> GenerateRequest:
    model, steps, guidance, solver, negative = fields
    settings = (steps, guidance, seed, 1, negative, solver, loras, control)
    return GenerateRequest(prompt, model or "", *settings, session=session)


def _compare(studio: Studio) -> Callable:
    def run(
        turn: Turn, prompt: str, seed: int, count: int, rows: Any, follows: Any, asked_by: gr.Request, *fields
    ) -> Iterator[tuple]:
        ended = turn.begin()
        shared = read_loras(rows), read_control(follows), session_of(asked_by)
        requests = [_request(prompt, seed, *shared, fields[5 * i : 5 * i + 5]) for i in range(count)]
        titles = {id: title for title, id in studio.models()}
        attempts = [Attempt(request) for request in requests]
        unseen = (gr.skip(),) * (MOST - count)
        finished: set[int] = set()

        def work(emit: Emit, left: IsCancelled) -> None:
            compare(studio, requests, emit, lambda: left() or ended())

        yield faster(attempts, None, titles), "", *([waiting("Waiting for its turn…")] * count), *unseen
        try:
            for news in batches(work):
                if ended():
                    continue
                changed = {}
                for each in news:
                    if isinstance(each, SideProgress):
                        changed[each.index] = working(each)
                    elif isinstance(each, SideDone):
                        attempts[each.index] = each.attempt
                        changed[each.index] = outcome(each.attempt)
                        finished.add(each.index)
                arrived = any(isinstance(each, SideDone) for each in news)
                yield (
                    faster(attempts, speed_up(attempts), titles) if arrived else gr.skip(),
                    over(attempts[0], attempts[1], titles) if arrived else gr.skip(),
                    *(changed.get(i, gr.skip()) for i in range(count)),
                    *unseen,
                )
        except Cancelled:
            if turn.stopped:
                frames = [gr.skip() if i in finished else waiting("Stopped") for i in range(count)]
                yield gr.skip(), gr.skip(), *frames, *unseen
        except UserError as error:
            complain(error)
            yield OPENING, "", *([waiting("Press Compare")] * count), *unseen

    return run


def _shape(count: int) -> tuple:
    visible = [gr.Column(visible=i < count) for i in range(MOST)]
    return count, gr.Button(visible=count < MOST), gr.Button(visible=count > SHOWN), *visible


def _receive(studio: Studio) -> Callable:
    """Settings of another tab: a many-step model's become the first column, a quick one's the second.

    Where they name a model to compare with ("against"), that one is the first.
    """

    def receive(text: str, asked_by: gr.Request) -> tuple:
        try:
            found = studio.restore_sent(text, session_of(asked_by))
            loras = with_loras(studio, found.loras, asked_by)
        except UserError as error:
            complain(error)
            return (gr.skip(),) * 17
        if found.note:
            gr.Info(escape(found.note))
        solver = gr.Dropdown(studio.preset(found.model).solvers, value=found.solver)
        fields = (found.model, found.steps, found.guidance, solver, found.negative_prompt)
        against = json.loads(text).get("against")
        if against in (id for _, id in studio.models()):
            preset = studio.preset(against)
            solvers = gr.Dropdown(preset.solvers, value=preset.solvers[0][1])
            other, first = (against, preset.steps, preset.guidance, solvers, ""), False
        else:
            other = (gr.skip(),) * 5
            first = studio.registry.card(found.model).kind == "diffusion"
        sides = (*fields, *other) if first else (*other, *fields)
        plugged = loras, followed_rows(found.control)
        return (
            found.prompt,
            found.seed,
            True,
            *plugged,
            f"go:{text}",
            gr.Tabs(selected="side-by-side"),
            *sides,
        )

    return receive
