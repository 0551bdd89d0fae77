"""One thing of a picture changed: the words for it, and whether the judge sees it and all else as before."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np
import torch
from torch import Tensor

from rf_app.metrics.judge import Judge

BATCH = 50
Seen = Mapping[str, Sequence[str]]
"""For each attribute the values in N pictures."""


@torch.no_grad()
def seen(judge: Judge, images: Tensor) -> Seen:
    """What the judge sees in images [N, 3, H, W] in -1..1."""
    logits = [judge.attributes(part) for part in images.split(BATCH)]
    return {
        name: [kinds[i] for part in logits for i in part[name].argmax(1).tolist()]
        for name, kinds in judge.kinds.items()
    }


def changed(after: Seen, attributes: Sequence[str], values: Sequence[str]) -> list[bool]:
    """Whether each of N pictures has the value that its attribute should get."""
    return [after[name][i] == value for i, (name, value) in enumerate(zip(attributes, values, strict=True))]


def kept(before: Seen, after: Seen, attributes: Sequence[str | None]) -> list[bool]:
    """Whether each of N pictures has all attributes but its own as before; None: all."""
    return [
        all(after[name][i] == before[name][i] for name in before if name != own)
        for i, own in enumerate(attributes)
    ]


def reworded(world: ModuleType, seed: int, attribute: str, value: str) -> str:
    """The caption of a seed's scene with another value of one attribute, in the wording of its own."""
    rng = np.random.Generator(np.random.PCG64(seed))
    world.Scene.random(rng)  # what comes after it is drawn as it was, so the wording stays
    return world.write_caption(replace(world.describe(seed)[0], **{attribute: value}), rng).text
