"""Pictures side by side on white, as moments of one way."""

from collections.abc import Sequence

from PIL import Image

GAP = 4  # pixels between two


def film_strip(frames: Sequence[Image.Image]) -> Image.Image:
    """One picture of several of one size."""
    width, height = frames[0].size
    strip = Image.new("RGB", (len(frames) * (width + GAP) - GAP, height), "white")
    for i, frame in enumerate(frames):
        strip.paste(frame, (i * (width + GAP), 0))
    return strip
