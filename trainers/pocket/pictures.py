"""Drawings as arrays: many seeds drawn at once on all cores, kept in a folder that the trainers share."""

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from rf_app.registry.disk import write_atomically
from trainers.pocket.drawing import SIZE, draw
from trainers.pocket.world import describe, details

CHUNK = 256
BENT, HEIGHT = 0.65, 20  # share of the bent pictures, and how far at most, in pixels


def pictures(count: int, first_seed: int = 0, cache: Path | None = None) -> np.ndarray:
    """The pictures of ``count`` seeds from ``first_seed`` on, uint8 [count, 96, 96, 3].

    With ``cache`` they are drawn once and read from ``cache`` afterwards.
    """
    return _drawn(_picture_chunk, (count, SIZE, SIZE, 3), first_seed, cache)


def bent_pictures(count: int, cache: Path | None = None) -> np.ndarray:
    """The pictures of the first ``count`` seeds, most of them with ridges and hills of any form."""
    return _drawn(_bent_chunk, (count, SIZE, SIZE, 3), 0, cache)


def object_masks(count: int, first_seed: int = 0, cache: Path | None = None) -> np.ndarray:
    """Where the object is, found by leaving it out: uint8 0 or 1, [count, 96, 96]."""
    return _drawn(_mask_chunk, (count, SIZE, SIZE), first_seed, cache)


def _drawn(draw_chunk, shape: tuple[int, ...], first_seed: int, cache: Path | None) -> np.ndarray:
    path = cache / f"{draw_chunk.__name__.strip('_')}-{first_seed}-{shape[0]}.npy" if cache else None
    if path and path.exists():
        return np.load(path)
    chunks = [range(i, min(i + CHUNK, shape[0])) for i in range(0, shape[0], CHUNK)]
    result = np.empty(shape, np.uint8)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        jobs = pool.map(draw_chunk, [[first_seed + i for i in chunk] for chunk in chunks])
        for chunk, drawn in zip(
            chunks, tqdm(jobs, total=len(chunks), desc="drawing", unit="chunk"), strict=True
        ):
            result[chunk.start : chunk.stop] = drawn
    if path:
        write_atomically(path, lambda temporary: _save(temporary, result))
    return result


def _save(path: Path, array: np.ndarray) -> None:
    with path.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def _picture_chunk(seeds: list[int]) -> np.ndarray:
    return np.stack([draw(describe(seed)[0], details(seed)) for seed in seeds])


def _bent_chunk(seeds: list[int]) -> np.ndarray:
    return np.stack([draw(describe(seed)[0], details(seed), _bend(seed)) for seed in seeds])


def _bend(seed: int) -> np.ndarray | None:
    """A line of a few straight pieces, in pixels; for some seeds none."""
    rng = np.random.Generator(np.random.PCG64([seed, 2]))
    if rng.random() >= BENT:
        return None
    knots = rng.integers(3, 8)
    x = np.concatenate([[0], np.sort(SIZE * rng.random(knots - 2)), [SIZE]])
    y = HEIGHT * (2 * rng.random(knots) - 1)
    return np.interp(np.arange(SIZE) + 0.5, x, y).astype(np.float32)


def _mask_chunk(seeds: list[int]) -> np.ndarray:
    masks = []
    for seed in seeds:
        scene = describe(seed)[0]
        bare = draw(replace(scene, object="none"), details(seed))
        masks.append(np.any(draw(scene, details(seed)) != bare, axis=-1))
    return np.stack(masks).astype(np.uint8)


class Drawings:
    """Bent drawings with their captions, as `trainers.data.images.ImageFolder` has them.

    What learns to follow lines must see land that follows lines, not the few ridges that this world has.
    """

    def __init__(self, count: int, cache: Path) -> None:
        """Draw ``count`` pictures, or read them from ``cache``."""
        self.drawn = bent_pictures(count, cache)

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.drawn)

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, uint8 [B, 96, 96, 3]."""
        return self.drawn[list(indices)]

    def caption(self, index: int) -> str:
        """The caption of a picture."""
        return describe(index)[1].text

    def digest(self) -> str:
        """What tells these pictures from others."""
        return f"{len(self)} bent drawings of the pocket world"
