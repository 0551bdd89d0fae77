"""Captioned pictures for the trainings that begin with no model: a folder's, or the pocket world's."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np

from rf_app.errors import UserError
from rf_app.settings.from_nothing import FromPictures
from trainers.common.runs import default_run
from trainers.data.images import ImageFolder
from trainers.pocket import world
from trainers.pocket.pictures import Drawings

HELD_OUT_SHARE, MOST_HELD_OUT = 0.1, 256
FEWEST = 8  # pictures


class Captioned(Protocol):
    """Pictures of one size and what is said of them."""

    def __len__(self) -> int:
        """The number of pictures."""

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, uint8 [B, size, size, 3]."""

    def caption(self, index: int) -> str:
        """The caption of a picture."""

    def wordings(self) -> list[list[str]]:
        """The captions of each picture, as many for each."""

    def corpus(self) -> Iterable[str]:
        """What a tokenizer is learned from."""

    def vocabulary(self) -> dict[str, object]:
        """What the page shows of the words, as `rf_app.registry.vocabulary` reads it."""

    def digest(self) -> str:
        """What tells these pictures from others."""


def learned_and_held_out(config: FromPictures) -> tuple[Captioned, Captioned]:
    """The pictures to learn from, and those that no training ever sees. Raises UserError as `of_folder`."""
    if config.images is None:
        cache = (config.run.parent if config.run else default_run("pocket")) / "drawings"
        return (
            Drawings(config.pictures, cache, config.size, world),
            Drawings(MOST_HELD_OUT, None, config.size, world, first=world.HELD_OUT),
        )
    return of_folder(config.images, config.size)


def of_folder(folder: Path, size: int) -> tuple[ImageFolder, ImageFolder]:
    """A folder's pictures to learn from, and those held out, which are the same every time.

    Raises UserError for a folder that has too few, or whose captions cannot be read.
    """
    found = ImageFolder(folder, size)
    if len(found) < FEWEST:
        raise UserError(f"{folder} holds {len(found)} captioned pictures; at least {FEWEST} are needed.")
    order = np.random.default_rng(0).permutation(len(found)).tolist()
    count = held_out_of(len(found))
    return found.only(order[count:]), found.only(order[:count])


def held_out_of(pictures: int) -> int:
    """How many of so many pictures are held out."""
    return min(MOST_HELD_OUT, max(2, round(HELD_OUT_SHARE * pictures)))
