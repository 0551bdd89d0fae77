"""How long a job will take, and how much disk and memory: as measured here, else a guess that says so.

Every stage that runs leaves its rate, in seconds a sample, and the memory it took, with the model's size.
For another size they are scaled, as the work and memory of convolutions roughly are. What was not measured
yet is guessed by the pace of what was: how much longer than its own guess that took.
"""

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.jobs.stage import LoopWork, Stage
from rf_app.registry.checking import read_json, weights_file
from rf_app.registry.disk import existing_parent

POCKET = 11e6 * 12 * 12  # size of a pocket model, for which recipes state their guesses
START = 12.0  # seconds to import PyTorch, load the models and publish: the guess
START_KEY, PACE_KEY = "start", "pace"
SPARE = 200e6  # bytes that stay free on the disk
LIBRARIES = 0.7  # GB of a trainer's memory that do not grow with the model
SURE = ("given", "measured", "scaled", "guessed")  # from the best to the worst


@dataclass(frozen=True)
class Needs:
    """What a job takes; disk, memory: bytes. sure: the worst of `SURE` among what the seconds come from."""

    seconds: float
    disk: float
    memory: float
    sure: str


@dataclass(frozen=True)
class ModelSize:
    """Of a model: bytes of its U-Net's file in float16, and numbers in a latent [C, H, W]."""

    weights: float
    latent: int
    side: int

    @property
    def work(self) -> float:
        """What a sample costs, up to a factor: every weight at every place of the latent."""
        return self.weights * self.side * self.side


NEW = ModelSize(9.4e6, 16 * 12 * 12, 12)
"""Of a model that begins with pictures alone, of 96 pixels a side."""


def size_of(unet: Path) -> ModelSize:
    """The size of a model by its `unet/` folder, without loading a weight."""
    config = read_json(unet / "config.json")
    size = config["sample_size"]
    height, width = size if isinstance(size, list) else (size, size)
    area = int(height) * int(width)
    latent = int(config["in_channels"]) * area
    return ModelSize(weights_file(unet, "unet").stat().st_size, latent, round(area**0.5))


def rate(database: Database, loop: LoopWork, size: float, pace: float | None = None) -> tuple[float, str]:
    """Seconds a sample as measured with a model of `size`, or the nearest or the guess, scaled; and how sure
    that is. pace: for a guess (default: of what was measured last).
    """
    if not loop.key:  # no model works at it, or it takes what time it is given
        return loop.seconds, "given"
    measured = database.rates(loop.key)
    if size in measured:
        return measured[size], "measured"
    if measured:
        near = min(measured, key=lambda each: max(each / size, size / each))
        return measured[near] * size / near, "measured" if 0.8 < size / near < 1.25 else "scaled"
    return (pace or database.rates(PACE_KEY).get(0.0, 1.0)) * guess(loop, size), "guessed"


def guess(loop: LoopWork, size: float) -> float:
    """Seconds a sample, where nothing was measured."""
    return loop.seconds * size / POCKET


def estimate(database: Database, stages: Sequence[Stage], size: ModelSize) -> Needs:
    """What these stages take with a model of that size."""
    found = [_stage(database, stage, size) for stage in stages]
    return Needs(
        seconds=sum(each.seconds for each in found),
        disk=sum(each.disk for each in found),
        memory=max(each.memory for each in found),
        sure=max((each.sure for each in found), key=SURE.index),
    )


def _stage(database: Database, stage: Stage, size: ModelSize) -> Needs:
    start = database.rates(START_KEY).get(0.0, START)
    parts = [rate(database, loop, size.work) for loop in stage.loops]
    seconds = start + sum(loop.samples * each for loop, (each, _) in zip(stage.loops, parts, strict=True))
    guessed = LIBRARIES + (stage.memory - LIBRARIES) * size.weights / (POCKET / 144)
    held = database.rates(stage.memory_key).get(size.work)
    return Needs(
        seconds,
        _disk(stage, size),
        held or guessed * 1e9,
        max((sure for _, sure in parts), key=SURE.index, default="measured"),
    )


def _disk(stage: Stage, size: ModelSize) -> float:
    """Pairs: noise and latent, float16. A loop: two checkpoints, four float32 a weight; and the model."""
    if stage.module == "trainers.pairs":
        count = stage.arguments[stage.arguments.index("--count") + 1]
        return int(count) * (4 * size.latent + 200)
    weights = size.weights * (1 + stage.stacked)
    return weights * (1 + 2 * 4 * 2 * len(stage.loops))


def check_disk(folder: Path, needed: float) -> None:
    """Raises UserError where the disk of a folder has no room for so many bytes."""
    free = shutil.disk_usage(existing_parent(folder)).free
    if needed + SPARE > free:
        raise UserError(
            f"The disk is too full: this needs about {needed / 1e6:,.0f} MB in {folder}, and "
            f"{free / 1e6:,.0f} MB are free. Make room, or take fewer pictures to learn from."
        )
