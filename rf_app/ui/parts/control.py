"""The pictures that a tab's pictures follow, by ControlNets: two units in an accordion, with lines to begin
with.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from functools import reduce, wraps
from operator import or_
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.examples import Example, examples
from rf_app.errors import UserError
from rf_app.settings.picture import MAX_CONTROLS, Control, PictureSettings
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.control_unit import PICTURE, Unit, control_unit, net_choices
from rf_app.ui.parts.events import LATEST, QUIET
from rf_app.ui.parts.image import data_url, icon
from rf_app.ui.parts.left_out import left_out
from rf_app.ui.parts.size import SizeFields, SizeNumbers

NONE_HERE = (
    "<p>No ControlNet is here yet. Train one with <code>python -m trainers.controlnet</code>, or put the "
    "folder of any SD 1.5 ControlNet into <code>controlnets/</code> beside your models.</p>"
)


@dataclass(frozen=True)
class ControlPanel:
    """What a tab connects."""

    units: tuple[Unit, ...]
    none_here: gr.HTML
    problems: gr.HTML
    accordion: gr.Accordion
    buttons: tuple[gr.Button, ...]
    drawings: tuple[Example, ...]

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

    def show(self, app: Application, controls: tuple[Control, ...]) -> Updates:
        """The panel for the controls of a picture."""
        shown: Values = {self.accordion: gr.Accordion(open=True)} if controls else {}
        for i, unit in enumerate(self.units):
            shown |= unit.show(app, controls[i] if i < len(controls) else None)
        return shown

    def connect(
        self,
        app: Application,
        model: gr.Dropdown,
        changed: Callable[[Any], Any],
        size: SizeFields | SizeNumbers,
        sent: gr.Textbox | None = None,
        begin: Callable[[Example], Values] = lambda _: {},
        begun: Sequence[gr.Component] = (),
    ) -> None:
        """Connect the panel to the tab it is on.

        model, size: of the pictures, and so of the maps. changed: given an event after which the controls are
        different, or the size, connects it to what has to follow. sent: a moment and the data URL of a
        picture of the page, to be followed. begin: what else a line to begin with changes, among the parts
        `begun`.
        """

        def told(change: Callable[..., Values]) -> Callable[..., Values]:
            """The handler that makes `change`, or says why it cannot."""

            @complaining
            @wraps(change)
            def handle(values: Values, *more: Any) -> Updates:
                return change(values | {PICTURE: pictured(values)}, *more)

            return handle

        def pictured(values: Values) -> PictureSettings:
            width, height = (values[side] or None for side in size.fields)
            return PictureSettings("", values[model] or app.first_model(), width=width, height=height)

        shape = {model, *size.fields}

        def resized(values: Values) -> Updates:
            """Boards and maps of another shape; what is on a board follows in the browser."""
            with suppress(UserError):  # a size that the model cannot draw: drawing says so
                return reduce(or_, (unit.resized(app, values) for unit in self.units))
            return gr.skip()

        resize = {
            "fn": told(resized),
            "inputs": {part for unit in self.units for part in (unit.picture, *unit.fields)} | shape,
            "outputs": [part for unit in self.units for part in (unit.sketch, *unit.following)],
        }
        size.connect(app, model, lambda event: changed(event(**resize, **LATEST).then))
        # Another model has brought it, or a picture.
        gr.on([side.change for side in size.fields], **resize, **LATEST)

        for unit in self.units:
            inputs = {unit.picture, *unit.fields, *shape}
            drawn = unit.sketch.input(
                told(lambda values, unit=unit: unit.drawn(app, values, values[unit.sketch])),
                inputs | {unit.sketch},
                unit.following,
                **LATEST,
            )
            own = gr.on(
                [part.input for part in unit.fields if part is not unit.net],
                told(lambda values, unit=unit: unit.mapped(app, values)),
                inputs,
                unit.following,
                **LATEST,
            )
            net = unit.net.input(
                told(lambda values, unit=unit: unit.read_by(app, values)), inputs, unit.following, **LATEST
            )
            for event in (drawn, own, net):
                changed(event.then)

        # ControlNets may have come since the page was built.
        nets = [unit.net for unit in self.units]
        gr.on(
            [self.accordion.expand, *(net.focus for net in nets)],
            lambda values: self._refreshed(app, values),
            set(nets),
            [self.none_here, self.problems, *nets],
            **QUIET,
        )

        first = self.units[0]
        inputs, shown = {first.picture, *first.fields, *shape}, [first.sketch, *first.following]
        if sent:

            def taken(values: Values) -> Updates:
                url = values[sent].partition(" ")[2]
                opened = {first.sketch: url, self.accordion: gr.Accordion(open=True)}
                return opened | first.drawn(app, values, url)

            changed(sent.change(told(taken), inputs | {sent}, [self.accordion, *shown], **LATEST).then)

        def started(values: Values, event: gr.EventData) -> Updates:
            lines = {button._id: line for button, line in zip(self.buttons, self.drawings, strict=True)}
            line = lines.get(getattr(event.target, "_id", None))
            if line is None:  # a program may say anything
                return gr.skip()
            url = data_url(line.path.read_bytes())
            return {first.sketch: url} | begin(line) | first.drawn(app, values | {first.on: True}, url)

        if self.buttons:
            clicks = [button.click for button in self.buttons]
            event = gr.on(clicks, told(started), inputs, [*shown, *begun], **LATEST)
            if not begun:
                changed(event.then)

    def _refreshed(self, app: Application, chosen: Values) -> Updates:
        choices = net_choices(app)
        first = choices[0][1] if choices else None
        return {
            self.none_here: gr.HTML(visible=not choices),
            self.problems: left_out(app.controlnets),
            **{net: gr.Dropdown(choices=choices, value=value or first) for net, value in chosen.items()},
        }


def control_panel(app: Application, drawings: Path, prefix: str = "") -> ControlPanel:
    """Lay the panel out, inside the Blocks at hand; drawings: a folder of pictures to begin with.

    prefix: sets the ids apart.
    """
    shown = tuple(examples(drawings))
    with gr.Accordion(
        "Follow a drawing or picture (ControlNet)",
        open=False,
        elem_id=f"{prefix}control",
        elem_classes="control-box",
    ) as accordion:
        none_here = gr.HTML(NONE_HERE, visible=not net_choices(app))
        with gr.Row(elem_classes="control-examples"):
            buttons = tuple(
                gr.Button(each.title, icon=icon(each.path), elem_classes="example", min_width=60)
                for each in shown
            )
        first = control_unit(app, f"{prefix}control-1")
        problems = left_out(app.controlnets, elem_id=f"{prefix}control-problems")
        with gr.Accordion("A second one", open=False, elem_classes="control-more"):
            others = [control_unit(app, f"{prefix}control-{i}") for i in range(2, MAX_CONTROLS + 1)]
    return ControlPanel((first, *others), none_here, problems, accordion, buttons, shown)


def as_text(control: Sequence[Control]) -> str:
    """Controls as the browser has them."""
    return json.dumps([asdict(each) for each in control])
