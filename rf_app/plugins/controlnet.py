"""ControlNets plugged into a resident model: the stock ControlNet pipeline around the modules that are there.

Nothing of the model is changed, so without a control the next picture is the plain one again.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, StableDiffusionControlNetPipeline, StableDiffusionPipeline

from rf_app.plugins.picture import decode_map
from rf_app.registry.checking import CONFIGS, check_piece, read_json
from rf_app.registry.controlnets import check_fit
from rf_app.registry.loading import load_piece
from rf_app.settings.picture import Control


class ResidentControlNetPipeline(StableDiffusionControlNetPipeline):
    """The stock pipeline without the search for offloading hooks, which takes milliseconds a call."""

    @property
    def _execution_device(self) -> torch.device:
        return self.unet.conv_in.weight.device


def controlled(
    pipeline: StableDiffusionPipeline,
    controls: Sequence[Control],
    nets: Sequence[ControlNetModel],
    steps: int,
    size: tuple[int, int],
) -> tuple[StableDiffusionPipeline, dict[str, Any]]:
    """A pipeline around the modules of `pipeline` that follows the controls, and more for its call in `steps`
    steps; without controls `pipeline` itself, with nothing more.

    nets: those of the controls; size: height and width of the latents.
    """
    if not controls:
        return pipeline, {}
    made = ResidentControlNetPipeline(
        **pipeline.components, controlnet=list(nets), requires_safety_checker=False
    )
    made.set_progress_bar_config(disable=True)
    spans = [_span(control, steps) for control in controls]
    height, width = (side * pipeline.vae_scale_factor for side in size)
    return made, {
        "image": [decode_map(control.image) for control in controls],
        "height": height,
        "width": width,
        "controlnet_conditioning_scale": [control.strength for control in controls],
        "control_guidance_start": [start for start, _ in spans],
        "control_guidance_end": [end for _, end in spans],
    }


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
