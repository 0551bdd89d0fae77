"""What somebody's folder or file holds, told by its configs and names before anything is copied or drawn.

A checkpoint says what it is in model_index.json's class, in its scheduler and in its U-Net. Its name counts
where the layouts are the same: PeRFlow's and SDXS' are plain Stable Diffusion's, InstaFlow's that of its
2-rectified flow. What we have no sampler for is refused by name: nothing is drawn with one that it was not
made for. Of single files see `rf_app.registry.file_recognition`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.checking import CONFIGS, TINY, read_json
from rf_app.registry.file_recognition import ODD_CHANNELS

INDEX = "model_index.json"
FLOW = "RectifiedFlowScheduler"
PREDICTION = "_rectified_flow"
"""What ours takes the U-Net's output for, in the config of one that diffusers reads."""
FLOW_MATCHING = ("FlowMatchEulerDiscreteScheduler", "FlowMatchHeunDiscreteScheduler")
FLOW_PREDICTION = "flow_prediction"  # what others call x0 - x1
ELSEWHERE = (
    *("use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas"),
    *("shift_terminal", "invert_sigmas", "stochastic_sampling"),
)
"""Of flow matching, what only pipelines of other models make use of."""
TURBO = "EulerDiscreteScheduler"
DEIS = "DEISMultistepScheduler"
OF_DIFFUSION = {
    *("DDIM", "DDIMParallel", "DDPM", "DDPMParallel", "PNDM", "IPNDM", "LMSDiscrete", "HeunDiscrete"),
    *("EulerDiscrete", "EulerAncestralDiscrete", "KDPM2Discrete", "KDPM2AncestralDiscrete", "SASolver"),
    *("DPMSolverMultistep", "DPMSolverSinglestep", "DPMSolverSDE", "DEISMultistep", "UniPCMultistep"),
}
"""Diffusers' schedulers that follow one and the same flow, which a model may therefore have any of."""
BETAS = ("beta_start", "beta_end", "beta_schedule")
DIFFUSION = (*BETAS, "prediction_type", "rescale_betas_zero_snr")  # what a sampler has to know of a model
RECOMMENDED = {
    "diffusion": (25, 7.5),
    "rectified-flow": (8, 1.5),
    "one-step": (1, 1.0),
    "piecewise-flow": (4, 4.5),
    "consistency": (4, 8.0),
    "trajectory-consistency": (4, 1.0),
    "few-step": (4, 1.0),
    "turbo": (1, 1.0),
    "one-step-diffusion": (1, 1.0),
}
"""Steps and guidance of a kind; a consistency model takes its guidance as an input."""
NAMED = {
    "instaflow": "one-step",
    "rectified": "rectified-flow",
    "2rf": "rectified-flow",
    "lcm": "consistency",
    "turbo": "turbo",
}
"""What a word in the name of a file says, which has no model_index.json; of a folder's name LCM alone counts,
as others have other layouts.
"""
PIPELINES = ("StableDiffusionPipeline", "RectifiedFlowPipeline", "LatentConsistencyModelPipeline")
OTHERS = {
    "StableDiffusionXLImg2Img": "the Stable Diffusion XL refiner, which belongs beside models as refiner",
    "StableDiffusionXL": "Stable Diffusion XL",
    "StableDiffusion3": "Stable Diffusion 3",
    "Flux": "Flux",
    "OVStableDiffusion": "a model for OpenVINO",
    "OVLatentConsistency": "a model for OpenVINO",
    "OnnxStableDiffusion": "a model for ONNX",
    "ORTStableDiffusion": "a model for ONNX",
    "StableDiffusionInpaint": "an inpainting model",
    "StableDiffusionInstructPix2Pix": "a model that edits pictures",
    "StableDiffusionUpscale": "an upscaler",
    "StableDiffusionLatentUpscale": "an upscaler",
}
"""What pipelines whose names begin so are for."""
PARTS = {
    "UNet2DConditionModel": "a U-Net by itself; give its safetensors file",
    "AutoencoderKL": "an autoencoder by itself",
    "T2IAdapter": "a T2I adapter",
    "MultiAdapter": "a T2I adapter",
    "SD3ControlNetModel": "a ControlNet for Stable Diffusion 3",
    "FluxControlNetModel": "a ControlNet for Flux",
}
"""What a folder of one piece holds, by its config's class."""
EXPECTED = "expected a text-to-image model of Stable Diffusion 1.x or 2.x in diffusers' layout"
LORA_WEIGHTS = "pytorch_lora_weights.safetensors"  # as diffusers names it
UNNAMED = tuple(f"diffusion_pytorch_model{variant}.safetensors" for variant in ("", ".fp16", ".non_ema"))
"""As it names a U-Net or a ControlNet."""
PEFT_WEIGHTS, PEFT_CONFIG = "adapter_model.safetensors", "adapter_config.json"
"""As PEFT names a LoRA, and what says its alpha."""


@dataclass(frozen=True)
class Recognized:
    """kind: one of `rf_app.registry.card.KINDS`. scheduler: the config that takes the place of the folder's,
    if any.
    """

    kind: str
    scheduler: dict[str, Any] = field(default_factory=dict)


def called_in(source: str) -> str:
    """The name of a folder, a file or what is on the Hub; for a snapshot in the Hub's cache the model's, not
    the commit's, and for a file under diffusers' name that of its folder, where it is known to have its own.
    """
    path = Path(source)
    beside = {LORA_WEIGHTS: "README.md"} | dict.fromkeys(UNNAMED, "config.json")
    known = not path.is_absolute() or path.parent.parent.name == "snapshots"
    if path.name in beside and (known or (path.parent / beside[path.name]).is_file()):
        path = path.parent.parent if path.parent.name == "unet" else path.parent
    if path.parent.name == "snapshots":
        return path.parents[1].name.split("--")[-1]
    return path.name.removesuffix(".safetensors")


def recognize(folder: Path, name: str, chosen: str = "") -> Recognized:
    """What a folder holds. name: where it came from. chosen: the kind its owner says it is.

    Raises UserError for what cannot be drawn, naming it.
    """
    pieces = (f"{piece}/{CONFIGS[piece]}" for piece in ("unet", "vae", "scheduler"))
    index, unet, vae, scheduler = (_read(folder / path) for path in (INDEX, *pieces))
    pipeline, sampler = str(index.get("_class_name", "")), str(scheduler.get("_class_name", ""))
    called = called_in(name)
    _check(called, pipeline, unet, vae)
    kind = chosen or _kind(pipeline, sampler, unet, scheduler, called.lower())
    return Recognized(kind, _scheduler(called, kind, sampler, scheduler))


def check_pipeline(folder: Path, name: str) -> None:
    """Raise UserError for a folder whose model_index.json, if any, names a pipeline that is not here."""
    _check(called_in(name), str(_read(folder / INDEX).get("_class_name", "")), {}, {})


def recognize_folder(folder: Path, name: str) -> Path:
    """The folder itself, for a model, a ControlNet or a tiny decoder in diffusers' layout, or the one
    safetensors file in it, or the LoRA in it that has diffusers' name. name: where it came from.

    Raises UserError for anything else, naming it.
    """
    check_pipeline(folder, name)
    if (folder / "unet").is_dir():
        return folder
    files = sorted(folder.glob("*.safetensors"))
    if (folder / CONFIGS["controlnet"]).is_file():
        named = str(read_json(folder / CONFIGS["controlnet"]).get("_class_name", ""))
        if named in ("ControlNetModel", TINY):
            return folder
        if named == "UNet2DConditionModel":
            check_no_delta(name)
        what = PARTS.get(named, f"a {named or 'thing without a _class_name'}")
        raise UserError(f"{called_in(name)}: is {what}; {EXPECTED}.")
    if (folder / LORA_WEIGHTS).is_file():
        return folder / LORA_WEIGHTS
    if len(files) != 1:
        found = (
            f"has {len(files)} safetensors files: name one of them" if files else "has no safetensors file"
        )
        raise UserError(f"{folder}: is no diffusers model; it has no folder unet/, and {found}.")
    return files[0]


def check_no_delta(name: str) -> None:
    """Raise UserError for a U-Net whose name, or its folder's, says that it is a difference: its layout does
    not.
    """
    if "delta" in "/".join(Path(name).parts[-2:]).lower():
        raise UserError(
            f"{called_in(name)}: holds differences (deltas) to weights, which are not read; expected the "
            "model that they were added to, such as hansyan/perflow-sd15-dreamshaper."
        )


def own_flow(scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """The config of our scheduler that draws what the one of an export does, which has PREDICTION in it."""
    betas = {name: scheduler[name] for name in BETAS if name in scheduler}
    shift = {"shift": scheduler["flow_shift"]} if scheduler.get("flow_shift", 1.0) != 1 else {}
    return {"_class_name": FLOW, "prediction_type": scheduler[PREDICTION], **betas, **shift}


def _read(path: Path) -> Mapping[str, Any]:
    return read_json(path) if path.is_file() else {}


def _check(called: str, pipeline: str, unet: Mapping[str, Any], vae: Mapping[str, Any]) -> None:
    """Raises UserError for what is no such model, told by its pipeline and the shape of its U-Net."""
    what = next((what for start, what in OTHERS.items() if pipeline.startswith(start)), "")
    channels, latent = unet.get("in_channels"), vae.get("latent_channels")
    if not what and unet.get("addition_embed_type"):
        what = "Stable Diffusion XL, or another with additional embeddings"
    if not what and channels == 9:
        what = f"{ODD_CHANNELS[9]}: its U-Net takes 9 channels"
    if not what and isinstance(latent, int) and channels == 2 * latent:
        what = f"a model that edits pictures: its U-Net takes {channels} channels"
    if not what and latent == 4 and channels in (5, 7):
        what = f"{ODD_CHANNELS[channels]}: its U-Net takes {channels} channels"
    if not what and pipeline and pipeline not in PIPELINES:
        what = f"made for {pipeline!a:.80}"
    if what:
        raise UserError(f"{called}: is {what}; {EXPECTED}.")


def _kind(
    pipeline: str, sampler: str, unet: Mapping[str, Any], scheduler: Mapping[str, Any], called: str
) -> str:
    if sampler == "PeRFlowScheduler" or "perflow" in called:
        return "piecewise-flow"
    if "sdxs" in called:
        return "one-step-diffusion"
    words = re.findall("2rf|[a-z]+", called)  # as of "dreamshaper_8LCM"
    named = next((kind for word, kind in NAMED.items() if word in words), "")
    if not pipeline and named and not sampler.startswith("LCM"):  # of a single file nothing else is known
        return named
    plain = sampler.removesuffix("Scheduler") in OF_DIFFUSION and not _is_flow_matching(sampler, scheduler)
    if (
        sampler == "LCMScheduler"
        or pipeline.startswith("LatentConsistency")
        or unet.get("time_cond_proj_dim")
        or (plain and named == "consistency")  # fine-tunes keep the sampler of what they were made from
    ):
        return "consistency"
    if sampler == "TCDScheduler":
        return "trajectory-consistency"
    if pipeline == "RectifiedFlowPipeline":  # one class for both; only the name tells InstaFlow from 2-RF
        return "one-step" if "instaflow" in called else "rectified-flow"
    if sampler == FLOW or _is_flow_matching(sampler, scheduler):
        return "rectified-flow"
    # Models that predict v are so spaced for another reason: their first step begins at pure noise.
    spaced, predicted = scheduler.get("timestep_spacing"), scheduler.get("prediction_type", "epsilon")
    if sampler == TURBO and (spaced, predicted) == ("trailing", "epsilon"):
        return "turbo"
    if sampler and not plain:
        raise UserError(f"{called}: was made for the sampler {sampler!a:.80}, which is not here.")
    return "diffusion"


def _scheduler(called: str, kind: str, sampler: str, scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder's scheduler becomes where it is not the one that its kind is drawn with."""
    betas, diffusion = (
        {name: scheduler[name] for name in names if name in scheduler} for names in (BETAS, DIFFUSION)
    )
    if kind == "piecewise-flow" and sampler != "PeRFlowScheduler":
        windows = {"prediction_type": "diff_eps", "num_time_windows": 4}
        return {"_class_name": "PeRFlowScheduler", **windows, **betas}
    if kind in ("rectified-flow", "one-step") and PREDICTION in scheduler:  # as we export it
        return own_flow(scheduler)
    if kind == "consistency" and sampler != "LCMScheduler":
        return {"_class_name": "LCMScheduler", **diffusion}
    if kind == "turbo" and sampler != TURBO:
        return {"_class_name": TURBO, "timestep_spacing": "trailing", **diffusion}
    if kind == "one-step-diffusion" and sampler != DEIS:
        return {"_class_name": DEIS, **diffusion}
    if _is_flow_matching(sampler, scheduler):
        return _flow_matching(called, scheduler)
    # InstaFlow's own folders carry a scheduler that is not used; theirs is a velocity.
    if kind in ("rectified-flow", "one-step") and sampler != FLOW:
        return {"_class_name": FLOW, "prediction_type": "velocity"}
    return {}


def _is_flow_matching(sampler: str, scheduler: Mapping[str, Any]) -> bool:
    others = sampler != FLOW and scheduler.get("prediction_type") == FLOW_PREDICTION
    return sampler in FLOW_MATCHING or others


def _flow_matching(called: str, scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """Ours in the place of a scheduler for flow matching, whose velocity has the other sign."""
    odd = next((name for name in ELSEWHERE if scheduler.get(name)), "")
    if scheduler.get("num_train_timesteps", 1000) != 1000:
        odd = "num_train_timesteps"
    if odd:
        raise UserError(
            f"{called}: its scheduler has {odd} {scheduler[odd]!r:.40}; flow matching is drawn here "
            "with 1000 timesteps and a fixed shift alone."
        )
    shift = scheduler.get("shift", scheduler.get("flow_shift", 1.0))
    return {"_class_name": FLOW, "prediction_type": FLOW_PREDICTION, "shift": shift}
