"""Trees and other plants of a drawing, in the colours of its season."""

import numpy as np

from trainers.pocket.canvas import PARTS, Colour, mix
from trainers.pocket.view import INK, SNOW, View


def pines(
    view: View, x: np.ndarray, base: np.ndarray, height: np.ndarray, colour: Colour, ground: bool = False
) -> None:
    """A row of pines at ``x`` (all arrays [N], in shares of the side), dark against what is behind.

    ground: whether everything below the row has its colour too, as in a forest.
    """
    canvas, floor = view.canvas, np.float32(1.2)
    tall, foot, x = (each.astype(np.float32) for each in (height, base, x))
    half, up, rise = np.float32(
        ((0.27, 0.215, 0.155, 0.095), (0, 0.22, 0.43, 0.63), (0.36, 0.36, 0.36, 0.37))
    )
    parts = canvas.fine[None, None]
    reach = np.abs(parts - x[:, None, None, None]) / (tall[:, None] * half)[:, :, None, None]
    top = (foot[:, None] - tall[:, None] * up)[:, :, None, None] - (tall[:, None] * rise)[
        :, :, None, None
    ] * (1 - reach)
    top = np.where(reach < 1, top, floor).reshape(-1, *canvas.fine.shape)
    nearest = top.argmin(axis=0)
    line = np.take_along_axis(top, nearest[None], axis=0)[0]
    if ground:
        body = canvas.below(np.minimum(line, foot.max()))
    else:
        under = np.where(reach[:, 0] < 1, foot[:, None, None], 0).max(axis=0)
        body = np.maximum(canvas.below(line) - canvas.below(np.maximum(under, np.minimum(line, floor))), 0)
    canvas.fill(body, colour)
    sunny = ((canvas.fine - x[nearest // len(half)]) * view.side > 0) & (line < floor)
    sunny = (sunny[0] + sunny[1] + sunny[2] + sunny[3] * np.float32(1)) / PARTS
    canvas.fill(body * sunny * np.float32(0.3), mix(colour, view.light.glint, 0.5))
    if view.winter:
        snow = np.maximum(body - canvas.below(line + np.float32(0.16) * height.min().astype(np.float32)), 0)
        canvas.fill(snow * np.float32(0.92), view.lit(SNOW, 0.05))


def crowns(view: View, feet: np.ndarray, size: np.ndarray, far: float = 0.0) -> None:
    """Round trees with their feet at ``feet`` [N, 2] and crowns of radius ``size`` [N]."""
    canvas, rng = view.canvas, view.rng
    up = np.stack([np.zeros_like(size), -size], axis=1)
    trunk = view.lit((84, 62, 52), far)
    canvas.strokes(feet, feet + 1.4 * up, 0.14 * size + 0.0012, trunk)
    first = rng.random(len(feet)) < 0.65
    across = np.stack([size, np.zeros_like(size)], axis=1)
    for i, own in enumerate((first, ~first)):
        colour = view.season.crowns[(i + int(3 * rng.random())) % 3]
        if not own.any():
            continue
        centre, r = feet[own] + 2.0 * up[own], size[own]
        dark, lit = view.lit(mix(colour, INK, 0.2), far), view.lit(colour, far)
        lumps = np.concatenate(
            [
                centre,
                centre - 0.55 * across[own] - 0.55 * up[own],
                centre + 0.55 * across[own] - 0.5 * up[own],
            ]
        )
        canvas.dots(lumps, np.concatenate([r, 0.72 * r, 0.72 * r]), dark)
        canvas.dots(centre + 0.22 * view.side * across[own] + 0.22 * up[own], 0.72 * r, lit)


def tufts(view: View, left: float, top: float, right: float, bottom: float, colour: Colour, count=22) -> None:
    """Blades of grass and, in their season, flowers."""
    feet = view.points(count, left, top, right, bottom)
    for lean in (-0.5, 0.05, 0.6):
        height = (0.012 + 0.014 * view.rng.random(count))[:, None]
        view.canvas.strokes(feet, feet + height * np.array([lean, -1.0]), 0.0022, colour)
    if view.scene.season in ("spring", "summer") and view.chance(0.7):
        view.canvas.dots(feet[: count // 2] + np.array([0.0, -0.02]), 0.006, view.lit(view.season.flower))


def palm(view: View, x: float, y: float, height: float, colour: Colour) -> None:
    """A palm leaning over its foot at (x, y)."""
    canvas, lean = view.canvas, view.between(-0.35, 0.35) * height
    t = np.linspace(0, 1, 6)
    trunk = np.stack([x + lean * t * t, y - height * t], axis=1)
    canvas.strokes(trunk[:-1], trunk[1:], 0.035 * height + 0.002, view.lit((124, 88, 62)))
    crown, leaves = trunk[-1], ([], [])
    for dx, dy, droop in (
        (-1, -0.1, 0.6),
        (-0.85, -0.5, 0.42),
        (-0.35, -0.7, 0.25),
        (0.35, -0.7, 0.25),
        (0.85, -0.5, 0.42),
        (1, -0.1, 0.6),
        (0.1, 0.1, 0.5),
    ):
        leaf = crown + 0.44 * height * np.stack([dx * t, dy * t + droop * 2 * t * t], axis=1)
        leaves[int(dx * view.side > 0)].append(leaf)
    for own, tone in zip(leaves, (colour, mix(colour, view.light.glint, 0.2)), strict=True):
        a, b = (np.concatenate([leaf[part] for leaf in own]) for part in (slice(-1), slice(1, None)))
        canvas.strokes(a, b, 0.045 * height * np.tile(1.05 - t[:-1], len(own)), tone)
        hanging = [(b, b + height * np.array([side, 0.09])) for side in (-0.07, 0.09)]  # leaflets
        canvas.strokes(*(np.concatenate(ends) for ends in zip(*hanging, strict=True)), 0.009 * height, tone)
