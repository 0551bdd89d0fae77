"""The Flow lab tab: the stage beside what the experiment is made of, and below what was found.

The part that chooses holds the wish, and its `input` asks for it. Opened for the first time the tab shows an
example that was calculated before: `make flow-example` writes it.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions import flow_lab
from rf_app.actions.application import Application
from rf_app.actions.asking import asking
from rf_app.actions.flow_experiments import Coupled, Drawing, Tried
from rf_app.actions.progress import Events
from rf_app.actions.run import LatestRun
from rf_app.errors import UserError
from rf_app.ui.api import endpoint, seen_by
from rf_app.ui.flow_lab.chooser import chooser
from rf_app.ui.flow_lab.stage import stage
from rf_app.ui.flow_lab.view import OPENING, found
from rf_app.ui.parts.context import Page, Updates
from rf_app.ui.parts.events import PAGE_ONLY, QUIET, RUN
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.streaming import stops, stream

EXAMPLE = Path(__file__).with_name("example.json")


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it; with the endpoint of the same action."""
    with gr.Column(elem_id="flow-lab", elem_classes="study"):
        with gr.Column(elem_id="flow-side"):
            gr.HTML(OPENING)
            points = stage()
            line = gr.HTML("", elem_id="flow-way")
            stop = gr.Button("Stop", min_width=80, elem_id="flow-stop")
        wish = chooser()
        shown = gr.HTML("", elem_id="flow-shown")
    cue = gr.Textbox("", visible="hidden")
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    def experiment(latest: LatestRun, wished: Any, number: int, asked_by: gr.Request) -> Iterator[Updates]:
        own, results = seen_by(app, asked_by), []

        def events() -> Events[Any]:
            if not isinstance(wished, dict):
                raise UserError("The page sends no such wish.")
            action = asking(flow_lab)
            yield from action.act(own, action.wish(wished))

        def show(result: Any) -> Updates:
            results.append(result)
            if len(results) == 1:
                return {points: {}, shown: ""}
            return shown_now(results)

        yield from stream(events(), latest, line, show, number=number)

    def shown_now(results: list[Any]) -> Updates:
        return {points: flow_lab.answer(app, results), shown: _found(results)}

    def example() -> Updates:
        found = shown_now(kept())
        return found | {points: found[points] | {"shown": 1}}  # whose paths one sees bend

    wish.input(experiment, [latest, wish, number], [line, points, shown], **RUN)
    cue.change(example, None, [points, shown], trigger_mode="multiple", **QUIET)
    page.tab.select(js=browser("firstFlow"), inputs=[cue], outputs=[cue], **PAGE_ONLY)
    stops(stop, latest)
    endpoint(app, flow_lab)


def kept() -> list[Any]:
    """The results of the example, as the action gave them."""
    saved = json.loads(EXAMPLE.read_text(encoding="utf-8"))
    couplings = [
        Coupled(**each | {"solvers": [Tried(**tried) for tried in each["solvers"]]})
        for each in saved["couplings"]
    ]
    return [flow_lab.FlowLab(**saved["wish"]), *couplings]


def _found(results: list[Any]) -> str:
    return found(
        results[0].seed,
        *([each for each in results if isinstance(each, kind)] for kind in (Coupled, Drawing)),
    )
