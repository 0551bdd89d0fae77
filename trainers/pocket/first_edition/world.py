"""The pocket world: landscape posters drawn from known attributes, with captions.

Everything a pocket model can know is in a `Scene`; `sample(seed)` gives the scene, its caption and its
picture, the same on every machine. Training uses small seeds; seeds from `HELD_OUT` on are never trained on.
"""

from dataclasses import dataclass

import numpy as np

from trainers.pocket.first_edition.attributes import ATTRIBUTES
from trainers.pocket.first_edition.captions import Caption, write_caption
from trainers.pocket.first_edition.drawing import SIZE, draw

HELD_OUT = 1_000_000_000


@dataclass(frozen=True)
class Scene:
    """What a picture shows; each field is one of `ATTRIBUTES`; without an object its colour is "none"."""

    land: str
    time: str
    lake: str
    object: str
    colour: str
    clouds: str

    @staticmethod
    def random(rng: np.random.Generator) -> "Scene":
        """Draw a scene; a sailboat always has water under it, and a coast has the sea instead of a lake."""
        land = _choose(rng, ATTRIBUTES["land"])
        time = _choose(rng, ATTRIBUTES["time"])
        thing = _choose(rng, ATTRIBUTES["object"])
        colour = _choose(rng, ATTRIBUTES["colour"][1:])
        lake = rng.random() < 0.5 or thing == "sailboat"
        clouds = rng.random() < 0.5
        return Scene(
            land=land,
            time=time,
            lake="yes" if lake and land != "coast" else "no",
            object=thing,
            colour="none" if thing == "none" else colour,
            clouds="yes" if clouds else "no",
        )


@dataclass(frozen=True)
class Sample:
    """One element of the world: picture is uint8 [96, 96, 3]."""

    scene: Scene
    caption: Caption
    picture: np.ndarray


def describe(seed: int) -> tuple[Scene, Caption]:
    """Scene and caption of ``seed``, without drawing it."""
    rng = np.random.Generator(np.random.PCG64(seed))
    scene = Scene.random(rng)
    return scene, write_caption(scene, rng)


def details(seed: int) -> np.random.Generator:
    """The generator that decides everything about the picture of ``seed`` which its scene leaves open."""
    return np.random.Generator(np.random.PCG64([seed, 1]))


def picture(seed: int, size: int = SIZE) -> np.ndarray:
    """The picture of ``seed``, uint8 [96, 96, 3]; the first edition has no other size."""
    return draw(describe(seed)[0], details(seed))


def sample(seed: int) -> Sample:
    """Scene, caption and picture of ``seed`` (0 or more)."""
    scene, caption = describe(seed)
    return Sample(scene, caption, picture(seed))


def _choose(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    return options[int(rng.random() * len(options))]
