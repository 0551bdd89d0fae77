"""One thing of a picture changed: the words for it, and whether the judge sees it and all else as before."""

from collections.abc import Sequence
from dataclasses import replace
from types import ModuleType

import numpy as np

from trainers.common.sight import Seen


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
