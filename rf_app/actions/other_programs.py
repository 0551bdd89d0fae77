"""How ComfyUI, Forge, A1111 and onnxruntime draw with what we export: the words beside it."""

from collections.abc import Mapping
from typing import Any

from diffusers import SchedulerMixin

from rf_app.registry.card import ModelCard
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.stock import stock

SD1_WIDTH = 768  # of the texts that Stable Diffusion 1.x listens to
SAMPLERS = {  # of a kind: ComfyUI's sampler and scheduler, then those of A1111 and Forge
    "diffusion": ("dpmpp_2m", "normal", "DPM++ 2M", "Automatic"),
    "one-step": ("euler", "simple", "Euler", "SGM Uniform"),
    "consistency": ("lcm", "sgm_uniform", "LCM", "SGM Uniform"),
    "few-step": ("ddim", "sgm_uniform", "DDIM", "SGM Uniform"),
    "turbo": ("euler", "sgm_uniform", "Euler", "SGM Uniform"),
}
PLACE = """## Use

Put `{id}.safetensors` into `models/checkpoints` of ComfyUI, or `models/Stable-diffusion` of Forge or A1111.
Draw {size} pixels a side.

"""
MANUAL = """- **ComfyUI**: SamplerCustomAdvanced with RandomNoise, CFGGuider (cfg {cfg:g}), KSamplerSelect
  `euler`, and ManualSigmas `{sigmas}`.
- **Forge, A1111**: no sampler of theirs takes these steps. With Euler and SGM Uniform, {steps} steps and CFG
  scale {cfg:g} the picture is another one.
"""
FLOW = """- **ComfyUI**: ModelSamplingSD3 (shift {shift:g}) between the checkpoint and KSampler, which has
  `euler`, `simple`, {steps} steps, cfg {cfg:g}. The U-Net's last layer has the other sign, as flow matching
  there wants it.
- **Forge, A1111**: no sampler of theirs draws rectified flow from a velocity.
"""
NAMED = """- **ComfyUI**: KSampler with `{0}`, `{1}`, {steps} steps, cfg {cfg:g}, denoise 1.
- **Forge, A1111**: sampling method {2}, schedule type {3}, {steps} steps, CFG scale {cfg:g}.
"""
VELOCITY = """- This model predicts v. **ComfyUI**: ModelSamplingDiscrete (`v_prediction`, zsnr {zsnr}) before
  KSampler. **A1111**: a file `{id}.yaml` beside it, Stable Diffusion's `v1-inference.yaml` with
  `parameterization: "v"` under `params` of `model`.
"""
SMALLER = """These programs read models of Stable Diffusion 1.5's shape. This one has another shape, which
only InstaFlow Studio and diffusers read.
"""
NONE = "None of their samplers draws this kind of model; ours and diffusers' do.\n"
LORA = """## Use

Put `{id}.safetensors` into `models/loras` of ComfyUI, or `models/Lora` of Forge or A1111, and call it in the
prompt as `<lora:{id}:{strength:g}>`{trigger} (ComfyUI: LoraLoader with strength {strength:g}).
"""
GRAPHS = """## Use

    pip install onnxruntime tokenizers pillow
    python draw.py "{prompt}" picture.png

Compared with PyTorch when it was written, as a part of the largest value: {compared}.
"""
CONTROLNET = """## Use

Put `{id}.safetensors` into `models/controlnet` of ComfyUI, or `models/ControlNet` of Forge or A1111.
"""


def settings_for(card: ModelCard, own: SchedulerMixin, unet: Mapping[str, Any]) -> str:
    """Markdown: where a model's file goes, and the sampler, steps and guidance that draw what we draw.

    own: the model's own scheduler. unet: the config of its U-Net.
    """
    said = {"steps": card.steps, "cfg": max(card.guidance, 1.0)}  # below 1 there is none in diffusers
    text = PLACE.format(id=card.id, size=card.resolution)
    text += "" if unet["cross_attention_dim"] == SD1_WIDTH else f"{SMALLER}\n"
    flow = isinstance(own, RectifiedFlowScheduler)
    if flow and own.schedule is None:
        return text + FLOW.format(shift=own.config.shift, **said)
    if flow and card.steps > 1:
        found = stock(own, card.steps)
        return text + (MANUAL.format(sigmas=found.sigmas.strip("[]"), **said) if found else NONE)
    names = SAMPLERS.get("one-step" if flow else card.kind)
    if names and own.config.prediction_type == "v_prediction":
        zsnr = str(bool(own.config.get("rescale_betas_zero_snr"))).lower()
        text += VELOCITY.format(id=card.id, zsnr=zsnr)
    return text + (NAMED.format(*names, **said) if names else NONE)
