"""What the judge sees in any number of pictures: their attributes and their style."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from rf_app.metrics.judge import Judge
from rf_app.metrics.style import style_statistics

BATCH = 50
STAGES = 3  # of the judge, the finest: where a style is seen
Seen = Mapping[str, Sequence[str]]
"""For each attribute the values in N pictures."""


@torch.no_grad()
def logits(judge: Judge, images: Tensor) -> dict[str, Tensor]:
    """Logits [N, kinds] of each attribute for images [N, 3, H, W] in -1..1."""
    parts = [judge(part) for part in images.split(BATCH)]
    return {name: torch.cat([part[name] for part in parts]) for name in judge.kinds}


def seen(judge: Judge, images: Tensor) -> Seen:
    """The attributes of images [N, 3, H, W] in -1..1."""
    found = logits(judge, images)
    return {name: [kinds[i] for i in found[name].argmax(1).tolist()] for name, kinds in judge.kinds.items()}


@torch.no_grad()
def style(judge: Judge, images: Tensor) -> Tensor:
    """Style statistics [N, D] of images [N, 3, H, W] in -1..1."""
    return torch.cat([style_statistics(judge.maps(part)[:STAGES]) for part in images.split(BATCH)])
