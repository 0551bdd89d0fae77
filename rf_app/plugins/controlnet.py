"""ControlNets plugged into a resident model: the stock ControlNet pipeline around the modules that are there.

Nothing of the model is changed, so without a control the next picture is the plain one again.
"""

from collections import OrderedDict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline

from rf_app.plugins.picture import decode_map
from rf_app.registry.checking import CONFIGS, check_piece, read_json
from rf_app.registry.controlnets import ControlNets, check_fit
from rf_app.registry.disk import Stamp, stamp
from rf_app.registry.loading import load_piece
from rf_app.settings.picture import Control

RESIDENT = 3  # ControlNets kept in memory


class ResidentControlNetPipeline(StableDiffusionControlNetPipeline):
    """The stock pipeline without the search for offloading hooks, which takes milliseconds a call."""

    @property
    def _execution_device(self) -> torch.device:
        return self.unet.conv_in.weight.device


class ControlNetPlugin:
    """ControlNets in memory; for the thread that loads models."""

    def __init__(self, controlnets: ControlNets, device: torch.device, dtype: torch.dtype):
        """device, dtype: those of the models."""
        self.controlnets = controlnets
        self.device = device
        self.dtype = dtype
        self._nets: OrderedDict[Stamp, ControlNetModel] = OrderedDict()

    def attach(
        self,
        pipeline: StableDiffusionPipeline,
        controls: Sequence[Control],
        steps: int,
        size: tuple[int, int],
    ) -> tuple[StableDiffusionPipeline, dict[str, Any]]:
        """A pipeline around the modules of `pipeline` that follows the controls, and more for its call in
        `steps` steps; size: height and width of the latents.

        Without a control of any strength it is `pipeline` itself, with nothing more. Raises UserError for a
        ControlNet that is not there, broken, or made for other models.
        """
        acting = [control for control in controls if control.strength > 0]
        if not acting:
            return pipeline, {}
        controlled = ResidentControlNetPipeline(
            **pipeline.components,
            controlnet=[self._net(control.model, pipeline) for control in acting],
            requires_safety_checker=False,
        )
        controlled.set_progress_bar_config(disable=True)
        spans = [_span(control, steps) for control in acting]
        height, width = (side * pipeline.vae_scale_factor for side in size)
        return controlled, {
            "image": [decode_map(control.image) for control in acting],
            "height": height,
            "width": width,
            "controlnet_conditioning_scale": [control.strength for control in acting],
            "control_guidance_start": [start for start, _ in spans],
            "control_guidance_end": [end for _, end in spans],
        }

    def _net(self, id: str, pipeline: StableDiffusionPipeline) -> ControlNetModel:
        """The ControlNet, from memory if its folder is still what it was."""
        unet, vae = pipeline.unet.config, pipeline.vae.config
        folder = self.controlnets.folder(id)
        key = stamp(folder)
        if key in self._nets:
            self._nets.move_to_end(key)
            check_fit(id, self._nets[key].config, unet, vae)
            return self._nets[key]
        net = load_controlnet(folder, self.dtype, unet, vae).to(self.device)
        self._nets[key] = net.to(memory_format=torch.channels_last)
        while len(self._nets) > RESIDENT:
            self._nets.popitem(last=False)
        return net


def load_controlnet(
    folder: Path, dtype: torch.dtype, unet: Mapping[str, Any], vae: Mapping[str, Any]
) -> ControlNetModel:
    """The ControlNet in evaluation mode, on the CPU.

    unet, vae: the configs of the model it is for. Raises UserError naming the file that is missing or broken,
    or what does not fit; looks at the config before any weight is read.
    """
    check_piece(folder, "controlnet")
    check_fit(folder.name, read_json(folder / CONFIGS["controlnet"]), unet, vae)
    return load_piece(folder, dtype, "controlnet")


def _span(control: Control, steps: int) -> tuple[float, float]:
    """From which share of the steps to which one the stock pipeline shall let a control act.

    There a step acts if the whole of it lies between the two. Where none does, it is the one in their middle:
    a model of one step would draw the plain picture, and nobody would know why.
    """
    if any(control.start <= i / steps and (i + 1) / steps <= control.end for i in range(steps)):
        return control.start, control.end
    step = min(int((control.start + control.end) / 2 * steps), steps - 1)
    return step / steps, (step + 1) / steps
