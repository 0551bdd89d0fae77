"""Train the pocket autoencoder: 192x192 pictures to [8, 24, 24] latents and back, a stock `AutoencoderKL`.

    python -m trainers.pocket.autoencoder
    python -m trainers.pocket.autoencoder --measure assets/models/pocket-sd/vae     (what is bundled)

Stops cleanly on Ctrl-C; the same command resumes. The finished autoencoder stands in RUN/vae.
Loss, after latent diffusion's (arXiv 2112.10752, section 3.1): the error of pixels and of their gradients, a
small KL term, and from `fine_from` on LPIPS and what a patch discriminator (arXiv 1611.07004) tells. Crops
first (more variety a step), then whole pictures (so that group normalisation sees what it will see in use).
"""

from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import BUNDLED, Perceptual
from rf_app.metrics.sharpness import laplacian_energy
from rf_app.settings.training import SteppedTraining
from trainers.common import LoopConfig, command, train
from trainers.common.pixels import psnr, to_tensor
from trainers.common.precision import accelerator_in
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.pocket.pictures import FAMILY_SIZE, pictures
from trainers.pocket.reconstruction import reconstructed
from trainers.pocket.world import HELD_OUT

LATENT_CHANNELS = 8
LOG_VARIANCE = -6.0  # of the posterior, at first
CROP = 96
SHOWN, MEASURED = 32, 256  # held-out drawings, while it learns and at the end


@dataclass(frozen=True, kw_only=True)
class AutoencoderConfig(SteppedTraining):
    """Settings of the autoencoder's training; the defaults make the bundled one."""

    run: Path = field(default_factory=partial(default_run, "pocket/autoencoder"))
    """Run folder: checkpoints, events, samples and the result."""
    perceptual: Path = BUNDLED
    """Folder of the judge whose feature maps LPIPS compares."""
    measure: Path | None = None
    """Train nothing: measure the autoencoder in this folder."""
    pictures: int = 24_000
    """Number of drawings to learn from."""
    steps: int = 6_000
    batch: int = 12
    """Crops in a batch (whole pictures: a quarter as many)."""
    whole_from: float = 0.6
    """Share of the steps after which whole pictures replace crops."""
    learning_rate: float = 1e-3
    fine_from: float = 0.4
    """Share of the steps after which LPIPS and the discriminator are listened to."""
    perceptual_weight: float = 0.5
    """Weight of LPIPS."""
    adversarial_weight: float = 0.02
    """Weight of what the discriminator says."""
    kl: float = 1e-5
    """Weight of the KL term a latent element."""
    ema: float = 0.998


def build() -> AutoencoderKL:
    """The untrained pocket autoencoder, 2.7 M parameters: most of them where pictures are small."""
    levels = (32, 32, 64, 128)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * len(levels),
        up_block_types=("UpDecoderBlock2D",) * len(levels),
        block_out_channels=levels,
        layers_per_block=1,
        latent_channels=LATENT_CHANNELS,
        norm_num_groups=8,
        sample_size=FAMILY_SIZE,
        mid_block_add_attention=False,
    )
    # As it comes, the posterior is wider than its means are apart: for long only light gets through.
    with torch.no_grad():
        vae.quant_conv.weight[LATENT_CHANNELS:] = 0
        vae.quant_conv.bias[LATENT_CHANNELS:] = LOG_VARIANCE
    return vae


class Discriminator(nn.Sequential):
    """Of images [B, 3, H, W], a score [B, 1, H/4, W/4] of each patch of 22 pixels: above 0 if it is drawn."""

    def __init__(self) -> None:
        super().__init__(
            nn.Conv2d(3, 32, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(32, 64, 4, stride=2, padding=1, bias=False),
            nn.GroupNorm(8, 64),
            nn.LeakyReLU(0.2),
            nn.Conv2d(64, 128, 3, padding=1, bias=False),
            nn.GroupNorm(8, 128),
            nn.LeakyReLU(0.2),
            nn.Conv2d(128, 1, 3, padding=1),
        )


class Reconstruction(nn.Module):
    """Autoencoder and discriminator as one function: one forward call a step, on every process."""

    def __init__(self, vae: AutoencoderKL) -> None:
        super().__init__()
        self.vae, self.discriminator = vae, Discriminator()

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of images [B, 3, H, W] and noise [B, 8, H/8, W/8]: reconstruction, and three means.

        They are the KL term a latent element, the autoencoder's adversarial loss, which leaves the
        discriminator alone, and the discriminator's (hinge, arXiv 1705.02894), which leaves the autoencoder.
        """
        posterior = self.vae.encode(images).latent_dist
        mean, log_variance = posterior.mean.float(), posterior.logvar.float()
        kl = 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
        result = self.vae.decode(mean + torch.exp(0.5 * log_variance) * noise).sample.float()
        frozen = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        fooled = -functional_call(self.discriminator, frozen, result).mean()
        drawn, made = self.discriminator(images), self.discriminator(result.detach())
        told = functional.relu(1 - drawn).mean() + functional.relu(1 + made).mean()
        return result, kl, fooled, told


def pixel_loss(result: Tensor, target: Tensor) -> Tensor:
    """L1 + 2 L2 + L1 of horizontal and vertical differences."""
    error = result - target
    across, down = error[..., 1:] - error[..., :-1], error[..., 1:, :] - error[..., :-1, :]
    return error.abs().mean() + 2 * error.square().mean() + across.abs().mean() + down.abs().mean()


def figures_of(result: np.ndarray, target: np.ndarray) -> dict[str, float]:
    """How near uint8 images [N, H, W, 3] are to drawings: PSNR in dB, and Laplacian energy (drawings: 1)."""
    made, drawn = to_tensor(result), to_tensor(target)
    sharpness = laplacian_energy(made).mean() / laplacian_energy(drawn).mean()
    return {"psnr": psnr(made, drawn).mean().item(), "sharpness": sharpness.item()}


def main(config: AutoencoderConfig) -> None:
    """Train, then save to RUN/vae with latents of mean 0 and variance 1; or measure what there is."""
    if config.measure:
        return print(measured(AutoencoderKL.from_pretrained(config.measure).eval()))
    accelerator = accelerator_in(config.precision)
    torch.manual_seed(config.seed)
    with accelerator.main_process_first():
        images = pictures(config.pictures, cache=config.run.parent / "drawings", size=FAMILY_SIZE)
    model = Reconstruction(build()).to(memory_format=torch.channels_last)
    perceptual = Perceptual(Judge.load(config.perceptual))
    perceptual = perceptual.to(accelerator.device, memory_format=torch.channels_last)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        done = draw / (config.steps * config.accumulate)
        whole = done >= config.whole_from
        side, count = (FAMILY_SIZE, config.batch // 4 or 1) if whole else (CROP, config.batch)
        picks = torch.randint(len(images), (count,), generator=generator).tolist()
        corners = torch.randint(FAMILY_SIZE - side + 1, (count, 2), generator=generator).tolist()
        crops = [images[i, y : y + side, x : x + side] for i, (y, x) in zip(picks, corners, strict=True)]
        target = to_tensor(np.stack(crops), accelerator.device)
        noise = torch.randn(count, LATENT_CHANNELS, side // 8, side // 8, generator=generator)
        result, kl, fooled, told = model(target, noise.to(accelerator.device))
        pixels = pixel_loss(result, target)
        fine = done >= config.fine_from
        total = pixels + config.kl * kl + fine * (config.adversarial_weight * fooled + told)
        figures = {"pixels": pixels, "discriminator": told}
        if fine:
            distance = perceptual(result, target).mean()
            total, figures["lpips"] = total + config.perceptual_weight * distance, distance
        return total, figures

    held_out = pictures(SHOWN, HELD_OUT, size=FAMILY_SIZE)

    def samples(model: nn.Module, step: int) -> dict[str, float]:
        result = reconstructed(model.vae, held_out)
        rows = [to_tensor(each[i : i + 8]) for i in range(0, SHOWN, 8) for each in (held_out, result)]
        write_sheet(config.run / "samples" / f"step-{step:06d}.png", rows)
        return figures_of(result, held_out)

    loop = LoopConfig.of(config, config.run, sample_every=max(100, config.steps // 12))
    vae = train(loop, model, loss, samples).vae
    if accelerator.is_main_process:
        standardise(vae, images[:1024])
        vae.save_pretrained(config.run / "vae")
        print(measured(vae))


def measured(vae: AutoencoderKL) -> str:
    """The figures of an autoencoder on held-out drawings, in words."""
    drawn = pictures(MEASURED, HELD_OUT, size=FAMILY_SIZE)
    found = figures_of(reconstructed(vae, drawn), drawn)
    return (
        f"{found['psnr']:.2f} dB, Laplacian energy {found['sharpness']:.3f} of the drawings', "
        f"on {MEASURED} held-out drawings"
    )


@torch.no_grad()
def standardise(vae: AutoencoderKL, images: np.ndarray) -> None:
    """Give every latent channel mean 0 and variance 1 over ``images`` (uint8 [N, H, W, 3]), in place.

    The change is folded into the 1x1 convolutions on both sides of the latents, so pictures stay as they were
    and the scaling factor is 1: the diffusion model sees all channels at the same signal-to-noise ratio.
    """
    device = next(vae.parameters()).device
    batches = np.array_split(images, -(-len(images) // 32))
    latents = torch.cat([vae.encode(to_tensor(batch, device)).latent_dist.mean for batch in batches])
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
