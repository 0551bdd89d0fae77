"""Width and height of pictures: two sliders with the shapes that are one click away, or two numbers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rf_app.actions.application import Application, Preset
from rf_app.actions.sizes import SHAPES, Sizes
from rf_app.registry.card import SIDE_STEP
from rf_app.settings.picture import PictureSettings
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.events import QUIET
from rf_app.ui.parts.fields import slider

MOST = 4096  # pixels of a side
SIDE = (
    "Pixels. Far from the size that the model has learned from, what is in the picture comes twice, or not."
)


@dataclass(frozen=True)
class SizeFields:
    """The sliders, and a button for each of SHAPES."""

    width: gr.Slider
    height: gr.Slider
    shapes: tuple[gr.Button, ...]

    @property
    def fields(self) -> tuple[gr.Slider, gr.Slider]:
        """What a person sets."""
        return self.width, self.height

    def show(self, sizes: Sizes, width: int | None, height: int | None) -> Updates:
        """The sliders of a model with a size, None where it is the model's own."""
        bounds = {"minimum": sizes.smallest, "maximum": sizes.largest}
        return {
            self.width: gr.Slider(value=width or sizes.own, **bounds),
            self.height: gr.Slider(value=height or sizes.own, **bounds),
        }

    def connect(self, app: Application, model: gr.Dropdown, changed: Callable[[Any], Any]) -> None:
        """Connect the buttons; changed: is given each event after which the size is another one."""

        @complaining
        def shaped(model: str, shape: str) -> Any:
            return app.preset(model).sizes.shapes[shape]

        for name, button in zip(SHAPES, self.shapes, strict=True):
            click = button.click(lambda model, name=name: shaped(model, name), model, [*self.fields], **QUIET)
            changed(click.then)
        for side in self.fields:
            changed(side.input)


def size_fields(preset: Preset, prefix: str = "") -> SizeFields:
    """Lay them out; prefix: sets the ids apart."""
    with gr.Row(elem_classes="shapes"):
        buttons = tuple(
            gr.Button(name, size="sm", min_width=60, elem_id=f"{prefix}{name.lower()}", elem_classes="shape")
            for name in SHAPES
        )
    with gr.Row(elem_classes="pair"):
        bounds = preset.sizes.smallest, preset.sizes.largest, preset.sizes.own, SIDE_STEP
        sides = [
            slider(*bounds, name, f"{prefix}{name.lower()}", SIDE, min_width=140)
            for name in ("Width", "Height")
        ]
    return SizeFields(*sides, buttons)


@dataclass(frozen=True)
class SizeNumbers:
    """Two numbers, 0 for a model's own, where pictures of several models share their size."""

    width: gr.Number
    height: gr.Number

    @property
    def fields(self) -> tuple[gr.Number, gr.Number]:
        """Both."""
        return self.width, self.height

    def read(self, values: Values) -> dict[str, Any]:
        """Their part of `PictureSettings`."""
        return {"width": values[self.width] or None, "height": values[self.height] or None}

    def left(self, found: dict[str, Any]) -> Updates:
        """The numbers as a browser has kept them, which may be anything."""
        given = found.get("width"), found.get("height")
        return {
            side: value if value in range(MOST + 1) else 0
            for side, value in zip(self.fields, given, strict=True)
        }

    def show(self, settings: PictureSettings) -> Updates:
        """The numbers of a picture."""
        return {self.width: settings.width or 0, self.height: settings.height or 0}

    def connect(self, app: Application, model: gr.Dropdown, changed: Callable[[Any], Any]) -> None:
        """As that of `SizeFields`."""
        for side in self.fields:
            changed(side.submit)


def size_numbers(prefix: str) -> SizeNumbers:
    """Lay them out; prefix: sets the ids apart."""
    with gr.Row(elem_classes="sizes"):
        sides = [
            gr.Number(
                0,
                label=f"{name} (0: the model’s)",
                precision=0,
                step=SIDE_STEP,
                min_width=110,
                elem_id=f"{prefix}{name.lower()}",
            )
            for name in ("Width", "Height")
        ]
    return SizeNumbers(*sides)
