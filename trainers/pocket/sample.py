"""Write the sample that the page measures models on, beside the judge whose features it speaks of.

    python -m trainers.pocket.sample

Needed again whenever the judge was trained anew. The prompts are the first ones of `trainers.evaluate`, with
the same noise, and the reference is its reference at 2,000 prompts.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from rf_app.metrics import frechet
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.sample import HeldOut, Sample
from trainers.common import command
from trainers.common.pixels import to_tensor
from trainers.pocket.pictures import FAMILY_SIZE, pictures
from trainers.pocket.world import HELD_OUT, describe

SIZES = (32, 64, 128, 256)  # what the page offers
DRAWINGS = 2_000


@dataclass(frozen=True)
class SampleConfig:
    """Where the judge is."""

    judge: Path = BUNDLED
    """Folder of the judge; the sample goes there."""


def held_out(seed: int) -> HeldOut:
    """The prompt of a held-out seed."""
    scene, caption = describe(seed)
    stated = {name: getattr(scene, name) for name in sorted(caption.stated)}
    return HeldOut(caption.text, seed, stated)


@torch.no_grad()
def features(judge: Judge, images: np.ndarray) -> np.ndarray:
    """The judge's features [N, D] of uint8 images [N, H, W, 3]."""
    return torch.cat([judge.features(to_tensor(part)) for part in np.array_split(images, 40)]).numpy()


def main(config: SampleConfig) -> None:
    """Draw, look at the drawings, write."""
    seen = features(Judge.load(config.judge), pictures(DRAWINGS + SIZES[-1], HELD_OUT, size=FAMILY_SIZE))
    drawings, others = frechet.fit(seen[:DRAWINGS]), seen[DRAWINGS:]
    sample = Sample(
        prompts=tuple(held_out(HELD_OUT + i) for i in range(SIZES[-1])),
        size=FAMILY_SIZE,
        drawings=drawings,
        drawings_count=DRAWINGS,
        drawings_fid={n: round(frechet.distance(frechet.fit(others[:n]), drawings), 3) for n in SIZES},
    )
    sample.save(config.judge)
    print(f"{len(sample.prompts)} prompts; FID of as many other drawings: {sample.drawings_fid}")


if __name__ == "__main__":
    command.run(main, SampleConfig)
