"""How far pictures have moved from one style towards another."""

from collections.abc import Sequence

import torch
from torch import Tensor


def style_statistics(maps: Sequence[Tensor]) -> Tensor:
    """Mean and deviation of every channel of feature maps (each [B, C, H, W]): [B, 2 * all channels].

    Where things stand does not matter, only which colours, edges and textures there are and how strongly: the
    statistics that carry a picture's style (AdaIN, arXiv 1703.06868).
    """
    flat = [each.flatten(2) for each in maps]
    return torch.cat([part for each in flat for part in (each.mean(2), each.std(2))], dim=1)


class StyleAxis:
    """The way from plain pictures to styled ones in the space of statistics."""

    def __init__(self, plain: Tensor, styled: Tensor) -> None:
        """plain, styled: statistics [N, D] of reference pictures, drawn of the same scenes."""
        self.scale = plain.std(0).clamp(min=1e-6)
        self.way = (styled.mean(0) - plain.mean(0)) / self.scale

    def shift(self, before: Tensor, after: Tensor) -> float:
        """How far pictures moved from `before` to `after` (statistics [M, D] each): 1 is all the way.

        The mean movement is projected on the way, so what else changed does not count; over 1 is beyond.
        """
        moved = (after.mean(0) - before.mean(0)) / self.scale
        return float(moved @ self.way / (self.way @ self.way))
