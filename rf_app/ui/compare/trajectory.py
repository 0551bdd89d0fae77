"""Trajectory: how each model goes from the same noise to its picture, as film strips, two charts and words.

Every wish, from the button to an example, changes one hidden text, the cue, and stops what is under way; the
cue's change asks the server.
"""

import io
from collections.abc import Callable, Iterator, Sequence
from html import escape

import gradio as gr
from PIL import Image

from rf_app.pipeline.trajectory import TrajectoryResult
from rf_app.ui.chart import COLOURS, Axis, Point, Series, chart
from rf_app.ui.cue import GO, OPEN, go_with
from rf_app.ui.long_work import long_work
from rf_app.ui.model_settings import steps_slider
from rf_app.ui.send import send_button
from rf_app.ui.side_by_side_panel import EXAMPLES
from rf_app.ui.stage import data_url
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.workflows import words
from rf_app.workflows.compare import best_of_kinds
from rf_app.workflows.generate import Studio
from rf_app.workflows.trajectory import Followed, follow, in_words, number

KINDS = ("diffusion", "rectified-flow", "one-step")  # in the order of the story
STEPS = 25
COLUMNS = 6  # frames of a strip
OPENING = (
    '<div class="lead"><p>Every model starts from the same noise, and at each moment it already has an idea '
    "of the picture where it will end. On a straight path that idea is right from the start, and one step is "
    "enough; on a curved path it keeps changing.</p></div>"
)


def build(studio: Studio, tab: gr.Tab) -> list[gr.Dropdown]:
    """Lay the panel out and connect it, inside `tab`; opened for the first time, it shows its example.

    Returns its list of models.
    """
    with gr.Column(elem_id="trajectory", elem_classes="study"):
        with gr.Row(elem_classes="wish"):
            prompt = gr.Textbox(
                EXAMPLES[0][1], label="Prompt", lines=1, max_lines=4, scale=4, elem_id="trajectory-prompt"
            )
            seed = gr.Number(
                EXAMPLES[0][2], label="Seed", precision=0, min_width=100, elem_id="trajectory-seed"
            )
            steps = steps_slider(STEPS, "trajectory-steps")
        models = gr.Dropdown(
            studio.models(),
            value=best_of_kinds(studio.registry, KINDS),
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
        way = gr.HTML("", elem_id="trajectory-way")
        shown = gr.HTML(OPENING, elem_id="trajectory-shown")
    cue = gr.Textbox("", visible="hidden")

    turn = gr.State(Turn())

    cue.change(
        _follow(studio),
        [turn, prompt, models, steps, seed],
        [way, shown],
        trigger_mode="multiple",  # it ends the one before
        show_progress="hidden",
        api_visibility="private",
        **LONG_WORK,
    )
    page_only = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}
    tab.select(js=OPEN, inputs=[cue], outputs=[cue], fn=None, api_visibility="private")
    gr.on([run.click, prompt.submit], js=GO, outputs=[cue], **page_only)
    for button, (_, *values) in zip(examples, EXAMPLES, strict=True):
        button.click(js=go_with(*values), outputs=[prompt, seed, cue], **page_only)
    stop.click(lambda turn: turn.stop(), turn, show_progress="hidden", api_visibility="private")
    return [models]


def _follow(studio: Studio) -> Callable:
    def run(turn: Turn, prompt: str, models: list[str], steps: int, seed: int) -> Iterator[tuple]:
        colours = {id: i for i, (_, id) in enumerate(studio.models())}
        yield from long_work(
            turn,
            lambda emit, ended: follow(studio.worker, prompt, models, steps, seed, emit, ended),
            lambda found: page(found, colours),
        )

    return run


def page(found: Sequence[Followed], colours: dict[str, int]) -> str:
    """Words, strips and charts of what has been followed so far; colours: a number for each model's id."""
    words = in_words(found)
    lead = f'<div class="lead"><p>{escape(words)}</p></div>' if words else ""
    strips = "".join(_strip(each, colours.get(each.model, 0)) for each in found)
    results = [(each.title, colours.get(each.model, 0), each.result) for each in found if each.result]
    charts = f'<div class="charts">{_curves(results)}{_paths(results)}</div>' if results else ""
    return f'{lead}<div class="strips">{strips}</div>{charts}'


def _strip(each: Followed, colour: int) -> str:
    head = f'<h4 class="c{colour % COLOURS}">{escape(each.title)}'
    if each.result is None:
        return f'<section>{head}</h4><p class="problem">{escape(each.problem)}</p></section>'
    result = each.result
    frames = "".join(
        f'<figure style="grid-column:{1 + round(tau * (COLUMNS - 1))}">'
        f'<img src="{data_url(_png(image))}" alt="{escape(each.title)}, foreseen at tau {tau:.2f}">'
        f"<figcaption>τ = {tau:.2g}</figcaption></figure>"
        for image, tau in zip(result.images, result.image_taus, strict=True)
    )
    about = f"<small>{words.steps(result.request.steps)}, S = {number(result.straightness)}</small>"
    if not each.repeatable:
        about += "<small>On other tabs its own solver draws it, a little differently.</small>"
    address, name = data_url(each.strip), escape(each.strip_name)
    links = (
        f'<span class="links"><a class="save" href="{address}" download="{name}">Save strip</a>'
        f"{send_button('generate', each.settings)}{send_button('interpolate', each.settings)}</span>"
    )
    strip = f'<div class="strip" tabindex="0"><div>{frames}</div></div>'
    return f"<section>{head}{about}{links}</h4>{strip}</section>"


def _png(image: Image.Image) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", compress_level=1)
    return buffer.getvalue()


Shown = tuple[str, int, TrajectoryResult]  # title, colour, result


def _curves(results: Sequence[Shown]) -> str:
    # Between two moments an Euler step holds its velocity: so does the line, up to the end.
    series = [
        Series(
            title,
            colour,
            tuple(
                Point(
                    i / len(result.curve), value, f"{title}, τ = {i / len(result.curve):.2f}: {number(value)}"
                )
                for i, value in enumerate((*result.curve, result.curve[-1]))
            ),
        )
        for title, colour, result in results
    ]
    top = max(point.y for each in series for point in each.points) * 1.05 or 1
    return chart(
        "Where the path bends",
        series,
        Axis("τ, from noise (0) to picture (1)", 0, 1),
        Axis("‖velocity − chord‖², on a square-root axis; straight is 0", 0, top, scale="sqrt"),
    )


def _paths(results: Sequence[Shown]) -> str:
    series = [
        Series(
            title,
            colour,
            tuple(
                Point(x, y, f"{title}, τ = {i / (len(result.path) - 1):.2f}: {y:+.3f} off the chord")
                for i, (x, y) in enumerate(result.path)
            ),
        )
        for title, colour, result in results
    ]
    xs, ys = ([getattr(point, axis) for each in series for point in each.points] for axis in "xy")
    x = Axis("along the chord, from noise (0) to picture (1)", min(xs) - 0.05, max(xs) + 0.05)
    y = Axis("across it, where the path strays most", min(-0.1, *ys) - 0.02, max(0.2, *ys) + 0.05)
    # One unit is as long upwards as it is along: what looks straight is straight.
    return chart("The path from above", series, x, y, height=394 * (y.high - y.low) / (x.high - x.low))
