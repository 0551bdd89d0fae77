"""What a frame between key frames begins with: noise and text embedding, mixed from theirs by its position.

The model draws the frame as any other picture: so it depends on its settings alone, and at a key frame it
is the picture of the key frame itself.
"""

from torch import Tensor

from rf_app.flow.interpolation import Mix, lerp, over_square, slerp, through
from rf_app.settings.way import Way

MIXES: dict[str, Mix] = {"slerp": slerp, "lerp": lerp}


def mixed_text(way: Way, texts: list[Tensor]) -> Tensor:
    """The text embedding [1, L, D] of a frame, from those of the key frames."""
    return texts[0] if way.text == "first" else _place(way, lerp, texts)


def mixed_noise(way: Way, noises: list[Tensor]) -> Tensor:
    """The noise [1, C, h, w] of a frame, from that of the key frames' seeds."""
    return _place(way, MIXES[way.noise], noises)


def _place(way: Way, mix: Mix, tensors: list[Tensor]) -> Tensor:
    if way.square:
        return over_square(mix, tensors, *way.position)
    return through(mix, tensors, *way.position)
