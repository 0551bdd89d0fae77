"""ControlNets on the Generate tab: draw, upload or take a picture, see its condition map, set how it acts.

Each of the two units keeps the picture and, while it is on, the finished `Control` as the visitor's state: a
request for pictures takes these and nothing else.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from rf_app.errors import UserError
from rf_app.metrics.edges import HIGH, LOW
from rf_app.pipeline.requests import MAX_CONTROLS, MAX_STRENGTH, Control
from rf_app.plugins.picture import read_base64, read_picture
from rf_app.plugins.preprocessors import MAX_THRESHOLD, suggested
from rf_app.registry.controlnets import ControlNets
from rf_app.ui.complaint import complain
from rf_app.ui.cue import cue_for
from rf_app.ui.sketch import sketch
from rf_app.ui.stage import data_url
from rf_app.workflows.control import controlnets
from rf_app.workflows.examples import Example
from rf_app.workflows.generate import Studio

PREPROCESSORS = [
    ("Edges (canny)", "canny"),
    ("Lines of a drawing", "scribble"),
    ("Depth", "depth"),
    ("Poses (openpose)", "openpose"),
    ("None: it is a map", "none"),
]
PNG_URL = "data:image/png;base64,"
MAX_PROBLEM = 300  # characters
EMPTY = '<div class="map blank">The map appears here</div>'
NONE_HERE = (
    "<p>No ControlNet is here yet. Train one with <code>python -m trainers.controlnet</code>, or put the "
    "folder of any SD 1.5 ControlNet into <code>controlnets/</code> beside your models.</p>"
)


@dataclass(frozen=True)
class Unit:
    """The parts of one control."""

    on: gr.Checkbox
    sketch: gr.HTML
    preview: gr.HTML
    net: gr.Dropdown
    preprocessor: gr.Dropdown
    thresholds: gr.Row
    low: gr.Slider
    high: gr.Slider
    strength: gr.Slider
    start: gr.Slider
    end: gr.Slider
    picture: gr.State  # the bytes of its PNG, or b""
    control: gr.State  # the Control while it is on, or None

    @property
    def settings(self) -> list[gr.Component]:
        """In the order of `_control`."""
        return [self.net, self.preprocessor, self.low, self.high, self.strength, self.start, self.end]

    @property
    def filled(self) -> list[gr.Component]:
        """In the order of `fill`."""
        return [
            self.on,
            self.sketch,
            self.preview,
            *self.settings,
            self.thresholds,
            self.picture,
            self.control,
        ]


@dataclass(frozen=True)
class ControlPanel:
    """What the Generate tab connects: `controls` goes into a request, `filled` takes what `fill` gives."""

    units: tuple[Unit, ...]
    none_here: gr.HTML
    problems: gr.HTML
    accordion: gr.Accordion
    examples: tuple[gr.Button, ...]

    @property
    def controls(self) -> list[gr.State]:
        """The state of each unit: a Control or None."""
        return [unit.control for unit in self.units]

    @property
    def filled(self) -> list[gr.Component]:
        """All parts, in the order of `fill`."""
        return [self.accordion, *(part for unit in self.units for part in unit.filled)]


def build(studio: Studio, drawings: Sequence[Example]) -> ControlPanel:
    """Lay the panel out, inside the Blocks at hand; drawings: pictures to begin with."""
    with gr.Accordion("ControlNet: follow a drawing or picture", open=False, elem_id="control") as accordion:
        none_here = gr.HTML(NONE_HERE, visible=not _choices(studio))
        with gr.Row(elem_id="control-examples"):
            buttons = tuple(
                gr.Button(each.title, icon=each.path, elem_classes="example", min_width=60)
                for each in drawings
            )
        first = _unit(studio, 1)
        problems = _problems(studio)
        with gr.Accordion("A second one", open=False, elem_id="control-more"):
            others = [_unit(studio, i) for i in range(2, MAX_CONTROLS + 1)]
    return ControlPanel((first, *others), none_here, problems, accordion, buttons)


def _unit(studio: Studio, i: int) -> Unit:
    cards = controlnets(studio.registry)
    preprocessor = cards[0].preprocessor if cards else "canny"
    id = f"control-{i}"
    with gr.Column(elem_id=id, elem_classes="control"):
        on = gr.Checkbox(False, label="Follow it", elem_id=f"{id}-on", container=False)
        with gr.Row(elem_classes="boards"):
            drawn = sketch(f"{id}-sketch")
            preview = gr.HTML(EMPTY, elem_id=f"{id}-map")
        with gr.Row(elem_classes="pair"):
            net = gr.Dropdown(
                _choices(studio),
                value=cards[0].id if cards else None,
                label="ControlNet",
                filterable=False,
                elem_id=f"{id}-net",
            )
            how = gr.Dropdown(
                PREPROCESSORS,
                value=preprocessor,
                label="Made into a map by",
                filterable=False,
                elem_id=f"{id}-preprocessor",
            )
        with gr.Row(elem_classes="pair", visible=preprocessor == "canny") as thresholds:
            low = _slider("Low threshold", 0, MAX_THRESHOLD, LOW, 1, f"{id}-low")
            high = _slider("High threshold", 0, MAX_THRESHOLD, HIGH, 1, f"{id}-high")
        strength = _slider("Strength", 0, MAX_STRENGTH, 1, 0.05, f"{id}-strength")
        with gr.Row(elem_classes="pair"):
            start = _slider("Acts from", 0, 1, 0, 0.05, f"{id}-start")
            end = _slider("Acts until", 0, 1, 1, 0.05, f"{id}-end")
        states = gr.State(b""), gr.State(None)
    return Unit(on, drawn, preview, net, how, thresholds, low, high, strength, start, end, *states)


def _slider(label: str, low: float, high: float, value: float, step: float, id: str) -> gr.Slider:
    return gr.Slider(low, high, value, step=step, label=label, buttons=[], elem_id=id)


def _choices(studio: Studio) -> list[tuple[str, str]]:
    return [(card.title, card.id) for card in controlnets(studio.registry)]


def _problems(studio: Studio) -> gr.HTML:
    """Which folders are no ControlNets and why, without the way to them, which is nobody's business."""
    nets = ControlNets.beside(studio.registry)
    items = ""
    for why in nets.problems().values():
        for root in nets.folders:
            why = why.replace(f"{root}/", "")
        items += f"<li>{escape(why[:MAX_PROBLEM])}</li>"
    return gr.HTML(
        f"<p>In <code>controlnets/</code>, but not in this list:</p><ul>{items}</ul>",
        visible=bool(items),
        elem_id="control-problems",
    )


def connect(
    studio: Studio,
    panel: ControlPanel,
    drawings: Sequence[Example],
    sent: gr.Textbox,
    model: gr.Dropdown,
    live: gr.Checkbox,
    prompt: gr.Textbox,
    seed: gr.Number,
    cue: gr.Textbox,
    page: gr.Blocks,
) -> None:
    """Connect the panel to the tab it is on; `sent` takes a moment and a picture's data URL."""
    quiet = {"show_progress": "hidden", "trigger_mode": "always_last", "api_visibility": "private"}
    for unit in panel.units:
        around = [model, live, prompt]
        shown = [unit.preview, unit.thresholds, unit.control, cue]
        changed = {
            "fn": _changed(studio),
            "inputs": [unit.picture, unit.on, *unit.settings, *around],
            "outputs": shown,
        }
        unit.sketch.input(
            _drawn(studio),
            [unit.sketch, unit.picture, unit.on, *unit.settings, *around],
            [unit.picture, unit.on, unit.preprocessor, *shown],
            **quiet,
        )
        gr.on([part.input for part in (unit.on, *unit.settings) if part is not unit.net], **changed, **quiet)
        unit.net.input(_asked_for(studio), unit.net, unit.preprocessor, **quiet).then(**changed, **quiet)
    # ControlNets may have come since the page was built.
    nets = [unit.net for unit in panel.units]
    gr.on(
        [page.load, *(net.focus for net in nets)],
        _refreshed(studio),
        nets,
        [panel.none_here, panel.problems, *nets],
        show_progress="hidden",
        api_visibility="private",
    )
    first = panel.units[0]
    wish = [first.picture, first.on, *first.settings, model, live, prompt]
    taken = [first.picture, first.on, first.preprocessor, first.preview, first.thresholds, first.control, cue]
    sent.change(
        lambda sent, *values: _taken(studio, sent, *values),
        [sent, *wish],
        [first.sketch, panel.accordion, *taken],
        **quiet,
    )
    for button, example in zip(panel.examples, drawings, strict=True):
        button.click(
            lambda *values, example=example: _example(studio, example, *values),
            wish,
            [first.sketch, prompt, seed, *taken],
            **quiet,
        )


def _refreshed(studio: Studio) -> Callable:
    def refreshed(*chosen: str | None) -> list[Any]:
        choices = _choices(studio)
        first = choices[0][1] if choices else None
        return [
            gr.HTML(visible=not choices),
            _problems(studio),
            *(gr.Dropdown(choices=choices, value=each or first) for each in chosen),
        ]

    return refreshed


def acting(controls: Sequence[Control | None]) -> tuple[Control, ...]:
    """The controls that are on, for a request."""
    return tuple(control for control in controls if control)


def fill(studio: Studio, controls: Sequence[Control]) -> list[Any]:
    """The panel for the controls of a picture: its maps stand in the place of what they were made of."""
    parts: list[Any] = [gr.Accordion(open=True) if controls else gr.skip()]
    for i in range(MAX_CONTROLS):
        if i >= len(controls):
            parts += [False, *[gr.skip()] * 11, None]
            continue
        control = controls[i]
        url = PNG_URL + control.image
        net = gr.Dropdown(choices=_choices(studio), value=control.model)
        numbers = (control.strength, control.start, control.end)
        parts += [True, url, _view(control.image), net, "none", gr.skip(), gr.skip(), *numbers]
        parts += [gr.Row(visible=False), read_base64(control.image), control]
    return parts


def _drawn(studio: Studio) -> Callable:
    """For a picture that is new: it is on at once, and a drawing is made into a map as drawings are."""

    def drawn(url: str, before: bytes, on: bool, net: str, how: str, *rest: Any) -> list[Any]:
        try:
            content = read_base64(url) if url else b""
            asked_for = _asked_for(studio)(net)
            kinds = [suggested(read_picture(each), asked_for) if each else None for each in (before, content)]
        except UserError as error:
            complain(error)
            return [gr.skip()] * 7
        on = on or bool(content and not before)
        if kinds[1] not in (kinds[0], None):
            how = kinds[1]
        return [content, on, how, *_changed(studio)(content, on, net, how, *rest)]

    return drawn


def _changed(studio: Studio) -> Callable:
    """For a setting that is new: map, control, and while typing draws, the picture."""

    def changed(
        picture: bytes,
        on: bool,
        net: str,
        how: str,
        low: float,
        high: float,
        strength: float,
        start: float,
        end: float,
        model: str,
        live: bool,
        prompt: str,
    ) -> list[Any]:
        text = ""
        try:
            if picture:
                text = studio.condition_map(read_picture(picture), model, how, low=low, high=high)
        except UserError as error:
            complain(error)
            return [gr.skip()] * 4
        control = Control(net, text, strength, start, end) if on and text and net else None
        return [
            _view(text),
            gr.Row(visible=how == "canny"),
            control,
            cue_for("live", prompt) if live else gr.skip(),
        ]

    return changed


def _asked_for(studio: Studio) -> Callable[[str], str]:
    """The preprocessor that a ControlNet was trained with."""
    return lambda net: next(
        (card.preprocessor for card in controlnets(studio.registry) if card.id == net), "canny"
    )


def _taken(studio: Studio, sent: str, *values: Any) -> list[Any]:
    """A picture of the page, sent with the moment before it."""
    url = sent.partition(" ")[2]
    return [url, gr.Accordion(open=True), *_drawn(studio)(url, *values)]


def _example(studio: Studio, example: Example, *values: Any) -> list[Any]:
    url = data_url(example.path.read_bytes())
    before, _, *settings, model, _, _ = values
    drawn = _drawn(studio)(url, before, True, *settings, model, True, example.prompt)
    return [url, example.prompt, example.seed, *drawn]


def _view(text: str) -> str:
    """The map as a person sees it; `text` is ours."""
    if not text:
        return EMPTY
    return f'<img class="map" src="{PNG_URL}{escape(text)}" alt="The condition map">'
