"""Trees and other plants of a drawing, in the colours of its season."""

import numpy as np

from trainers.pocket.canvas import Colour, mix
from trainers.pocket.view import INK, SNOW, View

TIERS = 4


def pines(
    view: View, x: np.ndarray, base: np.ndarray, height: np.ndarray, colour: Colour, ground: bool = False
) -> None:
    """A row of pines at ``x`` (all arrays [N], in shares of the side), dark against what is behind.

    ground: whether everything below the row has its colour too, as in a forest.
    """
    canvas = view.canvas
    tier = np.arange(TIERS, dtype=np.float32)
    tall, foot = height[:, None].astype(np.float32), base[:, None].astype(np.float32)
    half = tall * (0.27 - 0.055 * tier)
    skirt = foot - tall * 0.21 * tier
    rise = np.where(tier == TIERS - 1, 0.37, 0.4) * tall
    parts = canvas.fine[None, None]
    reach = np.abs(parts - x.astype(np.float32)[:, None, None, None]) / half[:, :, None, None]
    top = skirt[:, :, None, None] - rise[:, :, None, None] * (1 - reach)
    floor = np.float32(1.2)
    line = np.where(reach < 1, top, floor).min(axis=(0, 1))
    if ground:
        body = canvas.below(np.minimum(line, np.float32(base.max())))
    else:
        under = np.where(reach[:, 0] < 1, foot[:, :, None], 0).max(axis=0)
        body = np.maximum(canvas.below(line) - canvas.below(np.maximum(under, np.minimum(line, floor))), 0)
    canvas.fill(body, colour)
    if view.winter:
        snow = body - body * canvas.below(line + np.float32(0.16 * float(height.min())))
        canvas.fill(snow * np.float32(0.92), view.lit(SNOW, 0.05))
    else:
        lit = body * canvas.below(line) - body * canvas.below(line + np.float32(0.007))
        canvas.fill(lit * np.float32(0.35), mix(colour, view.light.glint, 0.4))


def crowns(view: View, feet: np.ndarray, size: np.ndarray, far: float = 0.0) -> None:
    """Round trees with their feet at ``feet`` [N, 2] and crowns of radius ``size`` [N]."""
    canvas, rng = view.canvas, view.rng
    up = np.stack([np.zeros_like(size), -size], axis=1)
    trunk = view.lit((84, 62, 52), far)
    canvas.strokes(feet, feet + 1.4 * up, 0.14 * size + 0.0012, trunk)
    kind = (rng.random(len(feet)) * len(view.season.crowns)).astype(np.int64)
    across = np.stack([size, np.zeros_like(size)], axis=1)
    for i, colour in enumerate(view.season.crowns):
        own = kind == i
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
    crown = trunk[-1]
    for dx, dy, droop in (
        (-1, -0.2, 0.5),
        (-0.7, -0.6, 0.3),
        (0.1, -0.75, 0.0),
        (0.7, -0.55, 0.3),
        (1, -0.15, 0.5),
    ):
        leaf = np.stack(
            [crown[0] + 0.5 * height * dx * t, crown[1] + 0.5 * height * (dy * t + droop * 2 * t * t)], axis=1
        )
        width = 0.06 * height * (1.1 - t[:-1])
        canvas.strokes(leaf[:-1], leaf[1:], width, colour)
