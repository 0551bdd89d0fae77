"""A U-Net that follows a condition map, as training and measuring call it."""

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn


def controlled(
    controlnet: nn.Module, unet: nn.Module, maps: Tensor, strength: float = 1.0, seen: Tensor | None = None
) -> Callable:
    """`unet` as a function of (z, t, text) that follows `maps` [B, 3, H, W] in 0..1, as diffusers does it.

    seen: what the ControlNet sees as z, if not z.
    """

    def call(z: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool = False):
        drawn = maps.repeat(len(z) // len(maps), 1, 1, 1)  # twice under guidance
        down, middle = controlnet(
            z if seen is None else seen,
            t,
            encoder_hidden_states=encoder_hidden_states,
            controlnet_cond=drawn,
            conditioning_scale=strength,
            return_dict=False,
        )
        return unet(
            z,
            t,
            encoder_hidden_states=encoder_hidden_states,
            down_block_additional_residuals=down,
            mid_block_additional_residual=middle,
            return_dict=return_dict,
        )

    return call


def as_maps(edges: Sequence[np.ndarray]) -> Tensor:
    """Edges (bool [H, W] each) as the stock pipelines give them to a ControlNet: [B, 3, H, W], 0 or 1."""
    return torch.from_numpy(np.stack(edges)).float()[:, None].expand(-1, 3, -1, -1)
