"""Draws a scene of the pocket world as a poster of any size: sky, land, water, foreground, one object."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from trainers.pocket.canvas import Canvas, mix
from trainers.pocket.city import city
from trainers.pocket.foreground import draw_foreground
from trainers.pocket.ground import ground_colour
from trainers.pocket.land import desert, forest, hills, mountain
from trainers.pocket.objects import UNIT, draw_object
from trainers.pocket.scene import Scene
from trainers.pocket.shores import beach_top, coast, island, island_foot
from trainers.pocket.sky import draw_sky, draw_weather
from trainers.pocket.view import GRASSES, LIGHTS, SEASONS, SKIES, View
from trainers.pocket.water import lake, lake_level, river

SIZE = 192
PAINTERS = {each.__name__: each for each in (mountain, hills, desert, forest, coast, island, city)}
BENDS = ("mountain", "hills", "desert", "forest")  # lands whose skyline may have any form


def draw(
    scene: Scene,
    rng: np.random.Generator,
    size: int = SIZE,
    bend: tuple[Sequence[float], Sequence[float]] | None = None,
    bare: bool = False,
) -> np.ndarray:
    """Draw ``scene`` with the details that ``rng`` gives; returns uint8 [size, size, 3], alike at every size.

    bend: points (x, y) of a line; ridges and hills lie lower by y, in shares of the picture's side. Sea and
    city stay as they are. The world has no bends. bare: whether the object is left out, and only it.
    """
    # Each part has its own details: what is added in one leaves the others as they are.
    composing, above, far, wet, near, thing, falling = (
        np.random.Generator(np.random.PCG64(s)) for s in rng.integers(0, 2**62, 7)
    )
    canvas = Canvas(size)
    view = compose(scene, canvas, composing)
    draw_sky(view.by(above))
    if bend is not None and scene.land in BENDS:
        canvas.bend = lambda x: np.interp(x, *bend).astype(np.float32)
    PAINTERS[scene.land](view.by(far))
    canvas.bend = None
    if scene.water != "none":
        {"lake": lake, "river": river}[scene.water](view.by(wet), view.lit(ground_colour(view)))
    draw_foreground(view.by(near))
    if scene.object != "none" and not bare:
        draw_object(view.by(thing))
    draw_weather(view.by(falling))
    return canvas.to_bytes()


def compose(scene: Scene, canvas: Canvas, rng: np.random.Generator) -> View:
    """Where everything is; the light and the colours."""

    def between(low: float, high: float) -> float:
        return low + (high - low) * rng.random()

    ground = between(0.53, 0.6) if scene.water == "lake" else between(0.48, 0.7)
    horizon = ground - between(0.04, 0.1)
    height = between(0.09, 0.24) if scene.time in ("day", "night") else horizon - between(0.06, 0.2)
    light, season = LIGHTS[scene.time], SEASONS[scene.season]
    leaning, share = SKIES[scene.time][int(3 * rng.random())], between(0, 0.5)
    sky = tuple(mix(each, leaning, share * part) for each, part in zip(light.sky, (1, 0.7, 0.3), strict=True))
    grass = mix(
        season.grass, GRASSES[int(2 * rng.random())], 0 if scene.season == "winter" else between(0, 0.4)
    )
    view = View(
        canvas=canvas,
        rng=rng,
        scene=scene,
        light=replace(light, sky=sky),
        season=replace(season, grass=grass),
        horizon=horizon,
        ground=ground,
        sun=(between(0.1, 0.9), height),
        foot=(0.5, 0.9),
        scale=1.0,
        earth=rng.random(),
    )
    x, low, high = between(0.22, 0.78), min(ground + 0.17, 0.84), 0.94
    if scene.water == "lake":
        middle, half = lake_level(view)
        low = middle + 1.25 * half + 0.05
        if scene.object == "sailboat":
            low, high = middle - 0.1 * half, middle + 0.75 * half
    elif scene.water == "river":
        x = between(0.2, 0.34) if x < 0.5 else between(0.66, 0.8)
        low = 0.8
        if scene.object == "sailboat":
            x, low = 0.5 + 0.7 * (x - 0.5), 0.86
    elif scene.land == "coast":
        low = beach_top(view) + 0.11
        if scene.object == "sailboat":
            low, high = horizon + 0.1, beach_top(view) - 0.12
    elif scene.land == "island":
        x, low, high = 0.5 + 0.6 * (x - 0.5), island_foot(view) + 0.005, island_foot(view) + 0.045
        if scene.object == "sailboat":
            low, high = 0.88, 0.94
    foot = between(low, max(low, high))
    scale = (0.62 + 1.9 * max(foot - 0.72, 0.0)) * between(0.92, 1.12)
    if scene.object == "balloon":
        foot, scale = between(0.38, 0.56), between(0.72, 1.2)
    room = min(23.5 * UNIT * scale + 0.01, 0.45)  # no thing is cut by the side of the picture
    return replace(view, foot=(min(max(x, room), 1 - room), foot), scale=scale)
