"""The fields of a model and its settings, the same on every tab."""

from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import gradio as gr

from rf_app.actions.application import Application, Preset
from rf_app.errors import UserError
from rf_app.settings.picture import MAX_GUIDANCE, MAX_STEPS, CheckedSettings, Lora
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.events import LATEST
from rf_app.ui.parts.fields import changing, choice, explained, slider, text_field
from rf_app.ui.parts.size import SizeFields

SIDES = ("width", "height")
MODEL = "What has learned to draw. Each model knows other things, and takes its own time."
STEPS = "How often the picture is worked over. More take longer; the model’s own number is there already."
GUIDANCE = "How strictly the words are followed. 1 leaves it to the model; much more makes colours harsh."
SOLVER = "The rule by which a step is made. The model’s own comes first."
DECODER = "What turns what the model drew into pixels. A tiny one is much quicker, and less exact in details."
NEGATIVE = "What should not be in the picture. It acts only with guidance above 1."


@dataclass(frozen=True)
class ModelForm:
    """What a tab lays out, part by part, and what its events take and give."""

    model: gr.Dropdown
    steps: gr.Slider
    guidance: gr.Slider
    solver: gr.Dropdown
    negative: gr.Textbox
    size: SizeFields | None = None  # where it is not shared with others, as the next
    decoder: gr.Dropdown | None = None

    @property
    def fields(self) -> list[gr.Component]:
        """All of them, in the order of the page."""
        own = [self.model, self.steps, self.guidance, self.solver, self.negative, *self.sides]
        return [*own, self.decoder] if self.decoder else own

    @property
    def sides(self) -> tuple[gr.Component, ...]:
        """Width and height, where they are among them."""
        return self.size.fields if self.size else ()

    @property
    def recommends(self) -> list[gr.Component]:
        """Those that a model recommends something for."""
        return [each for each in self.fields if each not in (self.model, self.negative)]

    def read(self, app: Application, values: Values, loras: tuple[Lora, ...]) -> dict[str, Any]:
        """Their part of `PictureSettings`.

        Where LoRAs have just changed the sampler, what is recommended with them stands in for the fields.
        """
        found = {"model": values[self.model] or "", "negative_prompt": values[self.negative]}
        found |= {name: values[side] for name, side in zip(SIDES, self.sides, strict=False)}
        if self.decoder:
            found["decoder"] = values[self.decoder] or None
        if not offered(app, values[self.solver], found["model"], loras):
            return found
        own = {name: values[getattr(self, name)] for name in ("steps", "guidance", "solver")}
        return found | own

    def show(self, app: Application, settings: CheckedSettings) -> Updates:
        """The fields with these settings."""
        preset = app.preset(settings.model, settings.loras)
        sides = self.size.show(preset.sizes, settings.width, settings.height) if self.size else {}
        return (
            sides
            | self._decoders(preset, settings.decoder)
            | {
                self.model: gr.Dropdown(app.models(), value=settings.model),  # it may be newer than the page
                self.steps: settings.steps,
                self.guidance: settings.guidance,
                self.solver: gr.Dropdown(preset.solvers, value=settings.solver),
                self.negative: settings.negative_prompt,
            }
        )

    def show_preset(self, preset: Preset, *size: int) -> Updates:
        """The fields with what a model recommends, and the size that there was, or one like it."""
        sides = self.size.show(preset.sizes, *preset.sizes.like(*size)) if self.size else {}
        return (
            sides
            | self._decoders(preset, None)
            | {
                self.steps: preset.steps,
                self.guidance: preset.guidance,
                self.solver: gr.Dropdown(preset.solvers, value=preset.solvers[0][1]),
            }
        )

    def _decoders(self, preset: Preset, chosen: str | None) -> Updates:
        if self.decoder is None:
            return {}
        return {self.decoder: gr.Dropdown(**_decoders(preset), value=chosen or "")}

    def recommended(self, app: Application) -> dict[str, Any]:
        """For the event of choosing a model: its own settings."""

        @complaining
        def recommended(model: str, *size: int) -> Updates:
            return self.show_preset(app.preset(model), *size)

        return {"fn": recommended, "inputs": [self.model, *self.sides], "outputs": self.recommends, **LATEST}


def offered(app: Application, solver: str | None, model: str, loras: tuple[Lora, ...]) -> bool:
    """Whether a model has the solver with these LoRAs, which may just have changed the sampler."""
    with suppress(UserError):  # a model that is gone, or LoRAs that disagree: drawing says so
        return solver in [name for _, name in app.preset(model, loras).solvers]
    return True


def model_list(app: Application, value: str | None, label: str = "Model", **more: Any) -> gr.Dropdown:
    """The list of models."""
    shown = {"label": label, "filterable": False}
    return gr.Dropdown(app.models(), value=value, **shown, **explained(MODEL), **more)


def steps_slider(value: int, id: str, info: str = STEPS, **more: Any) -> gr.Slider:
    """The number of steps."""
    return slider(1, MAX_STEPS, value, 1, "Steps", id, info, min_width=140, **more)


def steps_and_guidance(preset: Preset, prefix: str = "") -> tuple[gr.Slider, gr.Slider]:
    """Two sliders side by side; prefix: sets the ids apart."""
    with gr.Row(elem_classes="pair"):
        steps = steps_slider(preset.steps, f"{prefix}steps")
        title, id = "Strictness (guidance)", f"{prefix}guidance"
        guidance = slider(0, MAX_GUIDANCE, preset.guidance, 0.1, title, id, GUIDANCE)
    return steps, guidance


def decoder_list(preset: Preset, prefix: str = "") -> gr.Dropdown:
    """What makes the pixels, where there is a choice; prefix: sets the ids apart."""
    title, id = "Pixels by (decoder)", f"{prefix}decoder"
    return changing(choice(**_decoders(preset), value="", label=title, id=id, info=DECODER))


def _decoders(preset: Preset) -> dict[str, Any]:
    return {"choices": [("The model’s own", ""), *preset.decoders], "visible": bool(preset.decoders)}


def advanced(preset: Preset, prefix: str = "") -> tuple[gr.Dropdown, gr.Textbox]:
    """Solver and negative prompt, folded away; prefix: sets the ids apart."""
    with gr.Accordion("Advanced", open=False, elem_id=f"{prefix}advanced", elem_classes="advanced"):
        title, id = "How it steps (solver)", f"{prefix}solver"
        solver = changing(choice(preset.solvers, preset.solvers[0][1], title, id, SOLVER))
        negative = text_field("", "Leave out (negative prompt)", f"{prefix}negative", NEGATIVE)
    return solver, negative
