"""A city: towers with windows, and a park in front of them."""

import numpy as np

from trainers.pocket.canvas import mix
from trainers.pocket.ground import draw_ground
from trainers.pocket.plants import crowns
from trainers.pocket.view import INK, SNOW, View


def city(view: View) -> None:
    """Two rows of towers with lit windows, trees along the park in front of them."""
    canvas, rng = view.canvas, view.rng
    window = {
        "day": (214, 232, 244),
        "sunrise": (255, 236, 200),
        "sunset": (255, 212, 122),
        "night": (255, 224, 124),
    }[view.scene.time]
    cool = ((112, 120, 152), (96, 112, 140), (150, 128, 130))
    warm = ((196, 124, 100), (222, 196, 152), (168, 108, 110))
    walls = (*(cool if view.earth < 0.4 else warm), (88, 130, 138) if view.earth > 0.2 else (168, 152, 146))
    foot = view.ground + 0.01
    tallest = view.ground * view.between(0.38, 0.8)
    edges = np.cumsum(np.concatenate([[-0.05], 0.04 + 0.06 * rng.random(26)]))
    heights = tallest * (0.45 + 0.5 * rng.random(27))
    which = np.minimum(np.searchsorted(edges, canvas.fine.ravel()), 26)
    canvas.fill(
        canvas.below((foot - heights[which]).reshape(canvas.fine.shape).astype(np.float32)),
        view.lit(mix(walls[0], (112, 120, 152), 0.5), 0.52),
    )
    x = -0.06 * rng.random()
    centre = view.between(0.25, 0.75)
    while x < 1:
        w = view.between(0.085, 0.15)
        tall = tallest * (0.42 + 0.7 * rng.random()) * (1.15 - 0.5 * abs(x - centre))
        top, face = foot - tall, view.lit(mix(walls[int(4 * rng.random())], INK, 0.15 * rng.random()))
        canvas.rectangle(x, top, w, tall + 0.02, face)
        dark = 0.24 * w
        canvas.rectangle(x if view.side > 0 else x + w - dark, top, dark, tall + 0.02, mix(face, INK, 0.22))
        roof = int(5 * rng.random())
        if roof == 0:
            canvas.polygon([(x, top), (x + w, top), (x + w / 2, top - 0.07)], mix(face, INK, 0.12))
            canvas.rectangle(x + w / 2 - 0.003, top - 0.12, 0.006, 0.07, mix(face, INK, 0.3))
        elif roof == 1:
            canvas.rectangle(x + w * 0.2, top - 0.035, w * 0.6, 0.036, mix(face, INK, 0.08))
            canvas.rectangle(x + w * 0.38, top - 0.06, w * 0.24, 0.026, mix(face, INK, 0.14))
        elif roof == 2:
            canvas.polygon([(x, top + 0.002), (x + w, top + 0.002), (x + w, top - 0.05)], face)
        elif roof == 3:
            canvas.rectangle(x + w * 0.2, top - 0.03, 0.006, 0.03, mix(face, INK, 0.3))
            canvas.rectangle(x + w * 0.7, top - 0.02, 0.02, 0.021, mix(face, INK, 0.2))
        if view.winter and roof != 0 and roof != 2:
            canvas.rectangle(x, top - 0.008, w, 0.013, view.lit(SNOW))
        step, column = view.between(0.032, 0.044), view.between(0.022, 0.03)
        columns, rows = int((w - 0.016) / column), int((tall - 0.03) / step)
        if columns > 0 and rows > 0:
            place = np.stack(np.meshgrid(np.arange(columns), np.arange(rows)), axis=-1).reshape(-1, 2)
            margin = (w - columns * column + column - 0.012) / 2
            corner = np.array([x + margin, top + 0.02]) + place * np.array([column, step])
            lit = rng.random(len(corner)) < (0.8 if view.scene.time == "day" else 0.62)
            if (~lit).any():
                canvas.boxes(corner[~lit], 0.012, 0.019, mix(face, INK, 0.3))
            if lit.any():
                canvas.boxes(
                    corner[lit], 0.012, 0.019, mix(window, face, 0.0 if view.scene.time != "day" else 0.2)
                )
        x += w + view.between(-0.004, 0.02)
    draw_ground(view, 0.0)
    canvas.rectangle(0, view.ground, 1, 0.014, view.lit((176, 178, 184)))
    trees = int(view.between(6, 15))
    x = (np.arange(trees) + 0.5 * rng.random(trees)) / trees
    crowns(
        view, np.stack([x, np.full(trees, view.ground + 0.022)], axis=1), 0.018 + 0.008 * rng.random(trees)
    )
