"""Train an autoencoder from nothing: pictures to latents of an eighth of their side and back.

    python -m trainers.autoencoder                                            (drawings of the pocket world)
    python -m trainers.autoencoder --images pictures/ --size 96 --channels 16 --run my-run
    python -m trainers.autoencoder --measure assets/models/pocket-sd/vae      (what is bundled)

Stops cleanly on Ctrl-C; the same command resumes. The finished autoencoder stands in RUN/vae.
Loss, after latent diffusion's (arXiv 2112.10752, section 3.1): the error of pixels and of their gradients, a
small KL term, and from `fine_from` on LPIPS and what a patch discriminator (arXiv 1611.07004) tells. Crops
first (more variety a step), then whole pictures (so that group normalisation sees what it will see in use).
"""

import numpy as np
import torch
from diffusers import AutoencoderKL
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional

from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import Perceptual
from rf_app.metrics.sharpness import laplacian_energy
from rf_app.settings.from_nothing import Autoencoder
from trainers.common import LoopConfig, command, train
from trainers.common.models import load_autoencoder
from trainers.common.networks import DOWN, build_autoencoder
from trainers.common.pixels import at_once, psnr, to_tensor
from trainers.common.precision import accelerator_in
from trainers.common.reconstruction import reconstructed
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.data.source import Captioned, learned_and_held_out

SMALLEST_CROP = 32
SHOWN, COLUMNS = 32, 8  # held-out pictures, while it learns
STANDARD = 1024  # pictures that the latents' mean and variance are of


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
        self.enable_gradient_checkpointing = vae.enable_gradient_checkpointing

    def forward(self, images: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Of images [B, 3, H, W] and noise [B, C, H/8, W/8]: reconstruction, and three means.

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
    """How near uint8 images [N, H, W, 3] are to a target: PSNR in dB, and Laplacian energy (its own: 1)."""
    made, drawn = to_tensor(result), to_tensor(target)
    sharpness = laplacian_energy(made).mean() / laplacian_energy(drawn).mean()
    return {"psnr": psnr(made, drawn).mean().item(), "sharpness": sharpness.item()}


def main(config: Autoencoder) -> None:
    """Train, then save to RUN/vae with latents of mean 0 and variance 1; or measure what there is."""
    images, held_out = learned_and_held_out(config)
    if config.measure:
        return print(measured(load_autoencoder(config.measure), held_out))
    accelerator = accelerator_in(config.precision)
    run = config.run or default_run("pocket/autoencoder")
    torch.manual_seed(config.seed)
    network = build_autoencoder(config.channels, config.size)
    model = Reconstruction(network).to(memory_format=torch.channels_last)
    perceptual = Perceptual(Judge.load(config.perceptual))
    perceptual = perceptual.to(accelerator.device, memory_format=torch.channels_last)
    crop = max(config.size // 2, SMALLEST_CROP)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> tuple[Tensor, dict[str, Tensor]]:
        done = draw / (config.steps * config.accumulate)
        whole = done >= config.whole_from
        side, count = (config.size, config.batch // 4 or 1) if whole else (crop, config.batch)
        picks = torch.randint(len(images), (count,), generator=generator).tolist()
        corners = torch.randint(config.size - side + 1, (count, 2), generator=generator).tolist()
        pixels = images.pixels(picks)
        crops = [each[y : y + side, x : x + side] for each, (y, x) in zip(pixels, corners, strict=True)]
        target = to_tensor(np.stack(crops), accelerator.device)
        noise = torch.randn(count, config.channels, side // DOWN, side // DOWN, generator=generator)
        result, kl, fooled, told = model(target, noise.to(accelerator.device))
        pixels = pixel_loss(result, target)
        fine = done >= config.fine_from
        total = pixels + config.kl * kl + fine * (config.adversarial_weight * fooled + told)
        figures = {"pixels": pixels, "discriminator": told}
        if fine:
            distance = perceptual(result, target).mean()
            total, figures["lpips"] = total + config.perceptual_weight * distance, distance
        return total, figures

    shown = held_out.pixels(range(min(SHOWN, len(held_out))))

    def samples(model: nn.Module, step: int) -> dict[str, float]:
        result = reconstructed(model.vae, shown)
        columns = min(COLUMNS, len(shown))
        starts = range(0, len(shown) - columns + 1, columns)
        rows = [to_tensor(each[i : i + columns]) for i in starts for each in (shown, result)]
        write_sheet(run / "samples" / f"step-{step:06d}.png", rows)
        return figures_of(result, shown)

    subject = {"pictures": images.digest(), "size": config.size}
    loop = LoopConfig.of(config, run, sample_every=max(100, config.steps // 12), subject=subject)
    vae = train(loop, model, loss, samples).vae
    if accelerator.is_main_process:
        standardise(vae, images.pixels(range(min(STANDARD, len(images)))))
        vae.save_pretrained(run / "vae")
        print(measured(vae, held_out))


def measured(vae: AutoencoderKL, held_out: Captioned) -> str:
    """The figures of an autoencoder on held-out pictures, in words."""
    pictures = held_out.pixels(range(len(held_out)))
    found = figures_of(reconstructed(vae, pictures), pictures)
    return (
        f"{found['psnr']:.2f} dB, Laplacian energy {found['sharpness']:.3f} of the pictures', "
        f"on {len(held_out)} held-out pictures"
    )


@torch.no_grad()
def standardise(vae: AutoencoderKL, images: np.ndarray) -> None:
    """Give every latent channel mean 0 and variance 1 over ``images`` (uint8 [N, H, W, 3]), in place.

    The change is folded into the 1x1 convolutions on both sides of the latents, so pictures stay as they were
    and the scaling factor is 1: the diffusion model sees all channels at the same signal-to-noise ratio.
    """
    device = next(vae.parameters()).device
    batches = np.array_split(images, -(-len(images) // at_once(images.shape[1])))
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
    command.run(main, Autoencoder)
