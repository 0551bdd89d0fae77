"""Trajectory: how each model goes from the same noise to its picture, as film strips, two charts and words.

Every wish, from the button to an example, changes one hidden text, the cue; its change asks the server, and
ends what is under way.
"""

from collections.abc import Iterator, Sequence
from html import escape

import gradio as gr
from PIL import Image

from rf_app.actions import words
from rf_app.actions.application import Application
from rf_app.actions.compare import best_of_kinds
from rf_app.actions.progress import Events
from rf_app.actions.run import LatestRun
from rf_app.actions.trajectory import (
    FRAMES,
    STEPS,
    Followed,
    TrajectorySettings,
    in_words,
    number,
    trajectory,
)
from rf_app.pipeline.trajectory import Trajectory
from rf_app.plugins.picture import encoded
from rf_app.schedulers.solvers import FOLLOWED
from rf_app.settings.picture import PictureSettings
from rf_app.ui.api import seen_by
from rf_app.ui.compare.side_by_side import EXAMPLES
from rf_app.ui.parts.chart import Axis, Point, Series, chart
from rf_app.ui.parts.colours import colour_of
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import PAGE_ONLY, RUN, in_browser
from rf_app.ui.parts.fields import text_field
from rf_app.ui.parts.image import data_url
from rf_app.ui.parts.model_form import steps_slider
from rf_app.ui.parts.plug_ins import PlugIns
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.seed_row import seed_field
from rf_app.ui.parts.send import send_button
from rf_app.ui.parts.streaming import stops, stream

OPENING = (
    '<div class="lead"><p>Every model starts from the same noise, and at each moment it already has an idea '
    "of the picture where it will end. On a straight path that idea is right from the start, and one step is "
    "enough; on a curved path it keeps changing.</p></div>"
)

STRAIGHTNESS = "How far the path strays from a straight line; 0 is straight, and then one step is enough."


def build(app: Application, page: Page, plugs: PlugIns, tab: gr.Tab) -> None:
    """Lay the panel out and connect it, inside `tab`; opened for the first time, it shows its example, if
    that is there at once.

    plugs: what all models draw with.
    """
    with gr.Column(elem_id="trajectory", elem_classes="study"):
        with gr.Row(elem_classes="wish"):
            prompt = text_field(EXAMPLES[0][1], "Prompt", "trajectory-prompt", scale=4)
            seed = seed_field(EXAMPLES[0][2], elem_id="trajectory-seed")
            steps = steps_slider(STEPS, "trajectory-steps")
        models = gr.Dropdown(
            app.models(),
            value=best_of_kinds(app.registry, FOLLOWED),
            multiselect=True,
            label="Models",
            elem_id="trajectory-models",
        )
        with gr.Row(elem_classes="acts"):
            run = gr.Button("Follow the path", variant="primary", min_width=150, elem_id="trajectory-run")
            stop = gr.Button("Stop", min_width=80, elem_id="trajectory-stop")
            examples = [
                gr.Button(title, size="sm", min_width=110, elem_classes="chip") for title, _, _ in EXAMPLES
            ]
        line = gr.HTML("", elem_id="trajectory-way")
        shown = gr.HTML(OPENING, elem_id="trajectory-shown")
    page.lists.append(models)
    cue = gr.Textbox("", visible="hidden")
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    def follow(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        own, found, waits = seen_by(app, asked_by), [], []

        def show(event: Followed) -> Updates:
            found.append(event)
            return {shown: strips_and_charts(found)}

        def events() -> Events[Followed]:
            wish = values[prompt], tuple(values[models]), values[steps], values[seed]
            if values[cue].startswith("opening"):
                sides = [PictureSettings(values[prompt], model, values[steps]) for model in values[models]]
                waits.extend(filter(None, map(own.keeps_waiting, sides)))
            if not waits:
                yield from trajectory(own, TrajectorySettings(*wish, **plugs.read(values)))

        def said() -> str:
            return f"{waits[0]}: press Follow the path" if waits else ""

        yield from stream(events(), values[latest], line, show, said, values[number])

    wish = {latest, cue, prompt, models, steps, seed, *plugs.inputs, number}
    cue.change(follow, wish, [line, shown], **RUN)
    tab.select(js=browser("once"), inputs=[cue], outputs=[cue], **PAGE_ONLY)
    in_browser([run.click, prompt.submit], "again", outputs=[cue])
    for button, (_, *values) in zip(examples, EXAMPLES, strict=True):
        button.click(js=browser("fill", *values), outputs=[prompt, seed, cue], **PAGE_ONLY)
    stops(stop, latest)


def strips_and_charts(found: Sequence[Followed]) -> str:
    """Words, strips and charts of what has been followed so far."""
    said = in_words(found)
    lead = f'<div class="lead"><p>{escape(said)}</p></div>' if said else ""
    strips = "".join(map(_strip, found))
    ways = [(each.title, _colour(each), each.trajectory) for each in found if each.trajectory]
    charts = f'<div class="charts">{_curves(ways)}{_paths(ways)}</div>' if ways else ""
    return f'{lead}<div class="strips">{strips}</div>{charts}'


def _colour(each: Followed) -> str:
    return colour_of(each.attempt.settings.model)


def _strip(each: Followed) -> str:
    head = f'<h4 class="{_colour(each)}">{escape(each.title)}'
    way = each.trajectory
    if way is None:
        return f'<section>{head}</h4><p class="problem">{escape(each.attempt.error)}</p></section>'
    noise, *foreseen = each.images
    frames = _frame(noise, 1, "noise, before the first step") + "".join(
        _frame(image, 2 + round(tau * (FRAMES - 1)), f"{_when(tau, way.steps)}, τ = {tau:.2g}")
        for image, tau in zip(foreseen, way.taus, strict=True)
    )
    straight = f'<span title="{STRAIGHTNESS}">straightness S = {number(way.straightness)}</span>'
    about = f"<small>{words.steps(way.steps)}, {straight}</small>"
    if not each.repeatable:
        about += "<small>On other tabs its own solver draws it, a little differently.</small>"
    file = each.strip
    address, name = data_url(file.content), escape(file.name)
    links = (
        f'<span class="links"><a class="save" href="{address}" download="{name}">Save strip</a>'
        f"{send_button('generate', each.settings)}{send_button('interpolate', each.settings)}</span>"
    )
    strip = f'<div class="strip" tabindex="0"><div>{frames}</div></div>'
    return f"<section>{head}{about}{links}</h4>{strip}</section>"


def _frame(image: Image.Image, column: int, text: str) -> str:
    src = data_url(encoded(image, compress_level=1))
    return (
        f'<figure style="grid-column:{column}"><img src="{src}" alt="">'
        f"<figcaption>{text}</figcaption></figure>"
    )


def _when(tau: float, steps: int) -> str:
    """The step that foresees the picture at this moment."""
    return "the picture" if tau == 1 else f"step {round(tau * steps) + 1}"


Shown = tuple[str, str, Trajectory]  # title, colour, way


def _curves(ways: Sequence[Shown]) -> str:
    def points(title: str, curve: Sequence[float]) -> list[Point]:
        # Between two moments an Euler step holds its velocity: so does the line, up to the end.
        moments = [(i / len(curve), value) for i, value in enumerate((*curve, curve[-1]))]
        return [Point(tau, value, f"{title}, τ = {tau:.2f}: {number(value)}") for tau, value in moments]

    series = [Series(title, colour, points(title, way.curve)) for title, colour, way in ways]
    top = max(point.y for each in series for point in each.points) * 1.05 or 1
    return chart(
        "Where the path bends",
        series,
        Axis("time τ, from noise (0) to picture (1)", 0, 1),
        Axis("how much it bends: ‖velocity − straight line‖²; 0 is straight", 0, top, scale="sqrt"),
    )


def _paths(ways: Sequence[Shown]) -> str:
    def points(title: str, path: Sequence[tuple[float, float]]) -> list[Point]:
        return [
            Point(x, y, f"{title}, τ = {i / (len(path) - 1):.2f}: {y:+.3f} beside the straight line")
            for i, (x, y) in enumerate(path)
        ]

    series = [Series(title, colour, points(title, way.path)) for title, colour, way in ways]
    xs, ys = ([getattr(point, axis) for each in series for point in each.points] for axis in "xy")
    x = Axis("along the straight line, from noise (0) to picture (1)", min(xs) - 0.05, max(xs) + 0.05)
    y = Axis("beside it, where the path strays most", min(-0.1, *ys) - 0.02, max(0.2, *ys) + 0.05)
    # One unit is as long upwards as it is along: what looks straight is straight.
    return chart("The path from above", series, x, y, height=394 * (y.high - y.low) / (x.high - x.low))
