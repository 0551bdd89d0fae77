"""Two kinds of pictures between which a translation is learned without pairs: drawings, or folders.

A kind of drawing is a value of an attribute of the pocket world ("night"), or a style ("woodcut"). Those of
the two kinds have other seeds, so that no scene is in both.
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np

from rf_app.errors import UserError
from trainers.data.images import ImageFolder
from trainers.pocket.styles import STYLES

PLAIN = "plain"
LEAST = 20  # pictures of a folder
STYLED: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {PLAIN: lambda drawing: drawing} | STYLES


@dataclass(frozen=True)
class DrawnDomain:
    """Drawings of one kind; attribute: of which its name is a value, None for a style."""

    name: str
    attribute: str | None
    seeds: Sequence[int]
    world: ModuleType
    size: int

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.seeds)

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, uint8 [B, size, size, 3]."""
        look = STYLED[PLAIN if self.attribute else self.name]
        return np.stack([look(self.world.picture(self.seeds[i], self.size)) for i in indices])

    def digest(self) -> str:
        """What tells these pictures from others."""
        return f"{len(self)} of {self.world.__name__}, {self.name}, {self.size} pixels, from {self.seeds[0]}"


Domain = DrawnDomain | ImageFolder


def attribute_of(source: str, target: str, kinds: Mapping[str, Sequence[str]]) -> str | None:
    """The attribute of which both are values; None where both are styles. Raises UserError otherwise."""
    found = [name for name, values in kinds.items() if {source, target} <= {*values}]
    if {source, target} <= STYLED.keys():
        return None
    if len(found) != 1:
        known = "; ".join(f"{name}: {', '.join(values)}" for name, values in kinds.items())
        raise UserError(
            f"--source {source!r:.40} and --target {target!r:.40} must be two folders, two values of one "
            f"attribute ({known}), or two styles ({', '.join(STYLED)})."
        )
    return found[0]


def drawn(
    name: str, attribute: str | None, world: ModuleType, size: int, count: int, first: int
) -> DrawnDomain:
    """`count` drawings of a kind, whose seeds are every other one from `first` on."""

    def of_it(seed: int) -> bool:
        return attribute is None or getattr(world.describe(seed)[0], attribute) == name

    seeds = [*itertools.islice(filter(of_it, itertools.count(first, 2)), count)]
    return DrawnDomain(name, attribute, seeds, world, size)


def domains(
    source: str, target: str, world: ModuleType, kinds: Mapping[str, Sequence[str]], size: int, count: int
) -> tuple[Domain, Domain]:
    """Both kinds of pictures, `size` pixels a side; where they are drawn, `count` of each.

    kinds: the attributes of the world. Raises UserError for what is no such kind, and for empty folders.
    """
    folders = Path(source).expanduser(), Path(target).expanduser()
    if all(folder.is_dir() for folder in folders):
        first, second = (ImageFolder(folder, size) for folder in folders)
        for folder, images in zip(folders, (first, second), strict=True):
            if len(images) < LEAST:
                raise UserError(f"{folder} holds {len(images)} pictures; at least {LEAST} are needed.")
        return first, second
    attribute = attribute_of(source, target, kinds)
    return tuple(drawn(name, attribute, world, size, count, i) for i, name in enumerate((source, target)))
