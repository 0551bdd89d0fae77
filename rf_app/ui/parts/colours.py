"""The colour of a model, on charts and in trees: by its name alone, so that no other model changes it."""

from zlib import crc32

FAMILY = {"pocket-instaflow": 0, "pocket-2rf": 1, "pocket-sd": 2, "pocket-sd-distilled": 3}
COLOURS, DASHES = 10, 3  # classes c0 to c9 and d0 to d2 in assets/style.css


def colour_of(model: str) -> str:
    """The classes of its colour and its lines; the bundled family has the first colours to itself."""
    if model in FAMILY:
        return f"c{FAMILY[model]} d0"
    dash, colour = divmod(crc32(model.encode()) % ((COLOURS - len(FAMILY)) * DASHES), COLOURS - len(FAMILY))
    return f"c{len(FAMILY) + colour} d{dash}"
