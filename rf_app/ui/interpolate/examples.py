"""Ways to begin with, in words that the pocket models know."""

from rf_app.settings.picture import PictureSettings
from rf_app.settings.way import KeyFrame, Way

NIGHTFALL = "A photograph of a snowy mountain near a beautiful lake"
LANDS = ("a snowy mountain", "green hills", "desert dunes", "a sea coast")


def _way(*key_frames: KeyFrame, square: bool = False) -> Way:
    return Way(key_frames, (0.5, 0.5) if square else (0.0,), PictureSettings(key_frames[0].prompt))


EXAMPLES: dict[str, Way] = {
    "Day to night": _way(
        KeyFrame(f"{NIGHTFALL} under sunshine.", 7),
        KeyFrame(f"{NIGHTFALL} at sunset.", 7),
        KeyFrame(f"{NIGHTFALL} at night.", 7),
    ),
    "Red boat, blue boat": _way(
        KeyFrame("a red sailboat on a lake by green hills", 3),
        KeyFrame("a blue sailboat on a lake by green hills", 3),
    ),
    "A walk through seeds": _way(*(KeyFrame("a yellow tent in a pine forest", i) for i in (1, 2, 3, 4))),
    "Four lands": _way(*(KeyFrame(land, 5) for land in LANDS), square=True),
}
"""By name; of a model's settings they have none."""
