"""Quality and cost: what the models can do and what it takes by their cards, and a small measurement."""

from collections.abc import Callable, Iterator, Sequence
from html import escape

import gradio as gr

from rf_app.errors import UserError
from rf_app.ui.chart import Axis, Point, Series, chart
from rf_app.ui.complaint import complain
from rf_app.ui.long_work import long_work
from rf_app.ui.model_settings import steps_slider
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.workflows import words
from rf_app.workflows.generate import Studio
from rf_app.workflows.quality import Figures, Measured, figures, in_words, measure

SIZES = (32, 64, 128, 256)
NOTHING = (
    "No model carries measured figures yet. Measure one below, or all of them, with more prompts, by "
    "“python -m trainers.evaluate --write-card”."
)


def build(studio: Studio, tab: gr.Tab) -> list[gr.Dropdown]:
    """Lay the panel out and connect it, inside `tab`; returns its list of models."""
    first = studio.first_model()
    with gr.Column(elem_id="quality", elem_classes="study"):
        known = gr.HTML(_known(studio), elem_id="quality-known")
        with gr.Row(elem_classes="wish"):
            model = gr.Dropdown(
                studio.models(),
                value=first,
                label="Measure",
                filterable=False,
                scale=2,
                elem_id="quality-model",
            )
            steps = steps_slider(studio.preset(first).steps, "quality-steps")
            prompts = gr.Radio(
                list(SIZES), value=SIZES[1], label="Pictures", scale=2, elem_id="quality-prompts"
            )
        with gr.Row(elem_classes="acts"):
            run = gr.Button("Measure", variant="primary", min_width=150, elem_id="quality-run")
            stop = gr.Button("Stop", min_width=80, elem_id="quality-stop")
        way = gr.HTML("", elem_id="quality-way")
        result = gr.HTML("", elem_id="quality-result")

    private = {"show_progress": "hidden", "api_visibility": "private"}
    turn = gr.State(Turn())
    run.click(
        _measure(studio),
        [turn, model, steps, prompts],
        [way, result],
        **LONG_WORK,
        **private,
    )
    stop.click(lambda turn: turn.stop(), turn, **private)
    model.input(_own_steps(studio), model, steps, trigger_mode="always_last", **private)
    # Measured since the page was opened: what is on disk is what is shown.
    tab.select(lambda: _known(studio), outputs=known, **private)
    return [model]


def _measure(studio: Studio) -> Callable:
    def run(turn: Turn, model: str, steps: int, prompts: int) -> Iterator[tuple]:
        yield from long_work(
            turn,
            lambda emit, ended: measure(studio.worker, model, prompts, steps, emit, ended),
            lambda found: _result(found[0]),
        )

    return run


def _own_steps(studio: Studio) -> Callable:
    def own_steps(model: str):
        try:
            return studio.preset(model).steps
        except UserError as error:
            complain(error)
            return gr.skip()

    return own_steps


def _known(studio: Studio) -> str:
    order = {id: i for i, (_, id) in enumerate(studio.models())}
    cards = sorted(studio.registry.cards(), key=lambda card: order[card.id])
    return known(figures(cards), order)


def known(rows: Sequence[Figures], colours: dict[str, int]) -> str:
    """Words, charts and table of the cards' figures; colours: a number for each model's id."""
    if not rows:
        return f'<div class="lead"><p>{escape(NOTHING)}</p></div>'
    by_steps = _axis([row.steps for row in rows], "steps", ticks=tuple(sorted({row.steps for row in rows})))
    by_time = _axis([row.seconds for row in rows], "seconds a picture")
    low = min(row.fidelity for row in rows)
    shown = Axis("of what the prompt states is in the picture", 100 * low * 0.95, 100, suffix="%")
    far = _axis([row.fid for row in rows], "Fréchet distance to drawings, lower is better")
    charts = "".join(
        chart(f"{figure} {why}", _series(rows, colours, of, against), x, y, height=220)
        for figure, of, y in (
            ("Fidelity", lambda row: 100 * row.fidelity, shown),
            ("FID", lambda row: row.fid, far),
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
    rows: Sequence[Figures],
    colours: dict[str, int],
    of: Callable[[Figures], float],
    against: Callable[[Figures], float],
) -> list[Series]:
    models = list(dict.fromkeys((row.model, row.title) for row in rows))
    return [
        Series(
            title,
            colours[model],
            tuple(
                Point(
                    against(row),
                    of(row),
                    f"{title}, {words.steps(row.steps)}: fidelity {row.fidelity:.1%}, FID {row.fid:.1f}, "
                    f"{words.duration(row.seconds)}",
                )
                for row in rows
                if row.model == model
            ),
        )
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
        f'<div class="figures"><p><b>{found.fidelity.mean:.1%}</b>fidelity: the judge sees what the prompts '
        f"state</p><p><b>{words.duration(found.seconds)}</b>one picture</p>"
        f"<p><b>{found.fid:.0f}</b>FID; {found.prompts} real drawings get {found.drawings_fid:.0f}</p></div>"
        f"<ul>{bars}</ul><small>An FID of {found.prompts} pictures can be compared with others of "
        f"{found.prompts} only: fewer pictures give a larger one.</small></section>"
    )
