"""The attributes of a pocket-world picture: what its captions say and what its judge recognises."""

from dataclasses import dataclass

import numpy as np

from trainers.pocket.scene import choose

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "land": ("mountain", "hills", "desert", "forest", "coast", "city"),
    "time": ("day", "sunset", "night"),
    "lake": ("no", "yes"),
    "object": ("none", "house", "tent", "sailboat", "balloon", "van"),
    "colour": ("none", "red", "yellow", "green", "blue", "white"),
    "clouds": ("no", "yes"),
}


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
        land = choose(rng, ATTRIBUTES["land"])
        time = choose(rng, ATTRIBUTES["time"])
        thing = choose(rng, ATTRIBUTES["object"])
        colour = choose(rng, ATTRIBUTES["colour"][1:])
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
