"""Water of a drawing: a lake, a river or the sea, with what it mirrors, its glints, the path of the light."""

import numpy as np

from trainers.pocket.canvas import Colour, mix, noise
from trainers.pocket.view import INK, SNOW, View


def lake(view: View, bank: Colour) -> None:
    """A lake around `lake_level`, from side to side or a part of the width."""
    canvas, rng = view.canvas, view.rng
    middle, half_height = lake_level(view)
    wide = view.chance(0.5)
    half = view.between(0.8, 1.2) if wide else view.between(0.42, 0.6)
    centre = 0.5 + view.between(-0.2, 0.2) if wide else view.foot[0] + view.between(-0.14, 0.14)
    u = (canvas.fine - np.float32(centre)) / np.float32(half)
    lens = np.sqrt(np.maximum(1 - u * u, 0))
    lens = lens * (1.6 - 0.6 * lens)
    wave, ripple = noise(rng, 0.2), noise(rng, 0.27)
    upper = middle - half_height * (0.9 * lens + 0.16 * wave(canvas.fine) * lens)
    lower = middle + half_height * (1.0 * lens + 0.22 * ripple(canvas.fine) * lens)
    shown = (lens > 0) * np.float32(0.014)
    rim = canvas.below(upper - 0.4 * shown) - canvas.below(lower + shown)
    canvas.fill(
        np.maximum(rim, 0), mix(bank, INK, 0.2) if not view.winter else mix(bank, (120, 140, 180), 0.35)
    )
    body = np.maximum(canvas.below(upper) - canvas.below(lower), 0)
    _surface(view, body, middle - half_height, middle + half_height)


def lake_level(view: View) -> tuple[float, float]:
    """Middle and half of the height of a lake."""
    half = 0.07 + 0.2 * (view.ground - 0.53)
    return view.ground + half + 0.012, half


def river(view: View, bank: Colour) -> None:
    """A river that winds from the far end of the ground to the bottom, away from the object."""
    canvas = view.canvas
    t = np.clip((canvas.y[:, 0] - view.ground) / np.float32(1 - view.ground), 0, 1)
    start = view.between(0.3, 0.7)
    end = river_end(view)
    way = noise(view.rng, 0.34)
    bend = 0.16 * view.between(0.6, 1) * way(np.sqrt(t)) * (1 - t * t)
    centre = start + (end - start) * t * t * (2 - t) + bend
    half = 0.02 + 0.2 * t * np.sqrt(t)
    if view.scene.object == "sailboat":
        half = half + 0.1 * t
    on_land = np.clip((canvas.y - view.ground) * canvas.size + 0.5, 0, 1)
    for width, colour in ((half + 0.008 + 0.022 * t, mix(bank, INK, 0.22)), (half, None)):
        inside = canvas.side(centre - width) - canvas.side(centre + width)
        if colour:
            canvas.fill(inside * on_land, colour)
    _surface(view, (inside * on_land).astype(np.float32), view.ground, 1.0)


def river_end(view: View) -> float:
    """Where a river leaves the picture: under a boat, and beside anything else."""
    if view.scene.object == "sailboat":
        return view.foot[0]
    return view.foot[0] + (0.5 if view.foot[0] < 0.5 else -0.5)


def sea(view: View, level: float) -> None:
    """Water from ``level`` to the bottom."""
    _surface(view, view.canvas.below(np.full_like(view.canvas.fine, level)), level, 1.0)


def _surface(view: View, body: np.ndarray, top: float, bottom: float) -> None:
    canvas, rng = view.canvas, view.rng
    far, near = view.light.water
    if view.scene.weather in ("rain", "snow"):
        far, near = mix(far, view.light.grey, 0.5), mix(near, view.light.grey, 0.35)
    canvas.gradient([(top, far), (top + 0.7 * (bottom - top), near)], body)
    canvas.mirror(body, top, noise(rng, 0.012), 0.5)
    count = int(90 * (bottom - top)) + 8
    depth = rng.random(count)
    y = top + (bottom - top) * (0.05 + 0.95 * depth)
    length = (0.012 + 0.07 * depth * (bottom - top + 0.3)) * (0.4 + rng.random(count))
    left = np.stack([rng.random(count) * 1.1 - 0.05, y], axis=1)
    span = np.stack([length, np.zeros(count)], axis=1)
    thin = 0.0016 + 0.0022 * depth
    third = count // 3
    canvas.strokes(left[third:], left[third:] + span[third:], thin[third:], view.light.glint, 0.5, body)
    canvas.strokes(left[:third], left[:third] + span[:third], thin[:third], mix(near, INK, 0.25), 0.35, body)
    if view.scene.weather in ("clear", "cloudy"):  # the path of the light
        y = top + (bottom - top) * (np.arange(26) + 0.3) / 26
        half = (0.012 + 0.09 * (y - top)) * (0.4 + 0.9 * rng.random(26))
        x = view.sun[0] + 0.03 * (rng.random(26) - 0.5)
        left, right = np.stack([x - half, y], axis=1), np.stack([x + half, y], axis=1)
        bright = mix(view.light.glint, (255, 244, 200), 0.4)
        strength = 0.35 if view.scene.time == "day" else 0.8
        canvas.strokes(left, right, 0.003, bright, strength, body)


def foam(view: View, line: np.ndarray, width: float) -> None:
    """A wave's white edge along ``line``, known at the canvas's fine columns."""
    edge = view.canvas.below(line) - view.canvas.below(line + np.float32(width))
    view.canvas.fill(
        np.maximum(edge, 0) * np.float32(0.85), mix(SNOW, view.light.shade, 0.6 * view.light.shading)
    )
