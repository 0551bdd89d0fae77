"""The first edition of the pocket world, which the bundled models know; it leaves with them.

Everything a pocket model can know is in a `Scene`; a seed gives scene, caption and picture, the same on every
machine.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from trainers.pocket.first_edition.attributes import Scene
from trainers.pocket.first_edition.captions import Caption, write_caption
from trainers.pocket.first_edition.drawing import SIZE, draw
from trainers.pocket.world import bend, details


def describe(seed: int) -> tuple[Scene, Caption]:
    """Scene and caption of ``seed``, without drawing it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = Scene.random(rng)
    return scene, write_caption(scene, rng)


def picture(seed: int, size: int = SIZE) -> np.ndarray:
    """The picture of ``seed``, uint8 [96, 96, 3]; the first edition has no other size."""
    return draw(describe(seed)[0], details(seed))


def stating(stated: Mapping[str, str], seed: int, size: int = SIZE) -> np.ndarray:
    """A picture with the ``stated`` attributes, uint8 [96, 96, 3]; all else ``seed`` decides."""
    scene = Scene.random(np.random.Generator(np.random.PCG64(seed)))
    return draw(replace(scene, **stated), details(seed))


def bent_picture(seed: int, size: int = SIZE) -> np.ndarray:
    """The picture of ``seed`` along its bend, uint8 [96, 96, 3]."""
    if (line := bend(seed)) is None:
        return picture(seed)
    x, y = line
    lower = SIZE * np.interp((np.arange(SIZE) + 0.5) / SIZE, x, y)
    return draw(describe(seed)[0], details(seed), lower.astype(np.float32))
