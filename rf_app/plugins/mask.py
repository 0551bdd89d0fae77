"""Where a picture may change: of its latents on the way, and of its pixels at the end."""

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn import functional

FADE = 16  # of a side: within its border a mask fades, over one part of so many


def of_latents(mask: Image.Image, size: tuple[int, int]) -> Tensor:
    """1 for each latent that a pixel of the mask lies in, 0 elsewhere: [1, 1, h, w] of a size (h, w)."""
    levels = torch.from_numpy(np.array(mask.convert("L"))).float()[None, None] / 255
    return functional.adaptive_max_pool2d(levels, size)


def pasted(new: Image.Image, old: Image.Image, mask: Image.Image) -> Image.Image:
    """The new picture where it may change, fading to the border; the very pixels of the old one elsewhere.

    A narrow mask fades over what it has: in its middle the picture is always new.
    """
    change = np.array(mask.convert("L")) > 0
    if change.all():
        return new
    depth = distance_transform_edt(change) - 0.5  # of a pixel's centre, from the border
    share = (depth / min(max(1, min(mask.size) / FADE), depth.max())).clip(0, 1)
    return Image.composite(new, old, Image.fromarray((255 * share).round().astype(np.uint8)))
