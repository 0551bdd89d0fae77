"""What the trainers need of a registry model: its frozen pieces, its flow, its texts, its pictures."""

import hashlib
import inspect
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch
from accelerate import PartialState
from diffusers import AutoencoderKL, SchedulerMixin, StableDiffusionPipeline, UNet2DConditionModel
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.registry.card import ModelCard
from rf_app.registry.checking import check_piece
from rf_app.registry.disk import disk_full_named
from rf_app.registry.loading import load, load_piece
from rf_app.registry.models import Registry
from rf_app.registry.stacked import StackedUNet
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.text import visible

SchedulerT = TypeVar("SchedulerT", bound=SchedulerMixin)


def registry_into(models: Path | None) -> Registry:
    """The models at hand; new ones go into `models`, or into the user's folder where it is None."""
    return Registry.default(models)


def load_frozen(registry: Registry, id: str) -> StableDiffusionPipeline:
    """The model in float32 on this process's device, channels last (faster on a CPU), without gradients."""
    pipeline = load(registry.pieces(id), registry.card(id).kind, PartialState().device, torch.float32)
    for module in (pipeline.unet, pipeline.vae):
        module.to(memory_format=torch.channels_last)
    return pipeline


def load_autoencoder(folder: Path) -> AutoencoderKL:
    """The autoencoder of a folder in float32, frozen, on the CPU. Raises UserError for what is none."""
    check_piece(folder, "vae")
    return load_piece(folder, torch.float32, "vae")


def fingerprint(*modules: nn.Module) -> str:
    """12 hexadecimal digits that tell weights apart: of the SHA-256 of all parameters and buffers."""
    digest = hashlib.sha256()
    for module in modules:
        for tensor in module.state_dict().values():
            digest.update(tensor.detach().cpu().contiguous().numpy())
    return digest.hexdigest()[:12]


def flow_scheduler(id: str, own: SchedulerMixin, matched: bool) -> RectifiedFlowScheduler:
    """The scheduler of the flow that a model becomes, by its own one: to train with and to publish.

    A diffusion model goes on predicting epsilon or v on its noise schedule (`matched`) or gives its weights
    to a velocity model. A rectified flow always goes on predicting what it predicts. Raises UserError, naming
    the model `id`, for one that cannot be published so.
    """
    if isinstance(own, RectifiedFlowScheduler):
        if own.turned:
            raise UserError(f"{id} predicts x0 - x1, noise minus data: training takes no such model on.")
        return RectifiedFlowScheduler.from_config(own.config)
    if not matched:
        return RectifiedFlowScheduler()
    schedule_of(own)
    return with_schedule_of(id, own, RectifiedFlowScheduler)


def with_schedule_of(id: str, own: SchedulerMixin, cls: type[SchedulerT], **more: object) -> SchedulerT:
    """A scheduler of a class of ours on the noise schedule of a diffusion model's own.

    more: of its config. Raises UserError, naming the model `id`, where that class has no such schedule.
    """
    names = inspect.signature(cls).parameters.keys() & own.config.keys()
    scheduler = cls(**{name: own.config[name] for name in names} | more)
    if not torch.allclose(scheduler.alphas_cumprod, own.alphas_cumprod.double(), rtol=1e-2, atol=1e-6):
        raise UserError(f"{id} has a noise schedule of its own, which {cls.__name__} cannot carry on.")
    return scheduler


def stacked(id: str, unet: UNet2DConditionModel) -> StackedUNet:
    """The U-Net of the model `id` and, behind it, a second one; UserError where there is one already."""
    if isinstance(unet, StackedUNet):
        raise UserError(f"{id} has two U-Nets already: leave --stacked out.")
    return StackedUNet.of(unet)


def latent_shape(pipeline: StableDiffusionPipeline) -> tuple[int, int, int]:
    """Channels, height and width of the model's latents."""
    config = pipeline.unet.config
    return config.in_channels, config.sample_size, config.sample_size


def noise_of(seeds: Sequence[int], shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise [B, *shape] on the CPU, each sample from its own seed, as the worker draws it."""
    return torch.stack([torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in seeds])


@torch.no_grad()
def encode(pipeline: StableDiffusionPipeline, prompts: Sequence[str]) -> Tensor:
    """Text embeddings [B, L, D] of the prompts, as the stock pipeline makes them of what is visible."""
    tokens = pipeline.tokenizer(
        [visible(prompt) for prompt in prompts],
        padding="max_length",
        max_length=pipeline.tokenizer.model_max_length,
        truncation=True,
        return_tensors="pt",
    )
    return pipeline.text_encoder(tokens.input_ids.to(pipeline.text_encoder.device))[0]


@torch.no_grad()
def sample(
    unet: UNet2DConditionModel,
    scheduler: SchedulerMixin,
    noise: Tensor,
    text: Tensor,
    null: Tensor,
    guidance: float,
    steps: int,
) -> Tensor:
    """Latents [B, C, H, W] from noise [B, C, H, W], as the stock pipeline samples them.

    text: [B, L, D]; null: [1, L, D], the empty text's; guidance above 1 costs a double call a step, but for a
    U-Net that takes it as an input (latent consistency models, arXiv 2310.04378).
    """
    width, told = getattr(unet, "config", {}).get("time_cond_proj_dim"), {}
    if width:
        scales = torch.full((len(noise),), guidance - 1.0)
        embedding = StableDiffusionPipeline.get_guidance_scale_embedding(None, scales, width)
        told["timestep_cond"] = embedding.to(noise)
    guided = guidance > 1.0 and not width
    if guided:
        text = torch.cat([null.expand_as(text), text])
    scheduler.set_timesteps(steps, device=noise.device)
    x = noise * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        z = scheduler.scale_model_input(torch.cat([x, x]) if guided else x, t)
        prediction = unet(z, t, encoder_hidden_states=text, **told, return_dict=False)[0].float()
        if guided:
            unconditional, conditioned = prediction.chunk(2)
            prediction = unconditional + guidance * (conditioned - unconditional)
        x = scheduler.step(prediction, t, x, return_dict=False)[0]
    return x


def drawn(
    pipeline: StableDiffusionPipeline,
    captions: Sequence[str],
    seeds: Sequence[int],
    guidance: float,
    steps: int,
    unet: Callable | None = None,
    scheduler: SchedulerMixin | None = None,
) -> Tensor:
    """Latents [B, C, H, W] of captions, each from the noise of its seed, as `sample` samples them.

    unet, scheduler: where they are not the pipeline's.
    """
    text, null = encode(pipeline, captions), encode(pipeline, [""])
    noise = noise_of(seeds, latent_shape(pipeline)).to(text.device)
    how = unet or pipeline.unet, scheduler or pipeline.scheduler
    return sample(*how, noise, text, null, guidance, steps)


def decode(pipeline: StableDiffusionPipeline, latents: Tensor) -> Tensor:
    """Images [B, 3, 8H, 8W], about -1..1, of scaled latents [B, C, H, W]; keeps gradients."""
    return pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor, return_dict=False)[0]


def publish_unet(
    registry: Registry,
    unet: UNet2DConditionModel,
    scheduler: SchedulerMixin,
    card: ModelCard,
    overwrite: bool,
) -> None:
    """Publish, on the first process, a U-Net in float16 and its scheduler; the rest is its teacher's."""

    def build(folder: Path) -> None:
        unet.half().to(memory_format=torch.contiguous_format).save_pretrained(folder / "unet")
        scheduler.save_pretrained(folder / "scheduler")

    if PartialState().is_main_process:
        with disk_full_named(registry.folders[-1] / card.id):
            borrowing = replace(card, base_model=registry.lender(card.lineage[-1]))
            where = registry.publish(card.id, build, borrowing, overwrite=overwrite)
        print(f"published {card.id} in {where}", flush=True)
    PartialState().wait_for_everyone()
