"""Train the pocket autoencoder: 96x96 pictures to [8, 12, 12] latents and back, a stock `AutoencoderKL`.

    python -m trainers.pocket.autoencoder

Stops cleanly on Ctrl-C; the same command resumes. The finished autoencoder stands in RUN/vae.
Loss: L1 + 2 L2 + L1 of the image gradients + a small KL term, heavier where the object is. Crops first
(more variety a step), then whole pictures (so that group normalisation sees what it will see in use).
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn

from rf_app.settings.training import SteppedTraining
from trainers.common import LoopConfig, command, train
from trainers.common.pixels import to_tensor
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.pocket.pictures import FAMILY_SIZE, object_masks, pictures
from trainers.pocket.world import HELD_OUT

LATENT_CHANNELS = 8
CROP = 48


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(SteppedTraining):
    """Settings of the autoencoder's training; the defaults make the bundled one."""

    run: Path = field(default_factory=partial(default_run, "pocket/autoencoder"))
    """Run folder: checkpoints, events, samples and the result."""
    pictures: int = 12_000
    """Number of drawings to learn from."""
    steps: int = 6_000
    batch: int = 24
    """Crops in a batch (whole pictures: a quarter as many)."""
    whole_from: float = 0.5
    """Share of the steps after which whole pictures replace crops."""
    learning_rate: float = 1.5e-3
    object_weight: float = 3.0
    """Extra weight of a pixel that belongs to the object."""
    kl: float = 1e-5
    """Weight of the KL term a latent element."""
    ema: float = 0.998


def build() -> AutoencoderKL:
    """The untrained pocket autoencoder, 3.1 M parameters."""
    levels = (24, 48, 96, 128)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(levels),
        up_block_types=("UpDecoderBlock2D",) * len(levels),
        block_out_channels=levels,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=FAMILY_SIZE,
        mid_block_add_attention=False,
    )


class Reconstruction(nn.Module):
    """The autoencoder as one differentiable function: one forward call a step, on every process."""

    def __init__(self, vae: AutoencoderKL):
        super().__init__()
        self.vae = vae

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Images [B, 3, H, W] and noise [B, 8, H/8, W/8] to reconstruction and KL term a latent element."""
        with torch.autocast(images.device.type, torch.bfloat16):
            posterior = self.vae.encode(images).latent_dist
            mean, log_variance = posterior.mean.float(), posterior.logvar.float()
            latents = mean + torch.exp(0.5 * log_variance) * noise
            images = self.vae.decode(latents).sample.float()
        return images, 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()


def reconstruction_loss(result: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Weighted L1 + 2 L2 + L1 of horizontal and vertical differences; weight is [B, 1, H, W]."""
    error = result - target
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return (
        (weight * (error.abs() + 2 * error.square())).mean()
        + (weight[..., 1:] * across.abs()).mean()
        + (weight[..., 1:, :] * down.abs()).mean()
    )


def main(config: AutoencoderConfig) -> None:
    """Train, then save to RUN/vae with latents of mean 0 and variance 1."""
    accelerator = accelerator_in(config.precision)
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        images = pictures(config.pictures, cache=config.run.parent / "drawings", size=FAMILY_SIZE)
        masks = object_masks(config.pictures, cache=config.run.parent / "drawings", size=FAMILY_SIZE)
    model = Reconstruction(build()).to(memory_format=torch.channels_last)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        whole = draw >= config.whole_from * config.steps * config.accumulate
        side, count = (FAMILY_SIZE, max(1, config.batch // 4)) if whole else (CROP, config.batch)
        picks = torch.randint(len(images), (count,), generator=generator).tolist()
        corners = (torch.randint(FAMILY_SIZE - side + 1, (count, 2), generator=generator)).tolist()
        windows = [
            (i, slice(y, y + side), slice(x, x + side)) for i, (y, x) in zip(picks, corners, strict=True)
        ]
        target = to_tensor(np.stack([images[window] for window in windows]))
        weight = (
            1
            + config.object_weight
            * torch.from_numpy(np.stack([masks[window] for window in windows]))[:, None]
        )
        noise = torch.randn(count, LATENT_CHANNELS, side // 8, side // 8, generator=generator)
        device = next(model.parameters()).device
        target, weight = target.to(device), weight.to(device)
        result, kl = model(target, noise.to(device))
        return reconstruction_loss(result, target, weight) + config.kl * kl

    held_out = pictures(32, HELD_OUT, size=FAMILY_SIZE)

    def samples(model: nn.Module, step: int) -> None:
        device = next(model.parameters()).device
        target = to_tensor(held_out).to(device)
        result = model(
            target,
            torch.zeros(len(held_out), LATENT_CHANNELS, FAMILY_SIZE // 8, FAMILY_SIZE // 8, device=device),
        )[0]
        decibels = -10 * ((result - target) / 2).square().mean((1, 2, 3)).log10()
        print(f"\nstep {step}: {decibels.mean():.2f} dB on held-out drawings", flush=True)
        rows = [half for pair in zip(target.split(8), result.split(8), strict=True) for half in pair]
        write_sheet(config.run / "samples" / f"step-{step:06d}.png", rows)

    loop = LoopConfig.of(config, config.run, sample_every=1000)
    vae = train(loop, model, loss, samples).vae
    if accelerator.is_main_process:
        standardise(vae, images[:1024])
        vae.save_pretrained(config.run / "vae")


@torch.no_grad()
def standardise(vae: AutoencoderKL, images: np.ndarray) -> None:
    """Give every latent channel mean 0 and variance 1 over ``images`` (uint8 [N, 96, 96, 3]), in place.

    The change is folded into the 1x1 convolutions on both sides of the latents, so pictures stay as they were
    and the scaling factor is 1: the diffusion model sees all channels at the same signal-to-noise ratio.
    """
    device = next(vae.parameters()).device
    batches = np.array_split(images, -(-len(images) // 32))
    latents = torch.cat([vae.encode(to_tensor(batch).to(device)).latent_dist.mean for batch in batches])
    mean, deviation = latents.mean((0, 2, 3)), latents.std((0, 2, 3))
    encoder, decoder, channels = vae.quant_conv, vae.post_quant_conv, len(mean)
    encoder.weight[:channels] /= deviation[:, None, None, None]
    encoder.bias[:channels] = (encoder.bias[:channels] - mean) / deviation
    encoder.bias[channels:] -= 2 * deviation.log()
    decoder.bias += decoder.weight[:, :, 0, 0] @ mean
    decoder.weight *= deviation[None, :, None, None]
    vae.register_to_config(scaling_factor=1.0)


if __name__ == "__main__":
    command.run(main, AutoencoderConfig)
