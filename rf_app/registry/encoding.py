"""From pixels to a model's latents, whichever autoencoder it has."""

from diffusers import AutoencoderKL, AutoencoderTiny
from torch import Tensor


def encoded(vae: AutoencoderKL | AutoencoderTiny, pixels: Tensor) -> Tensor:
    """The scaled latents [B, C, h, w], float32, of pixels [B, 3, H, W] in -1..1: the mean of what the
    autoencoder says; a tiny one says no more.
    """
    found = vae.encode(pixels)
    mean = found.latents if isinstance(vae, AutoencoderTiny) else found.latent_dist.mean
    return mean.float() * vae.config.scaling_factor
