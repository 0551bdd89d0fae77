"""Pictures between uint8, as they are stored, and floats in -1..1, as networks have them."""

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

PIXELS = 2**20  # of pictures that an autoencoder takes at once: 28 of 192x192, four of 512x512


def to_tensor(pixels: np.ndarray, device: torch.device | str = "cpu") -> Tensor:
    """uint8 [B, H, W, 3] to float [B, 3, H, W] in -1..1 on `device`, channels last in memory."""
    return torch.tensor(pixels, device=device).permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1


def to_pixels(images: Tensor) -> np.ndarray:
    """Float [B, 3, H, W] in -1..1 to uint8 [B, H, W, 3]."""
    return (
        ((images.float().clamp(-1, 1) + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu().numpy()
    )


def at_once(size: int) -> int:
    """How many pictures, `size` pixels a side, go through a model at once: 64 at most."""
    return min(64, max(1, PIXELS // size**2))


def psnr(images: Tensor, others: Tensor) -> Tensor:
    """Peak signal-to-noise ratio [B] in dB between pictures [B, 3, H, W] in -1..1: how near they are."""
    return 10 * (2**2 / (images - others).square().mean((1, 2, 3)).clamp(min=1e-10)).log10()


def roughen(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror, blur, tint and noise pictures a little, as a decoder might; [B, 3, H, W] in and out.

    generator: of the device that the pictures are on.
    """

    def uniform(*channels: int) -> Tensor:
        shape = (len(images), *(channels or (1,)), 1, 1)
        return torch.rand(shape, generator=generator, device=images.device)

    images = torch.where(uniform() < 0.5, images.flip(3), images)
    blurred = functional.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    images = images.lerp(blurred, uniform())
    noise = torch.randn(images.shape, generator=generator, device=images.device)
    return images * (0.95 + 0.1 * uniform(3)) + 0.1 * (uniform(3) - 0.5) + 0.06 * uniform() * noise
