"""What a picture of the pocket world shows, and what may be together."""

from dataclasses import dataclass, replace

import numpy as np

from rf_app.metrics.attributes import ATTRIBUTES

NATURAL = {"tree": ("green",), "cat": ("orange", "black", "white")}  # colours that half of them have


@dataclass(frozen=True)
class Scene:
    """What a picture shows; each field is one of `ATTRIBUTES`; without an object its colour is "none"."""

    land: str
    time: str
    season: str
    weather: str
    water: str
    object: str
    colour: str

    @staticmethod
    def random(rng: np.random.Generator, **stated: str) -> "Scene":
        """Draw a scene with the ``stated`` attributes that may be: see `possible`."""
        for _ in range(50):
            land, time = choose(rng, ATTRIBUTES["land"]), choose(rng, ATTRIBUTES["time"])
            season = "summer" if rng.random() < 0.1 else choose(rng, ATTRIBUTES["season"])
            weathers = (
                ("clear", "cloudy", "snow") if season == "winter" else ("clear", "clear", "cloudy", "rain")
            )
            weather = choose(rng, weathers)
            thing, colour = choose(rng, ATTRIBUTES["object"]), choose(rng, ATTRIBUTES["colour"][1:])
            if thing in NATURAL and rng.random() < 0.5:
                colour = choose(rng, NATURAL[thing])
            water = choose(rng, ("none", "none", "lake", "lake", "river"))
            drawn = replace(Scene(land, time, season, weather, water, thing, colour), **stated)
            scene = possible(drawn)
            if all(getattr(scene, name) == value for name, value in stated.items()):
                break
        return scene  # as near as may be, where what is stated cannot be


def possible(scene: Scene) -> Scene:
    """The nearest scene that may be.

    A desert knows no season, snow falls in winter, rain in the other seasons; coast and island have the sea
    and no other water; a sailboat has water under it; nothing has no colour.
    """
    if scene.land == "desert":
        weather = "clear" if scene.weather == "snow" else scene.weather
        scene = replace(scene, season="summer", weather=weather)
    elif scene.weather == "snow":
        scene = replace(scene, season="winter")
    elif scene.weather == "rain" and scene.season == "winter":
        scene = replace(scene, season="autumn")
    if scene.land in ("coast", "island"):
        scene = replace(scene, water="none")
    elif scene.object == "sailboat" and scene.water == "none":
        scene = replace(scene, water="lake")
    return replace(scene, colour="none") if scene.object == "none" else scene


def choose(rng: np.random.Generator, options: tuple[str, ...]) -> str:
    """One of them."""
    return options[int(rng.random() * len(options))]
