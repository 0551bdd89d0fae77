"""The colour of a model, on charts and in trees: by its name alone, so that no other model changes it."""

from zlib import crc32

FAMILY = {"pocket-instaflow": 0, "pocket-2rf": 1, "pocket-sd": 2, "pocket-sd-distilled": 3}
COLOURS = 10  # classes c0 to c9 in assets/style.css


def colour_of(model: str) -> int:
    """The number of its colour: the bundled family has the first ones to itself."""
    others = COLOURS - len(FAMILY)
    return FAMILY.get(model, len(FAMILY) + crc32(model.encode()) % others)
