"""How sharp pictures are: the Laplacian energy, which blur lowers, and noise or sharpening raise."""

import torch
from torch import Tensor
from torch.nn import functional

GREY = (0.299, 0.587, 0.114)  # Rec. 601 luma
LAPLACIAN = ((0.0, 1.0, 0.0), (1.0, -4.0, 1.0), (0.0, 1.0, 0.0))


def laplacian_energy(images: Tensor) -> Tensor:
    """Mean absolute 4-neighbour Laplacian [B] of the grey of images [B, 3, H, W], at their own size.

    What is shared with drawings is a ratio: 1 for pictures as sharp as they are.
    """
    grey = (images * torch.tensor(GREY, device=images.device)[:, None, None]).sum(1, keepdim=True)
    kernel = torch.tensor(LAPLACIAN, device=images.device)[None, None]
    return functional.conv2d(grey, kernel).abs().mean((1, 2, 3))
