"""What a tab's pictures follow: draw, upload or take a picture, see its condition map, set how it acts.

It keeps the picture and, while it is on, the finished `Control` as the visitor's state: a wish for pictures
takes these and nothing else.
"""

from dataclasses import dataclass
from html import escape

import gradio as gr

from rf_app.actions.application import Application
from rf_app.metrics.edges import HIGH, LOW
from rf_app.plugins.picture import decode_map, is_empty, read_base64, read_picture
from rf_app.plugins.preprocessors import MAX_THRESHOLD, suggested
from rf_app.settings.picture import MAX_STRENGTH, Control
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.fields import choice, slider
from rf_app.ui.parts.sketch import sketch

PREPROCESSORS = [
    ("Edges (canny)", "canny"),
    ("Lines of a drawing", "scribble"),
    ("Depth", "depth"),
    ("Poses (openpose)", "openpose"),
    ("The picture is such a map", "none"),
]
PICTURE = "picture"  # in the values of a tab: the settings of its picture, as far as maps go by them
NET = "What has learned to hold a model to a drawing."
HOW = "The picture is made into a map of its edges, its depth or a pose; that map is followed."
PNG_URL = "data:image/png;base64,"
EMPTY = '<div class="map blank">The map appears here</div>'
NOTHING = '<div class="map blank">The map is empty: nothing in the picture stands out</div>'


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
        return [self.on, self.net, self.preprocessor, *self.numbers]

    @property
    def numbers(self) -> list[gr.Slider]:
        """Those of a Control, in its order."""
        return [self.low, self.high, self.strength, self.start, self.end]

    @property
    def following(self) -> list[gr.Component]:
        """What follows from it, or from another picture."""
        return [self.picture, self.on, self.preprocessor, self.preview, self.thresholds, self.control]

    @property
    def parts(self) -> list[gr.Component]:
        """All of them."""
        return list(vars(self).values())

    def mapped(self, app: Application, values: Values) -> Updates:
        """What follows from the fields: map and control. Raises UserError for a bad picture or threshold."""
        url, how, net = values[self.picture], values[self.preprocessor], values[self.net]
        control = Control(net or "", url, how, *(values[each] for each in self.numbers))
        control = app.with_map(control, values[PICTURE]) if url else None
        return {
            self.preview: _view(control.image if control else ""),
            self.thresholds: gr.Row(visible=how == "canny"),
            self.control: control if values[self.on] and net else None,
        }

    def resized(self, app: Application, values: Values) -> Updates:
        """The same for pictures of another shape, which the board has, too."""
        width, height = app.size(values[PICTURE])
        return {self.sketch: gr.HTML(aspect=width / height)} | self.mapped(app, values)

    def read_by(self, app: Application, values: Values) -> Updates:
        """The same for another ControlNet, whose own kind of map is made."""
        how = asked_preprocessor(app, values[self.net])
        return {self.preprocessor: how} | self.mapped(app, values | {self.preprocessor: how})

    def drawn(self, app: Application, values: Values, url: str) -> Updates:
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

    def show(self, app: Application, control: Control | None) -> Updates:
        """The parts for a picture's control: its map stands in the place of what it was made of."""
        if control is None:
            return {self.on: False, self.control: None}
        url = PNG_URL + control.image
        width, height = decode_map(control.image).size
        return {
            self.on: True,
            self.sketch: gr.HTML(value=url, aspect=width / height),
            self.preview: _view(control.image),
            self.net: gr.Dropdown(choices=net_choices(app), value=control.model),
            self.preprocessor: "none",
            self.thresholds: gr.Row(visible=False),
            self.strength: control.strength,
            self.start: control.start,
            self.end: control.end,
            self.picture: url,
            self.control: control,
        }


def control_unit(app: Application, id: str) -> Unit:
    """Lay one out, inside the Blocks at hand; id: how the ids of its parts begin."""
    cards = app.controlnets.cards()
    preprocessor = cards[0].preprocessor if cards else "canny"
    with gr.Column(elem_id=id, elem_classes="control"):
        on = gr.Checkbox(False, label="Follow it", elem_id=f"{id}-on", container=False)
        with gr.Row(elem_classes="boards"):
            drawn = sketch(f"{id}-sketch")
            preview = gr.HTML(EMPTY, elem_id=f"{id}-map")
        with gr.Row(elem_classes="pair"):
            first = cards[0].id if cards else None
            net = choice(net_choices(app), first, "Followed by (ControlNet)", f"{id}-net", NET)
            how = choice(PREPROCESSORS, preprocessor, "What is followed", f"{id}-preprocessor", HOW)
        with gr.Row(elem_classes="pair", visible=preprocessor == "canny") as thresholds:
            low = slider(0, MAX_THRESHOLD, LOW, 1, "Faint edges (low threshold)", f"{id}-low")
            high = slider(0, MAX_THRESHOLD, HIGH, 1, "Clear edges (high threshold)", f"{id}-high")
        strength = slider(0, MAX_STRENGTH, 1, 0.05, "Strength", f"{id}-strength")
        with gr.Row(elem_classes="pair"):
            start = slider(0, 1, 0, 0.05, "From (0: first step)", f"{id}-start")
            end = slider(0, 1, 1, 0.05, "Until (1: last step)", f"{id}-end")
        states = gr.State(""), gr.State(None)
    return Unit(on, drawn, preview, net, how, thresholds, low, high, strength, start, end, *states)


def asked_preprocessor(app: Application, net: str) -> str:
    """The preprocessor that a ControlNet was trained with."""
    return next((card.preprocessor for card in app.controlnets.cards() if card.id == net), "canny")


def net_choices(app: Application) -> list[tuple[str, str]]:
    """(title, id) of every ControlNet."""
    return [(card.title, card.id) for card in app.controlnets.cards()]


def _view(text: str) -> str:
    """The map as a person sees it; `text` is ours."""
    if not text:
        return EMPTY
    if is_empty(text):
        return NOTHING
    return f'<img class="map" src="{PNG_URL}{escape(text)}" alt="The condition map">'
