"""What the trainers minimise: the losses of reflow and distillation, and the times they are taken at."""

import math

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule, x1_from_velocity
from rf_app.flow.path import Tau, interpolate
from rf_app.flow.velocity import velocity_field
from rf_app.settings.training import Density, LossName
from trainers.common.models import decode
from trainers.data.store import Batch

HUBER = 1e-3  # Rectified Diffusion, arXiv 2410.07303
SHARPNESS = 4.0  # of the U-shaped density
ON_THE_WAY = 0.2, 0.4, 0.6  # where a step "from anywhere" begins when it does not begin at the noise
DROP_TEXT = 0.05  # keeps the empty text meaningful, so that guidance still works


def draw_tau(density: Density, count: int, generator: torch.Generator) -> Tensor:
    """Times [count] in 0..1.

    "u-shaped" is proportional to e^{4 tau} + e^{4 (1 - tau)}: an exponential, mirrored half of the time.
    """
    u = torch.rand(count, generator=generator)
    if density == "uniform":
        return u
    tau = torch.log1p(u * math.expm1(SHARPNESS)) / SHARPNESS
    mirrored = torch.rand(count, generator=generator) < 0.5
    return torch.where(mirrored, 1 - tau, tau)


def draw_begins(count: int, generator: torch.Generator) -> Tensor:
    """Times [count] that a step "from anywhere" begins at: half of them 0, the others `ON_THE_WAY`."""
    picks = torch.randint(len(ON_THE_WAY), (count,), generator=generator)
    at_noise = torch.rand(count, generator=generator) < 0.5
    return torch.tensor(ON_THE_WAY)[picks].masked_fill(at_noise, 0.0)


def drop_text(text: Tensor, null: Tensor, generator: torch.Generator) -> Tensor:
    """Embeddings [B, L, D] with a few replaced by the empty text's [1, L, D]."""
    dropped = torch.rand(len(text), generator=generator) < DROP_TEXT
    return torch.where(dropped.to(text.device)[:, None, None], null, text)


def reflow_loss(
    unet: nn.Module, batch: Batch, tau: Tensor, schedule: NoiseSchedule | None, loss: LossName = "velocity"
) -> Tensor:
    """The loss of one batch at times tau [B]: a scalar, a mean over all numbers.

    E ||(x1 - x0) - v(X_tau, tau | text)||^2 on the straight path (InstaFlow, arXiv 2309.06380, equation 5).
    """
    x = interpolate(batch.x0, batch.x1, tau)
    v = velocity_field(unet, batch.text, schedule=schedule)(x, tau)
    if loss == "velocity":
        return (v - (batch.x1 - batch.x0)).square().mean()
    error = x1_from_velocity(x, v, tau) - batch.x1
    return ((error.square() + HUBER**2).sqrt() - HUBER).mean()


def one_step(unet: nn.Module, batch: Batch, schedule: NoiseSchedule | None, tau: Tau = 0.0) -> Tensor:
    """x + (1 - tau) v(x, tau): latents [B, C, H, W] after one Euler step.

    tau: where it begins on the pairs' straight paths, one time or times [B]; 0 is at the noise.
    """
    x = interpolate(batch.x0, batch.x1, tau)
    return x1_from_velocity(x, velocity_field(unet, batch.text, schedule=schedule)(x, tau), tau)


def distillation_loss(latents: Tensor, batch: Batch) -> Tensor:
    """Squared error of one-step latents, a mean over all numbers (InstaFlow, equation 6; its first stage)."""
    return (latents - batch.x1).square().mean()


def perceptual_loss(
    pipeline: StableDiffusionPipeline, perceptual: nn.Module, latents: Tensor, batch: Batch
) -> Tensor:
    """LPIPS between the decoded pictures of one-step latents and of the pairs, a mean (the second stage).

    perceptual: a `rf_app.metrics.perceptual.Perceptual`.
    """
    # Twice as fast. Not for the U-Net: at tau = 0 a matched one multiplies its rounding by 15.
    with torch.autocast(latents.device.type, torch.bfloat16):
        with torch.no_grad():
            wanted = decode(pipeline, batch.x1)
        return perceptual(decode(pipeline, latents), wanted).float().mean()
