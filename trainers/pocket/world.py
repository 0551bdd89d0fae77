"""The pocket world: landscape posters drawn from known attributes, with captions.

Everything a pocket model can know is in a `Scene`; a seed (0 or more) gives the scene, its caption and its
picture, the same on every machine. Training uses small seeds; seeds from `HELD_OUT` on are never trained on.

Look at it:  python -m trainers.pocket.world --sheet sheet.png
One prompt:  python -m trainers.pocket.world --sheet sheet.png --prompt "a castle in winter" --columns 4
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers.utils import make_image_grid
from PIL import Image

from trainers.common import command
from trainers.pocket.captions import Caption, read_caption, write_caption
from trainers.pocket.drawing import SIZE, draw
from trainers.pocket.scene import Scene

HELD_OUT = 1_000_000_000
BENT, HEIGHT = 0.65, 0.2  # share of the bent pictures, and how far at most, in shares of the side


def describe(seed: int) -> tuple[Scene, Caption]:
    """Scene and caption of ``seed``, without drawing it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = Scene.random(rng)
    return scene, write_caption(scene, rng)


def details(seed: int) -> np.random.Generator:
    """The generator that decides everything about the picture of ``seed`` which its scene leaves open."""
    return np.random.Generator(np.random.PCG64([seed, 1]))


def picture(seed: int, size: int = SIZE) -> np.ndarray:
    """The picture of ``seed``, uint8 [size, size, 3]."""
    return draw(describe(seed)[0], details(seed), size)


def bent_picture(seed: int, size: int = SIZE) -> np.ndarray:
    """The picture of ``seed`` along its `bend`, with ridges and hills of any form."""
    return draw(describe(seed)[0], details(seed), size, bend(seed))


def bend(seed: int) -> tuple[np.ndarray, np.ndarray] | None:
    """The points (x, y) of a line of a few straight pieces, in shares of the side; for some seeds none."""
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    if rng.random() >= BENT:
        return None
    knots = rng.integers(3, 8)
    x = np.concatenate([[0], np.sort(rng.random(knots - 2)), [1]])
    return x, HEIGHT * (2 * rng.random(knots) - 1)


def prompted(prompt: str, seed: int, size: int = SIZE) -> np.ndarray:
    """A picture of what ``prompt`` says, uint8 [size, size, 3]; what it leaves open, ``seed`` decides."""
    return stating(read_caption(prompt), seed, size)


def stating(stated: Mapping[str, str], seed: int, size: int = SIZE) -> np.ndarray:
    """A picture with the ``stated`` attributes, uint8 [size, size, 3]; all else ``seed`` decides."""
    scene = Scene.random(np.random.Generator(np.random.PCG64(seed)), **stated)
    return draw(scene, details(seed), size)


@dataclass(frozen=True)
class SheetConfig:
    """Draw a contact sheet of the world."""

    sheet: Path
    """PNG file to write."""
    columns: int = 8
    """Posters a side."""
    seed: int = 0
    """Seed of the first poster."""
    size: int = SIZE
    """Side of a poster, in pixels."""
    prompt: str | None = None
    """What every poster shows (default: each what its seed says)."""


def main(config: SheetConfig) -> None:
    """Draw the sheet."""
    posters = []
    for seed in range(config.seed, config.seed + config.columns**2):
        poster = prompted(config.prompt, seed, config.size) if config.prompt else picture(seed, config.size)
        posters.append(Image.fromarray(poster))
    make_image_grid(posters, config.columns, config.columns).save(config.sheet, format="PNG")


if __name__ == "__main__":
    command.run(main, SheetConfig)
