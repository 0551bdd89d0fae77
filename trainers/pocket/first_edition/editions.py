"""Which world a judge knows."""

from collections.abc import Mapping
from types import ModuleType

from trainers.pocket import world
from trainers.pocket.first_edition import world as first_world
from trainers.pocket.first_edition.attributes import ATTRIBUTES


def world_of(kinds: Mapping[str, tuple[str, ...]]) -> ModuleType:
    """The world with these attributes: `describe(seed)` and `picture(seed, size)`."""
    return first_world if kinds == ATTRIBUTES else world
