"""Drawings as arrays: many seeds drawn at once on all cores, kept in a folder that the trainers share."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.lib.format import open_memmap
from tqdm import tqdm

from rf_app.registry.disk import write_atomically
from trainers.pocket.captions import vocabulary, write_caption
from trainers.pocket.drawing import SIZE
from trainers.pocket.world import describe, picture

FAMILY_SIZE = 192  # pixels a side of the drawings that the pocket family learns from
CHUNK = 64
CORPUS = 20_000  # captions, from which the tokenizer is learned
WORDINGS = 4  # of a scene


def pictures(count: int, first_seed: int = 0, cache: Path | None = None, size: int = SIZE) -> np.ndarray:
    """The pictures of ``count`` seeds from ``first_seed`` on, uint8 [count, size, size, 3].

    With ``cache`` they are drawn once, and read from the disk of ``cache`` (memory-mapped: tens of thousands
    take gigabytes).
    """
    return _drawn(picture, count, size, first_seed, cache)


def _drawn(
    draw_one: Callable[[int, int], np.ndarray], count: int, size: int, first_seed: int, cache: Path | None
) -> np.ndarray:
    shape = (count, size, size, 3)
    if cache is None:
        return _fill(np.empty(shape, np.uint8), draw_one, first_seed)
    path = cache / f"{draw_one.__module__}.{draw_one.__name__}-{first_seed}-{count}-{size}.npy"
    if not path.exists():
        write_atomically(
            path, lambda temporary: _fill(open_memmap(temporary, "w+", np.uint8, shape), draw_one, first_seed)
        )
    return np.load(path, mmap_mode="r")


def _fill(result: np.ndarray, draw_one: Callable[[int, int], np.ndarray], first_seed: int) -> np.ndarray:
    count, size = result.shape[:2]
    chunks = [range(i, min(i + CHUNK, count)) for i in range(0, count, CHUNK)]
    draw_chunk = partial(_chunk, draw_one, size)
    seeds = [[first_seed + i for i in chunk] for chunk in chunks]
    if len(chunks) == 1:  # is over before other processes have begun
        result[:] = draw_chunk(seeds[0])
        return result
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        drawn = tqdm(pool.map(draw_chunk, seeds), total=len(chunks), desc="drawing", unit="chunk")
        for chunk, part in zip(chunks, drawn, strict=True):
            result[chunk.start : chunk.stop] = part
    return result


def _chunk(draw_one: Callable[[int, int], np.ndarray], size: int, seeds: list[int]) -> np.ndarray:
    return np.stack([draw_one(seed, size) for seed in seeds])


class Drawings:
    """Drawings with their captions, as `trainers.data.images.ImageFolder` has them."""

    def __init__(
        self,
        count: int,
        cache: Path | None,
        size: int,
        edition: ModuleType,
        bent: bool = False,
        first: int = 0,
    ) -> None:
        """Draw ``count`` pictures of ``size`` pixels a side, or read them from ``cache``.

        edition: the world that is drawn. bent: as its `bent_picture` has them. first: seed of the first.
        """
        draw_one = edition.bent_picture if bent else edition.picture
        self.drawn, self._edition = _drawn(draw_one, count, size, first, cache), edition
        self._seeds = range(first, first + count)
        self._called = "bent drawings" if bent else "drawings"

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.drawn)

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, uint8 [B, size, size, 3]."""
        return self.drawn[list(indices)]

    def caption(self, index: int) -> str:
        """The caption of a picture."""
        return self._edition.describe(self._seeds[index])[1].text

    def wordings(self) -> list[list[str]]:
        """The scene of each picture in several wordings."""
        with ProcessPoolExecutor() as pool:
            return list(pool.map(_wordings, self._seeds, chunksize=256))

    def corpus(self) -> Iterable[str]:
        """The captions of the first `CORPUS` seeds, whatever is drawn: one tokenizer for all."""
        return (describe(seed)[1].text for seed in range(CORPUS))

    def vocabulary(self) -> dict[str, object]:
        """The words of the world."""
        return vocabulary()

    def digest(self) -> str:
        """What tells these pictures from others."""
        return f"{len(self)} {self._called} of {self._edition.__name__}, {self.drawn.shape[1]} pixels a side"


def _wordings(seed: int) -> list[str]:
    scene, rng = describe(seed)[0], np.random.Generator(np.random.PCG64([seed, WORDINGS]))
    return [write_caption(scene, rng).text for _ in range(WORDINGS)]
