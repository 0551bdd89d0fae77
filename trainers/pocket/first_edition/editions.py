"""Which edition of the world a judge or a model knows."""

from collections.abc import Mapping
from types import ModuleType

from rf_app.registry.vocabulary import Vocabulary
from trainers.pocket import world
from trainers.pocket.first_edition import world as first_world
from trainers.pocket.first_edition.attributes import ATTRIBUTES


def world_of(kinds: Mapping[str, tuple[str, ...]]) -> ModuleType:
    """The world with these attributes: `describe(seed)` and `picture(seed, size)`."""
    return first_world if kinds == ATTRIBUTES else world


def world_in_words(known: Vocabulary | None) -> ModuleType:
    """The world of a model that has learned these words; None: any, and the newest world will do."""
    return first_world if known and known.unknown("castle") else world
