"""Quality and cost: what the models can do and what it takes by their cards, and a small measurement."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

import gradio as gr

from rf_app.actions import words
from rf_app.actions.application import Application
from rf_app.actions.measure import Figures, Measure, Measured, figures, in_words, measure
from rf_app.actions.progress import Events
from rf_app.actions.run import LatestRun
from rf_app.ui.api import seen_by
from rf_app.ui.parts.chart import Axis, Point, Series, chart
from rf_app.ui.parts.colours import colour_of
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import LATEST, QUIET
from rf_app.ui.parts.model_form import model_list, steps_slider
from rf_app.ui.parts.plug_ins import PlugIns
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.streaming import stops, stream
from rf_app.ui.waiting import LONG_WORK

SIZES = (32, 64, 128, 256)
NOTHING = (
    "No model carries measured figures yet. Measure one below, or all of them, with more prompts, by "
    "“python -m trainers.evaluate --write-card”."
)


def build(app: Application, page: Page, plugs: PlugIns, tab: gr.Tab) -> None:
    """Lay the panel out and connect it, inside `tab`; plugs: the LoRAs that are measured along."""
    first = app.first_model()
    with gr.Column(elem_id="quality", elem_classes="study"):
        cards = gr.HTML(_known(app), elem_id="quality-known")
        with gr.Row(elem_classes="wish"):
            model = model_list(app, first, "Measure", scale=2, elem_id="quality-model")
            steps = steps_slider(app.preset(first).steps, "quality-steps")
            prompts = gr.Radio(
                list(SIZES), value=SIZES[1], label="Pictures", scale=2, elem_id="quality-prompts"
            )
        with gr.Row(elem_classes="acts"):
            run = gr.Button("Measure", variant="primary", min_width=150, elem_id="quality-run")
            stop = gr.Button("Stop", min_width=80, elem_id="quality-stop")
        line = gr.HTML("", elem_id="quality-way")
        result = gr.HTML("", elem_id="quality-result")
    page.lists.append(model)
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    def measured(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        def events() -> Events[Measured]:
            given = plugs.read(values)
            if given["control"]:
                gr.Info("Measured without ControlNets: every prompt would follow the same picture.")
            wish = Measure(values[model], values[prompts], values[steps], given["loras"])
            yield from measure(seen_by(app, asked_by), wish)

        yield from stream(
            events(), values[latest], line, lambda found: {result: _result(found)}, number=values[number]
        )

    @complaining
    def own_steps(model: str) -> int:
        return app.preset(model).steps

    wish = {latest, model, steps, prompts, *plugs.inputs, number}
    run.click(measured, wish, [line, result], js=browser("numbered"), **LONG_WORK, **QUIET)
    stops(stop, latest)
    model.input(own_steps, model, steps, **LATEST)
    # Measured since the page was opened: what is on disk is what is shown.
    tab.select(lambda: _known(app), outputs=cards, **QUIET)


def _known(app: Application) -> str:
    cards = {card.id: card for card in app.registry.cards()}  # one may come or go between the two looks
    return known(figures([cards[id] for _, id in app.models() if id in cards]))


def known(rows: Sequence[Figures]) -> str:
    """Words, charts and table of the cards' figures."""
    if not rows:
        return f'<div class="lead"><p>{escape(NOTHING)}</p></div>'
    by_steps = _axis([row.steps for row in rows], "steps", ticks=tuple(sorted({row.steps for row in rows})))
    by_time = _axis([row.seconds for row in rows], "seconds a picture")
    low = min(row.fidelity for row in rows)
    shown = Axis("of what the prompt states is in the picture", 100 * low * 0.95, 100, suffix="%")
    far = _axis([row.fid for row in rows], "how far its pictures are from real drawings; lower is better")
    charts = "".join(
        chart(f"{figure}, {why}", _series(rows, of, against), x, y, height=220)
        for figure, of, y in (
            ("Faithful to the prompt (fidelity)", lambda row: 100 * row.fidelity, shown),
            ("Unlike real drawings (FID)", lambda row: row.fid, far),
        )
        for why, against, x in (
            ("by steps", lambda row: row.steps, by_steps),
            ("by time", lambda row: row.seconds, by_time),
        )
    )
    return (
        f'<div class="lead"><p>{escape(in_words(rows))}</p></div><div class="charts">{charts}</div>'
        f"<details><summary>All figures</summary>{_table(rows)}</details>"
    )


def _axis(values: Sequence[float], title: str, ticks: tuple[float, ...] = ()) -> Axis:
    return Axis(title, min(values) / 1.25, max(values) * 1.25, scale="log", ticks=ticks)


def _series(
    rows: Sequence[Figures], of: Callable[[Figures], float], against: Callable[[Figures], float]
) -> list[Series]:
    def point(row: Figures) -> Point:
        said = f"{row.title}, {words.steps(row.steps)}: fidelity {row.fidelity:.1%}, FID {row.fid:.1f}, "
        return Point(against(row), of(row), said + words.duration(row.seconds))

    models = dict.fromkeys((row.model, row.title) for row in rows)
    return [
        Series(title, colour_of(model), [point(row) for row in rows if row.model == model])
        for model, title in models
    ]


def _table(rows: Sequence[Figures]) -> str:
    head = "".join(
        f"<th>{name}</th>"
        for name in ("Model", "Steps", "Guidance", "Fidelity", "FID", "One picture", "Measured on")
    )
    body = "".join(
        f"<tr><td>{escape(row.title)}</td><td>{row.steps}</td><td>{row.guidance:g}</td>"
        f"<td>{row.fidelity:.1%}</td><td>{row.fid:.1f}</td><td>{words.duration(row.seconds)}</td>"
        f"<td>{row.prompts:,} prompts</td></tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _result(found: Measured) -> str:
    bars = "".join(
        f'<li><span>{escape(name)}</span><div><i style="width:{share:.1%}"></i></div><b>{share:.0%}</b></li>'
        for name, share in found.fidelity.attributes.items()
    )
    return (
        f'<section class="measured"><h4>{escape(found.title)}<small>{words.steps(found.steps)}, guidance '
        f"{found.guidance:g}, {found.prompts} pictures</small></h4>"
        f'<div class="figures"><p><b>{found.fidelity.mean:.1%}</b>fidelity: so much of what the prompts '
        f"say is in the pictures</p><p><b>{words.duration(found.seconds)}</b>one picture</p>"
        f"<p><b>{found.fid:.0f}</b>FID: how unlike real drawings they are; "
        f"{found.prompts} of those get {found.drawings_fid:.0f}</p></div>"
        f"<ul>{bars}</ul><small>An FID of {found.prompts} pictures can be compared with others of "
        f"{found.prompts} only: fewer pictures give a larger one.</small></section>"
    )
