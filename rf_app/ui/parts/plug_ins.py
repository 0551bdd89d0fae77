"""LoRAs and ControlNets of a tab together, as its pictures' settings name them."""

from dataclasses import dataclass
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.settings.picture import PictureSettings, read_loras
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.control import ControlPanel, control_panel
from rf_app.ui.parts.loras import LoraPanel, lora_panel


@dataclass(frozen=True)
class PlugIns:
    """The two panels."""

    loras: LoraPanel
    controls: ControlPanel

    @property
    def inputs(self) -> set[gr.Component]:
        """What `read` needs."""
        return {self.loras.rows, *self.controls.inputs}

    @property
    def parts(self) -> list[gr.Component]:
        """What `show` changes."""
        return [*self.loras.parts, *self.controls.parts]

    def read(self, values: Values) -> dict[str, Any]:
        """Their part of `PictureSettings`; raises UserError for rows that are none."""
        return {"loras": read_loras(values[self.loras.rows]), "control": self.controls.read(values)}

    def show(self, own: Application, settings: PictureSettings) -> Updates:
        """The panels with a picture's LoRAs and controls; raises UserError for a LoRA that is gone."""
        return self.loras.show(own, settings.loras) | self.controls.show(own, settings.control)


def plug_ins(app: Application, page: Page, prefix: str) -> PlugIns:
    """Lay both out, folded away, inside the Blocks at hand; prefix: sets the ids apart."""
    with gr.Row(elem_classes="plug-ins"):
        return PlugIns(lora_panel(app, prefix), control_panel(app, page.examples / "drawings", prefix))
