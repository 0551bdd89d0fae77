"""ControlNets on the Generate tab: draw, upload or take a picture, see its condition map, set how it acts.

Each of the two units keeps the picture and, while it is on, the finished `Control` as the visitor's state: a
wish for pictures takes these and nothing else.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.examples import Example, examples
from rf_app.errors import UserError
from rf_app.metrics.edges import HIGH, LOW
from rf_app.plugins.picture import read_base64, read_picture
from rf_app.plugins.preprocessors import MAX_THRESHOLD, suggested
from rf_app.settings.picture import MAX_CONTROLS, MAX_STRENGTH, Control
from rf_app.ui.generate.sketch import sketch
from rf_app.ui.parts.complaint import complain
from rf_app.ui.parts.explained import EXPLAINED
from rf_app.ui.parts.image import data_url, icon
from rf_app.ui.parts.left_out import left_out

PREPROCESSORS = [
    ("Edges (canny)", "canny"),
    ("Lines of a drawing", "scribble"),
    ("Depth", "depth"),
    ("Poses (openpose)", "openpose"),
    ("The picture is such a map", "none"),
]
NET = "What has learned to hold a model to a drawing."
HOW = "The picture is made into a map of its edges, its depth or a pose; that map is followed."
PNG_URL = "data:image/png;base64,"
EMPTY = '<div class="map blank">The map appears here</div>'
NONE_HERE = (
    "<p>No ControlNet is here yet. Train one with <code>python -m trainers.controlnet</code>, or put the "
    "folder of any SD 1.5 ControlNet into <code>controlnets/</code> beside your models.</p>"
)
Values = dict[gr.Component, Any]


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
    picture: gr.State  # the picture as a data URL, or ""
    control: gr.State  # the Control while it is on, or None

    @property
    def fields(self) -> list[gr.Component]:
        """What a person sets."""
        return [
            self.on,
            self.net,
            self.preprocessor,
            self.low,
            self.high,
            self.strength,
            self.start,
            self.end,
        ]

    @property
    def parts(self) -> list[gr.Component]:
        """All of them."""
        return list(vars(self).values())

    def mapped(self, app: Application, values: Values) -> Values:
        """What follows from the fields: map and control. Raises UserError for a bad picture or threshold."""
        url, how, net = values[self.picture], values[self.preprocessor], values[self.net]
        control = Control(
            net or "",
            url,
            how,
            values[self.low],
            values[self.high],
            values[self.strength],
            values[self.start],
            values[self.end],
        )
        control = app.with_map(control, values["model"]) if url else None
        return {
            self.preview: _view(control.image if control else ""),
            self.thresholds: gr.Row(visible=how == "canny"),
            self.control: control if values[self.on] and net else None,
        }

    def drawn(self, app: Application, values: Values, url: str) -> Values:
        """For a picture that is new: it is on at once, and a drawing is made into a map as drawings are."""
        asked_for, before = asked_preprocessor(app, values[self.net]), values[self.picture]
        with app.one_picture:
            kinds = [
                suggested(read_picture(read_base64(each)), asked_for) if each else None
                for each in (before, url)
            ]
        changed: Values = {self.picture: url, self.on: values[self.on] or bool(url and not before)}
        if kinds[1] not in (kinds[0], None):
            changed[self.preprocessor] = kinds[1]
        return changed | self.mapped(app, values | changed)

    def show(self, app: Application, control: Control | None) -> Values:
        """The parts for a picture's control: its map stands in the place of what it was made of."""
        if control is None:
            return {self.on: False, self.control: None}
        url = PNG_URL + control.image
        return {
            self.on: True,
            self.sketch: url,
            self.preview: _view(control.image),
            self.net: gr.Dropdown(choices=_choices(app), value=control.model),
            self.preprocessor: "none",
            self.thresholds: gr.Row(visible=False),
            self.strength: control.strength,
            self.start: control.start,
            self.end: control.end,
            self.picture: url,
            self.control: control,
        }


@dataclass(frozen=True)
class ControlPanel:
    """What the Generate tab connects."""

    units: tuple[Unit, ...]
    none_here: gr.HTML
    problems: gr.HTML
    accordion: gr.Accordion
    buttons: tuple[gr.Button, ...]
    drawings: tuple[Example, ...]
    sent: gr.Textbox  # a moment and a picture's data URL

    @property
    def inputs(self) -> list[gr.State]:
        """What `read` needs."""
        return [unit.control for unit in self.units]

    @property
    def parts(self) -> list[gr.Component]:
        """What `show` changes."""
        return [self.accordion, *(part for unit in self.units for part in unit.parts)]

    def read(self, values: Values) -> tuple[Control, ...]:
        """The controls that are on."""
        return tuple(values[unit.control] for unit in self.units if values[unit.control])

    def show(self, app: Application, controls: tuple[Control, ...]) -> Values:
        """The panel for the controls of a picture."""
        shown: Values = {self.accordion: gr.Accordion(open=True)} if controls else {}
        for i, unit in enumerate(self.units):
            shown |= unit.show(app, controls[i] if i < len(controls) else None)
        return shown

    def connect(
        self,
        app: Application,
        page: gr.Blocks,
        model: gr.Dropdown,
        live: gr.Checkbox,
        prompt: gr.Textbox,
        seed: gr.Number,
        cue: gr.Textbox,
    ) -> None:
        """Connect the panel to the tab it is on."""
        quiet = {"show_progress": "hidden", "trigger_mode": "always_last", "api_visibility": "private"}
        around = {model, live, prompt}

        def changing(change: Callable[[Values], Values]) -> Callable[[Values], Values]:
            """The handler that makes `change`, and the next picture while typing draws."""

            def changed(values: Values) -> Values:
                try:
                    shown = change(values | {"model": values[model]})
                except UserError as error:
                    complain(error)
                    return gr.skip()
                now = {cue: f"live:{time.time_ns()}:{values[prompt]}"} if values[live] else {}
                return now | shown

            return changed

        for unit in self.units:
            shown = [
                unit.picture,
                unit.on,
                unit.preprocessor,
                unit.preview,
                unit.thresholds,
                unit.control,
                cue,
            ]
            inputs = {unit.picture, *unit.fields, *around}
            unit.sketch.input(
                changing(lambda values, unit=unit: unit.drawn(app, values, values[unit.sketch])),
                inputs | {unit.sketch},
                shown,
                **quiet,
            )
            mapped = {
                "fn": changing(lambda values, unit=unit: unit.mapped(app, values)),
                "inputs": inputs,
                "outputs": shown,
            }
            gr.on([part.input for part in unit.fields if part is not unit.net], **mapped, **quiet)
            unit.net.input(
                lambda net: asked_preprocessor(app, net), unit.net, unit.preprocessor, **quiet
            ).then(**mapped, **quiet)

        # ControlNets may have come since the page was built.
        nets = [unit.net for unit in self.units]
        gr.on(
            [page.load, *(net.focus for net in nets)],
            lambda values: self._refreshed(app, values),
            set(nets),
            [self.none_here, self.problems, *nets],
            show_progress="hidden",
            api_visibility="private",
        )

        first = self.units[0]
        inputs = {first.picture, *first.fields, *around}
        shown = [
            first.picture,
            first.on,
            first.preprocessor,
            first.preview,
            first.thresholds,
            first.control,
            cue,
        ]

        def taken(values: Values) -> Values:
            """A picture of the page, sent with the moment before it."""
            url = values[self.sent].partition(" ")[2]
            opened = {first.sketch: url, self.accordion: gr.Accordion(open=True)}
            return opened | first.drawn(app, values, url)

        self.sent.change(
            changing(taken), inputs | {self.sent}, [first.sketch, self.accordion, *shown], **quiet
        )
        for button, example in zip(self.buttons, self.drawings, strict=True):

            def followed(values: Values, example: Example = example) -> Values:
                url = data_url(example.path.read_bytes())
                drawn = first.drawn(app, values | {first.on: True}, url)
                asked = {prompt: example.prompt, seed: example.seed}
                return {first.sketch: url} | asked | drawn | {cue: f"live:{time.time_ns()}:{example.prompt}"}

            button.click(changing(followed), inputs, [first.sketch, prompt, seed, *shown], **quiet)

    def _refreshed(self, app: Application, chosen: Values) -> Values:
        choices = _choices(app)
        first = choices[0][1] if choices else None
        return {
            self.none_here: gr.HTML(visible=not choices),
            self.problems: left_out(app.controlnets),
            **{net: gr.Dropdown(choices=choices, value=value or first) for net, value in chosen.items()},
        }


def build(app: Application, drawings: Path) -> ControlPanel:
    """Lay the panel out, inside the Blocks at hand; drawings: a folder of pictures to begin with."""
    shown = tuple(examples(drawings))
    with gr.Accordion("Follow a drawing or picture (ControlNet)", open=False, elem_id="control") as accordion:
        none_here = gr.HTML(NONE_HERE, visible=not _choices(app))
        with gr.Row(elem_id="control-examples"):
            buttons = tuple(
                gr.Button(each.title, icon=icon(each.path), elem_classes="example", min_width=60)
                for each in shown
            )
        first = _unit(app, 1)
        problems = left_out(app.controlnets, elem_id="control-problems")
        with gr.Accordion("A second one", open=False, elem_id="control-more"):
            others = [_unit(app, i) for i in range(2, MAX_CONTROLS + 1)]
    sent = gr.Textbox("", visible="hidden", elem_id="sent-control")
    return ControlPanel((first, *others), none_here, problems, accordion, buttons, shown, sent)


def _unit(app: Application, i: int) -> Unit:
    cards = app.controlnets.cards()
    preprocessor = cards[0].preprocessor if cards else "canny"
    id = f"control-{i}"
    with gr.Column(elem_id=id, elem_classes="control"):
        on = gr.Checkbox(False, label="Follow it", elem_id=f"{id}-on", container=False)
        with gr.Row(elem_classes="boards"):
            drawn = sketch(f"{id}-sketch")
            preview = gr.HTML(EMPTY, elem_id=f"{id}-map")
        with gr.Row(elem_classes="pair"):
            net = gr.Dropdown(
                _choices(app),
                value=cards[0].id if cards else None,
                label="Followed by (ControlNet)",
                info=NET,
                filterable=False,
                elem_id=f"{id}-net",
                elem_classes=EXPLAINED,
            )
            how = gr.Dropdown(
                PREPROCESSORS,
                value=preprocessor,
                label="What is followed",
                info=HOW,
                filterable=False,
                elem_id=f"{id}-preprocessor",
                elem_classes=EXPLAINED,
            )
        with gr.Row(elem_classes="pair", visible=preprocessor == "canny") as thresholds:
            low = _slider("Faint edges (low threshold)", MAX_THRESHOLD, LOW, 1, f"{id}-low")
            high = _slider("Clear edges (high threshold)", MAX_THRESHOLD, HIGH, 1, f"{id}-high")
        strength = _slider("Strength", MAX_STRENGTH, 1, 0.05, f"{id}-strength")
        with gr.Row(elem_classes="pair"):
            start = _slider("From (0: first step)", 1, 0, 0.05, f"{id}-start")
            end = _slider("Until (1: last step)", 1, 1, 0.05, f"{id}-end")
        states = gr.State(""), gr.State(None)
    return Unit(on, drawn, preview, net, how, thresholds, low, high, strength, start, end, *states)


def asked_preprocessor(app: Application, net: str) -> str:
    """The preprocessor that a ControlNet was trained with."""
    return next((card.preprocessor for card in app.controlnets.cards() if card.id == net), "canny")


def _slider(label: str, most: float, value: float, step: float, id: str) -> gr.Slider:
    return gr.Slider(0, most, value, step=step, label=label, buttons=[], elem_id=id)


def _choices(app: Application) -> list[tuple[str, str]]:
    return [(card.title, card.id) for card in app.controlnets.cards()]


def _view(text: str) -> str:
    """The map as a person sees it; `text` is ours."""
    if not text:
        return EMPTY
    return f'<img class="map" src="{PNG_URL}{escape(text)}" alt="The condition map">'
