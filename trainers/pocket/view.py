"""What the parts of a drawing share: the light of a time of day, the colours of a season, the places."""

from dataclasses import dataclass, replace

import numpy as np

from trainers.pocket.canvas import Canvas, Colour, mix
from trainers.pocket.scene import Scene

INK: Colour = (34, 32, 48)
SNOW: Colour = (246, 249, 254)


@dataclass(frozen=True)
class Light:
    """How one time of day looks: sky from top to horizon, the tint that land takes, clouds and water."""

    sky: tuple[Colour, Colour, Colour]
    shade: Colour
    shading: float
    cloud: tuple[Colour, Colour]  # lit and in shade
    water: tuple[Colour, Colour]  # far and near
    glint: Colour
    grey: Colour  # what rain and snow turn the sky to
    object_shading: float


LIGHTS = {
    "sunrise": Light(
        sky=((122, 150, 206), (244, 184, 196), (255, 236, 196)),
        shade=(214, 150, 178),
        shading=0.24,
        cloud=((255, 232, 228), (238, 176, 190)),
        water=((250, 204, 196), (120, 140, 190)),
        glint=(255, 244, 226),
        grey=(206, 190, 202),
        object_shading=0.05,
    ),
    "day": Light(
        sky=((38, 122, 196), (118, 190, 228), (246, 240, 214)),
        shade=(190, 220, 240),
        shading=0.0,
        cloud=((255, 255, 252), (206, 224, 236)),
        water=((128, 202, 214), (26, 110, 160)),
        glint=(240, 252, 250),
        grey=(158, 174, 186),
        object_shading=0.0,
    ),
    "sunset": Light(
        sky=((74, 44, 112), (224, 86, 84), (255, 196, 92)),
        shade=(104, 42, 100),
        shading=0.36,
        cloud=((255, 158, 112), (190, 78, 104)),
        water=((250, 150, 92), (92, 46, 108)),
        glint=(255, 226, 150),
        grey=(148, 96, 116),
        object_shading=0.08,
    ),
    "night": Light(
        sky=((8, 14, 42), (24, 40, 94), (66, 96, 150)),
        shade=(14, 26, 72),
        shading=0.6,
        cloud=((92, 108, 160), (48, 62, 116)),
        water=((58, 86, 144), (14, 26, 66)),
        glint=(206, 218, 248),
        grey=(38, 48, 78),
        object_shading=0.1,
    ),
}


SKIES = {  # what a sky of each time may lean to
    "sunrise": ((150, 200, 206), (196, 150, 206), (255, 204, 150)),
    "day": ((40, 164, 178), (104, 128, 208), (240, 214, 160)),
    "sunset": ((166, 40, 84), (52, 62, 128), (255, 140, 60)),
    "night": ((14, 60, 78), (48, 26, 84), (30, 60, 130)),
}
GRASSES = ((170, 176, 84), (52, 124, 92))  # dry and lush


@dataclass(frozen=True)
class Season:
    """Colours by daylight of what grows."""

    grass: Colour
    crowns: tuple[Colour, ...]
    pine: Colour
    flower: Colour


SEASONS = {
    "spring": Season(
        (146, 204, 98), ((246, 164, 194), (252, 200, 216), (238, 140, 178)), (70, 140, 92), (250, 130, 170)
    ),
    "summer": Season(
        (98, 160, 78), ((52, 124, 68), (84, 150, 72), (40, 104, 70)), (30, 92, 72), (250, 224, 96)
    ),
    "autumn": Season(
        (198, 150, 72), ((220, 96, 34), (236, 156, 44), (184, 58, 42)), (60, 90, 66), (150, 70, 46)
    ),
    "winter": Season(
        (234, 241, 249), ((204, 218, 236), (224, 234, 246), (188, 204, 226)), (46, 92, 96), (176, 196, 222)
    ),
}


@dataclass(frozen=True)
class View:
    """A scene on its canvas.

    horizon: where the sky ends; ground: where the near land begins; sun: centre of sun or moon; foot: where
    the object stands, (x, y); scale: its size; earth: from 0 to 1, which tone sand and walls have.
    """

    canvas: Canvas
    rng: np.random.Generator
    scene: Scene
    light: Light
    season: Season
    horizon: float
    ground: float
    sun: tuple[float, float]
    foot: tuple[float, float]
    scale: float
    earth: float

    def by(self, rng: np.random.Generator) -> "View":
        """The same view, with another source of details."""
        return replace(self, rng=rng)

    @property
    def side(self) -> int:
        """From where the light comes: 1 the right, -1 the left."""
        return 1 if self.sun[0] > 0.5 else -1

    @property
    def winter(self) -> bool:
        """Whether snow lies on everything."""
        return self.scene.season == "winter"

    @property
    def haze(self) -> Colour:
        """What far things fade into."""
        return self.sky[2]

    @property
    def sky(self) -> tuple[Colour, ...]:
        """The sky from top to horizon in this weather."""
        share = {"clear": 0.0, "cloudy": 0.12, "rain": 0.72, "snow": 0.6}[self.scene.weather]
        grey = self.light.grey if self.scene.weather != "snow" else mix(self.light.grey, SNOW, 0.25)
        return tuple(mix(colour, grey, share) for colour in self.light.sky)

    def lit(self, colour: Colour, far: float = 0.0) -> Colour:
        """A daylight colour at this time; ``far`` in 0..1 is how much of it the haze takes."""
        wet = 0.16 if self.scene.weather == "rain" else 0.0
        shading = self.light.shading * (0.72 if self.winter else 1)  # snow is bright
        seen = mix(mix(colour, self.light.shade, shading), self.light.grey, wet)
        return mix(seen, self.haze, far)

    def between(self, low: float, high: float) -> float:
        """A random number."""
        return low + (high - low) * self.rng.random()

    def chance(self, share: float) -> bool:
        """Whether something happens."""
        return bool(self.rng.random() < share)

    def points(self, count: int, left: float, top: float, right: float, bottom: float) -> np.ndarray:
        """Random points in a window, [count, 2]."""
        spread = self.rng.random((count, 2))
        return spread * np.array([right - left, bottom - top]) + np.array([left, top])
