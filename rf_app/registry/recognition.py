"""What kind of model somebody's diffusers folder is, told by its configs before anything is copied or drawn.

A checkpoint says what it is in model_index.json's class, in its scheduler and in its U-Net. Its name counts
where the layouts are the same: PeRFlow's is plain Stable Diffusion's, InstaFlow's that of its 2-rectified
flow. What we have no sampler for is refused by name: nothing is drawn with one that it was not made for.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.checking import CONFIGS, read_json

INDEX = "model_index.json"
FLOW = "RectifiedFlowScheduler"
TURBO = "EulerDiscreteScheduler"
RECOMMENDED = {
    "diffusion": (25, 7.5),
    "rectified-flow": (8, 1.5),
    "one-step": (1, 1.0),
    "piecewise-flow": (4, 4.5),
    "consistency": (4, 8.0),
    "trajectory-consistency": (4, 1.0),
    "few-step": (4, 1.0),
    "turbo": (1, 1.0),
}
"""Steps and guidance of a kind; a consistency model takes its guidance as an input."""
PIPELINES = ("StableDiffusionPipeline", "RectifiedFlowPipeline", "LatentConsistencyModelPipeline")
OTHERS = {
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
EXPECTED = "expected a text-to-image model of Stable Diffusion 1.x or 2.x in diffusers' layout"


@dataclass(frozen=True)
class Recognized:
    """kind: one of `rf_app.registry.card.KINDS`. scheduler: the config that takes the place of the folder's,
    if any.
    """

    kind: str
    scheduler: dict[str, Any] = field(default_factory=dict)


def called_in(source: str) -> str:
    """The name of a folder or a model on the Hub; for a snapshot in the Hub's cache the model's, not the
    commit's.
    """
    path = Path(source)
    return path.parents[1].name.split("--")[-1] if path.parent.name == "snapshots" else path.name


def recognize(folder: Path, name: str, chosen: str = "") -> Recognized:
    """What a folder holds. name: where it came from. chosen: the kind its owner says it is.

    Raises UserError for what cannot be drawn, naming it.
    """
    index, unet, vae, scheduler = (
        _read(folder / path)
        for path in (
            INDEX,
            f"unet/{CONFIGS['unet']}",
            f"vae/{CONFIGS['vae']}",
            f"scheduler/{CONFIGS['scheduler']}",
        )
    )
    pipeline, sampler = str(index.get("_class_name", "")), str(scheduler.get("_class_name", ""))
    _check(folder, pipeline, unet, vae)
    kind = chosen or _kind(pipeline, sampler, unet, scheduler, name)
    return Recognized(kind, _scheduler(folder, kind, sampler, scheduler))


def _read(path: Path) -> Mapping[str, Any]:
    return read_json(path) if path.is_file() else {}


def _check(folder: Path, pipeline: str, unet: Mapping[str, Any], vae: Mapping[str, Any]) -> None:
    """Raises UserError for what is no such model, told by its pipeline and the shape of its U-Net."""
    what = next((what for start, what in OTHERS.items() if pipeline.startswith(start)), "")
    channels, latent = unet.get("in_channels"), vae.get("latent_channels")
    if not what and unet.get("addition_embed_type"):
        what = "Stable Diffusion XL, or another with additional embeddings"
    if not what and channels == 9:
        what = "an inpainting model: its U-Net takes 9 channels"
    if not what and isinstance(latent, int) and channels == 2 * latent:
        what = f"a model that edits pictures: its U-Net takes {channels} channels"
    if not what and pipeline and pipeline not in PIPELINES:
        what = f"made for {pipeline!a:.80}"
    if what:
        raise UserError(f"{folder.name}: is {what}; {EXPECTED}.")


def _kind(
    pipeline: str, sampler: str, unet: Mapping[str, Any], scheduler: Mapping[str, Any], name: str
) -> str:
    called = called_in(name).lower()
    if sampler == "PeRFlowScheduler" or "perflow" in called:
        return "piecewise-flow"
    if (
        sampler == "LCMScheduler"
        or pipeline.startswith("LatentConsistency")
        or unet.get("time_cond_proj_dim")
    ):
        return "consistency"
    if sampler == "TCDScheduler":
        return "trajectory-consistency"
    if pipeline == "RectifiedFlowPipeline":  # one class for both; only the name tells InstaFlow from 2-RF
        return "one-step" if "instaflow" in called else "rectified-flow"
    if sampler in (FLOW, "FlowMatchEulerDiscreteScheduler"):
        return "rectified-flow"
    if sampler == TURBO and scheduler.get("timestep_spacing") == "trailing":
        return "turbo"
    return "diffusion"


def _scheduler(folder: Path, kind: str, sampler: str, scheduler: Mapping[str, Any]) -> dict[str, Any]:
    """What a folder's scheduler becomes where it is not the one that its kind is drawn with."""
    betas = {
        name: scheduler[name] for name in ("beta_start", "beta_end", "beta_schedule") if name in scheduler
    }
    if kind == "piecewise-flow" and sampler != "PeRFlowScheduler":
        return {
            "_class_name": "PeRFlowScheduler",
            "prediction_type": "diff_eps",
            "num_time_windows": 4,
            **betas,
        }
    if kind == "consistency" and sampler != "LCMScheduler":
        return {"_class_name": "LCMScheduler", **betas}
    if kind == "turbo" and sampler != TURBO:
        return {"_class_name": TURBO, "timestep_spacing": "trailing", **betas}
    if sampler == "FlowMatchEulerDiscreteScheduler":
        shift = scheduler.get("shift", 1.0)
        if shift != 1 or scheduler.get("use_dynamic_shifting"):
            raise UserError(
                f"{folder.name}: its scheduler's shift is {shift!r:.40}; only 1, no shift, is drawn here."
            )
        return {"_class_name": FLOW, "prediction_type": "flow_prediction"}
    # InstaFlow's own folders carry a scheduler that is not used; theirs is a velocity.
    if kind in ("rectified-flow", "one-step") and sampler != FLOW:
        return {"_class_name": FLOW, "prediction_type": "velocity"}
    return {}
