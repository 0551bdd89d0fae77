"""The lands of the sea: a coast with its beach, and an island."""

import numpy as np

from trainers.pocket.canvas import mix, noise
from trainers.pocket.ground import ground_colour
from trainers.pocket.plants import crowns, palm, tufts
from trainers.pocket.view import INK, SNOW, View
from trainers.pocket.water import foam, sea


def coast(view: View) -> None:
    """The sea up to the horizon, a headland or rocks in it, waves, a beach from one side."""
    canvas, rng = view.canvas, view.rng
    level = view.horizon - view.between(0.02, 0.08)
    side = 1.0 if view.chance(0.5) else -1.0
    x = canvas.fine if side < 0 else 1 - canvas.fine
    for depth in range(int(view.between(1, 3))):
        reach, height = view.between(0.3, 0.6) - 0.14 * depth, view.between(0.1, 0.17) + 0.05 * depth
        rough, cliff = noise(rng, 0.05, smooth=False), noise(rng, 0.14)
        fall = np.clip((reach - x) * 6, 0, 1)
        line = (
            level + 0.012 - fall * (height * (0.75 + 0.35 * cliff(canvas.fine)) + 0.016 * rough(canvas.fine))
        )
        line = np.where(x < reach, line, 1.1).astype(np.float32)
        stone = view.lit((140, 118, 112), 0.3 - 0.2 * depth)
        land = canvas.below(line) * (1 - canvas.below(np.full_like(line, level + 0.006)))
        canvas.fill(land, stone)
        streaks = noise(rng, 0.018, smooth=False)
        canvas.fill(land * (streaks(canvas.x) > 0.1) * np.float32(0.3), mix(stone, INK, 0.4))
        green = view.lit(view.season.grass, 0.25 - 0.15 * depth)
        canvas.fill(land - land * canvas.below(line + np.float32(0.035) + 0.012 * rough(canvas.fine)), green)
        trees = int(view.between(3, 9))
        tx = view.between(0, reach * 0.8) * rng.random(trees)
        at = tx if side < 0 else 1 - tx
        ty = level + 0.014 - height * (0.75 + 0.35 * cliff(at))
        crowns(view, np.stack([at, ty + 0.006], axis=1), 0.012 + 0.008 * rng.random(trees), 0.15)
    sea(view, level)
    for _ in range(int(view.between(0, 4))):  # rocks in the water
        x0, y0, w = view.between(0.05, 0.95), view.between(level + 0.03, 0.66), view.between(0.015, 0.05)
        dark = view.lit((92, 88, 100))
        canvas.ellipse(x0, y0, w * 1.5, 0.006, view.light.glint, 0.7)
        canvas.polygon(
            [(x0 - w, y0), (x0 - w * 0.4, y0 - w), (x0 + w * 0.3, y0 - 1.2 * w), (x0 + w, y0)], dark
        )
        if view.winter:
            canvas.polygon(
                [
                    (x0 - w * 0.7, y0 - w * 0.5),
                    (x0 - w * 0.4, y0 - w),
                    (x0 + w * 0.3, y0 - 1.2 * w),
                    (x0 + w * 0.6, y0 - w * 0.6),
                ],
                view.lit(SNOW),
            )
    wave, small = noise(rng, 0.36), noise(rng, 0.1)
    shore = (
        beach_top(view)
        + 0.03 * wave(canvas.fine)
        + 0.006 * small(canvas.fine)
        + np.float32(side * 0.11) * (canvas.fine - np.float32(0.5)) * -1
    )
    foam(view, shore - 0.075 + 0.01 * small(canvas.fine), 0.007)
    foam(view, shore - 0.024, 0.026)
    sand = view.lit(ground_colour(view))
    canvas.gradient(
        [
            (0.74, mix(sand, view.light.glint, 0.2)),
            (1, mix(sand, view.lit((196, 140, 96)), 0.4 if not view.winter else 0.1)),
        ],
        canvas.below(shore),
    )
    foam(view, shore - 0.002, 0.0)
    corner = view.between(0.05, 0.12) if view.foot[0] > 0.5 else view.between(0.88, 0.95)
    grass = view.lit(mix(view.season.grass, (120, 130, 70), 0.3))
    tufts(view, corner - 0.12, 0.9, corner + 0.12, 0.99, grass)
    if view.scene.season == "summer":
        if view.chance(0.6):
            green = view.lit(mix(view.season.crowns[0], (40, 120, 70), 0.8))
            palm(view, corner, 0.93, view.between(0.3, 0.42), green)
    else:
        trees = int(view.between(1, 4))
        x = corner + 0.07 * (np.arange(trees) - trees / 2)
        crowns(view, np.stack([x, np.full(trees, 0.93)], axis=1), 0.03 + 0.02 * rng.random(trees))


def beach_top(view: View) -> float:
    """Where the sand of a coast begins."""
    return 0.74 + 0.5 * (view.ground - 0.54)


def island(view: View) -> None:
    """An island in the middle of the sea, with a beach all round and trees."""
    canvas, rng = view.canvas, view.rng
    level = view.horizon - view.between(0.02, 0.08)
    sea(view, level)
    middle = 0.5 + view.between(-0.06, 0.06)
    foot = island_foot(view)
    half = view.between(0.37, 0.43)
    u = (canvas.fine - np.float32(middle)) / np.float32(half)
    round_ = np.sqrt(np.maximum(1 - u * u, 0))
    rough = noise(rng, 0.1)
    for grow, width in ((1.0, 0.0), (0.88, 0.018)):
        lens = np.sqrt(np.maximum(1 - u * u * np.float32(grow * grow), 0)) if width == 0 else round_
        beach = canvas.below(foot - 0.055 * lens) - canvas.below(
            foot + (0.075 - width) * lens + 0.006 * rough(canvas.fine) * lens
        )
        colour = (
            mix(SNOW, view.light.shade, 0.6 * view.light.shading)
            if width == 0
            else view.lit(ground_colour(view))
        )
        canvas.fill(np.maximum(beach, 0), colour)
    hump, bump = view.between(0.1, 0.2), noise(rng, 0.13)
    shift = view.between(-0.3, 0.3)
    v = np.clip((u - np.float32(shift)) / np.float32(0.72), -1, 1)
    hill = 1 - v * v
    line = foot - 0.03 - hump * hill * (0.8 + 0.3 * bump(canvas.fine))
    green = view.lit(
        mix(
            view.season.grass,
            (60, 130, 70) if view.scene.season in ("spring", "summer") else view.season.grass,
            0.4,
        )
    )
    mound = np.maximum(
        canvas.below(np.where(hill > 0, line, 1.1).astype(np.float32))
        - canvas.below(np.full_like(u, foot - 0.025)),
        0,
    )
    canvas.gradient([(foot - 0.25, mix(green, view.light.glint, 0.2)), (foot, mix(green, INK, 0.15))], mound)
    if view.scene.season != "summer":
        trees = int(view.between(5, 10))
        x = middle + half * (shift + 0.6 * (rng.random(trees) * 2 - 1))
        top = (
            foot
            - 0.03
            - hump
            * np.maximum(1 - ((x - middle) / half - shift) * ((x - middle) / half - shift) / 0.52, 0)
            * (0.8 + 0.3 * bump(x))
        )
        crowns(view, np.stack([x, top + 0.01], axis=1), 0.02 + 0.014 * rng.random(trees))
    else:
        for _ in range(int(view.between(3, 6))):
            x = middle + half * (shift * 0.8 + 0.62 * (rng.random() * 2 - 1))
            v = ((x - middle) / half - shift) / 0.72
            top = foot - 0.03 - hump * max(1 - v * v, 0) * 0.8
            palm(
                view,
                x,
                top + 0.01,
                view.between(0.14, 0.22),
                view.lit(mix(view.season.crowns[2], (36, 118, 70), 0.85)),
            )


def island_foot(view: View) -> float:
    """Where the beach of an island lies."""
    return 0.7 + 0.4 * (view.ground - 0.54)
