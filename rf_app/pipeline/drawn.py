"""What the worker gives: a picture with what made it and how long it took, and moments on the way to one."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from PIL import Image
from torch import Tensor

from rf_app.settings.picture import CheckedSettings
from rf_app.settings.start import Start
from rf_app.settings.way import Way


@dataclass(frozen=True)
class Timings:
    """Seconds the worker spent on a picture; total counts what lies between, too."""

    text: float
    unet: float
    decode: float
    total: float

    def __add__(self, other: "Timings") -> "Timings":
        """Those of two pictures together."""
        return Timings(*(a + b for a, b in zip(vars(self).values(), vars(other).values(), strict=True)))


def now(device: torch.device) -> float:
    """The clock, once the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()


@dataclass(frozen=True)
class Drawn:
    """A picture and what made it.

    way: its place between key frames, if it has one. unknown_words: those the model has not learned. unread:
    the end of a prompt that is too long for its text encoder, or nothing. tiled: decoded in parts. start:
    what it began from, if not from noise alone.
    """

    image: Image.Image
    settings: CheckedSettings
    way: Way | None
    timings: Timings
    unknown_words: tuple[str, ...]
    unread: str
    tiled: bool = False
    start: Start | None = None


@dataclass(frozen=True)
class Moment:
    """What an observer sees of a picture on its way, on the worker's thread; first the noise, with done = 0.

    latents: [1, C, h, w]. velocity: of the step that led here, where the path is the straight one.
    """

    done: int
    of: int
    latents: Tensor
    velocity: Tensor | None
    decode: Callable[[Tensor], Image.Image]


Observer = Callable[[Moment], None]
