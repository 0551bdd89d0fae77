"""The lands of the pocket world away from the sea: mountains, hills, deserts, forests."""

import numpy as np

from trainers.pocket.canvas import Colour, fraction, mix, noise
from trainers.pocket.ground import draw_ground, dune
from trainers.pocket.plants import crowns, pines
from trainers.pocket.view import INK, SNOW, View

ROCK: Colour = (104, 112, 142)


def mountain(view: View) -> None:
    """Hazy ridges, two to five peaks with lit and shady faces and snow, woods at their foot."""
    canvas, rng = view.canvas, view.rng
    base = view.ground
    for depth in range(int(view.between(1, 3))):
        far = noise(rng, 0.13, smooth=False)
        rough = noise(rng, 0.05, smooth=False)
        line = base - 0.17 + 0.06 * depth + 0.07 * far(canvas.fine) + 0.025 * rough(canvas.fine)
        canvas.fill(canvas.below(line), view.lit(ROCK, 0.7 - 0.2 * depth))
    count, main = int(view.between(2, 6)), view.between(0.2, 0.8)
    peaks = [(main, view.between(0.13, 0.25), view.between(0.8, 1.25))]
    for i in range(count - 1):
        x = (main + (i + 1) / count + view.between(-0.09, 0.09)) % 1.0
        peaks.append((x, view.between(0.24, 0.4), view.between(0.7, 1.2)))
    lit, shady = view.lit(mix(ROCK, (236, 214, 190), 0.32)), view.lit(mix(ROCK, INK, 0.3))
    white = view.lit(mix(SNOW, view.light.sky[2], 0.12))
    blue = mix(white, view.lit((116, 142, 198)), 0.55)
    for px, py, steep in sorted(peaks, key=lambda peak: -peak[1]):
        rough, cut = noise(rng, 0.045, smooth=False), noise(rng, 0.02, smooth=False)
        away = np.abs(canvas.fine - np.float32(px))
        crag = (0.03 * rough(canvas.fine) + 0.011 * cut(canvas.fine)) * np.clip(away * 12, 0.15, 1)
        line = py + steep * away + crag
        body = canvas.below(line)
        ridge, fold = noise(rng, 0.06, smooth=False), noise(rng, 0.1, smooth=False)
        down = np.maximum(canvas.y[:, 0] - np.float32(py), 0)
        spine = px - view.side * 0.25 * down + down * 0.4 * ridge(canvas.y[:, 0]) * np.clip(down * 9, 0.2, 1)
        dark = canvas.side(spine)
        dark = 1 - dark if view.side > 0 else dark
        canvas.fill(body, lit)
        canvas.fill(body * dark, shady)
        y = canvas.y[:, 0]
        edges = (spine + view.side * down * part for part in (0.32 + 0.2 * fold(y), 0.5 + 0.26 * ridge(y)))
        gully = np.abs(np.subtract(*(canvas.side(edge) for edge in edges)))
        canvas.fill(body * gully * np.float32(0.5), shady)
        reach = view.between(0.09, 0.15) if not view.winter else view.between(0.26, 0.34)
        teeth, tooth = noise(rng, 0.03, smooth=False), noise(rng, 0.11, smooth=False)
        hem = py + reach + 0.045 * teeth(canvas.fine) + 0.03 * tooth(canvas.fine) + 0.4 * steep * away
        cap = body * (1 - canvas.below(hem))
        canvas.fill(cap, white)
        canvas.fill(cap * np.maximum(dark, gully * np.float32(0.6)), blue)
    for depth in range(2):
        rise = noise(rng, 0.24)
        x = np.sort(rng.random(int(view.between(16, 34))))
        foot = view.ground + 0.012 * depth + 0.006 - 0.022 * (1 - depth) * rise(x)
        tall = (0.045 + 0.035 * depth) * (0.7 + 0.6 * rng.random(len(x)))
        if depth == 0:
            draw_ground(view)
        pines(view, x, foot + 0.015 * depth, tall, view.lit(view.season.pine, 0.24 - 0.2 * depth))
    if view.scene.season in ("spring", "autumn"):
        x = rng.random(int(view.between(5, 11)))
        feet = np.stack([x, view.ground + 0.03 + 0.02 * rng.random(len(x))], axis=1)
        crowns(view, feet, 0.018 + 0.014 * rng.random(len(x)))


def hills(view: View) -> None:
    """Rolling meadows one behind the other, some of them fields, with trees along their edges."""
    canvas, rng = view.canvas, view.rng
    count, top = int(view.between(3, 6)), view.horizon - view.between(0.0, 0.18)
    swell = view.between(0.04, 0.11)
    for depth in range(count):
        near = depth / (count - 1)
        base = top + (view.ground + 0.02 - top) * near
        high = noise(rng, view.between(0.28, 0.55) * (0.7 + 0.6 * near))
        line = base + swell * (1 - 0.5 * near) * high(canvas.fine)
        below = canvas.below(line)
        grass = mix(
            view.season.grass, (70, 130, 84) if not view.winter else (196, 212, 232), 0.5 * rng.random()
        )
        colour = view.lit(grass, 0.5 - 0.45 * near)
        canvas.gradient(
            [(base - 0.08, mix(colour, (255, 250, 200), 0.2)), (base + 0.2, mix(colour, INK, 0.12))], below
        )
        if view.chance(0.4):  # a ploughed field or an orchard in rows
            lean, period = view.between(-1, 1), view.between(0.022, 0.04)
            furrow = fraction(
                (canvas.y - line.mean(axis=0)) / np.float32(period) + canvas.x * np.float32(lean / period)
            )
            stripe = np.clip((np.abs(furrow * 2 - 1) - 0.62) * np.float32(period * canvas.size), 0, 1)
            canvas.fill(below * stripe * np.float32(0.32), mix(colour, INK, 0.4))
        if depth < count - 1 or view.chance(0.5):
            trees = int(view.between(3, 12))
            middle = rng.random()
            x = np.clip(middle + (rng.random(trees) - 0.5) * view.between(0.2, 1.2), 0, 1)
            y = base + swell * (1 - 0.5 * near) * high(x)
            feet = np.stack([x, canvas.lowered(x, y.astype(np.float32)) + 0.004], axis=1)
            size = (0.011 + 0.013 * near) * (0.7 + 0.7 * rng.random(trees))
            crowns(view, feet, size, 0.4 - 0.4 * near)


def desert(view: View) -> None:
    """Dunes with a lit and a shady side, sometimes table mountains behind, cacti in front."""
    canvas, rng = view.canvas, view.rng
    if view.chance(0.55):
        red = (190, 104, 74)
        for _ in range(int(view.between(1, 4))):
            x, half, height = rng.random(), view.between(0.06, 0.2), view.between(0.1, 0.24)
            away = np.abs(canvas.fine - np.float32(x))
            rough = noise(rng, 0.03, smooth=False)
            top = view.ground - height + 0.008 * rough(canvas.fine)
            line = np.maximum(
                top, top + (away - np.float32(half)) * 3.2 + np.where(away > half * 1.12, 0.35 * height, 0)
            )
            body = canvas.below(line)
            colour = view.lit(red, view.between(0.15, 0.4))
            canvas.fill(body, colour)
            edge = np.full(canvas.size, x - view.side * half * 0.3, np.float32) + 0.02 * rough(canvas.y[:, 0])
            dark = canvas.side(edge)
            canvas.fill(
                body * (1 - dark if view.side > 0 else dark) * np.float32(0.8),
                mix(colour, view.lit((110, 56, 66)), 0.5),
            )
            for y in np.arange(0.1, 0.9, 0.22) * height + view.ground - height:
                band = canvas.below(np.full_like(line, y)) - canvas.below(np.full_like(line, y + 0.01))
                canvas.fill(body * band * np.float32(0.3), view.lit((255, 220, 180)))
    count, top = int(view.between(2, 5)), view.horizon + view.between(0.0, 0.05)
    for depth in range(count):
        near = (depth + 1) / count
        base = top + (view.ground + 0.02 - top) * near
        rise, width, crest = 0.05 + 0.09 * rng.random(), 0.35 + 0.4 * rng.random(), 0.62
        start, flat = rng.random(), noise(rng, 0.3)
        mirrored = view.side > 0
        x = 1 - canvas.fine if mirrored else canvas.fine
        phase = fraction(x / np.float32(width) + np.float32(start))
        climb = np.where(phase < crest, phase / crest, (1 - phase) / (1 - crest))
        climb = climb * climb * (3 - 2 * climb)
        line = base - rise * (climb - 0.4) + 0.01 * flat(canvas.fine)
        below = canvas.below(line)
        colour = view.lit(mix(dune(view), (206, 128, 72), 0.5 * near), 0.42 - 0.4 * near)
        canvas.gradient([(base - 0.1, mix(colour, (255, 244, 206), 0.3)), (base + 0.3, colour)], below)
        deep = np.maximum(canvas.y - line.mean(axis=0), 0)
        across = (1 - canvas.x if mirrored else canvas.x) / np.float32(width) + np.float32(start)
        lee = fraction(across - 0.5 * deep / np.float32(width))
        edge = np.clip((lee - crest) * np.float32(width * canvas.size) + 0.5, 0, 1)
        fade = np.clip(1 - deep / np.float32(rise * 1.5), 0, 1)
        canvas.fill(below * edge * fade * np.float32(0.85), mix(colour, view.lit((140, 72, 62)), 0.62))
        if view.chance(0.6):
            wave = noise(rng, 0.12)
            lines = fraction((canvas.y - line.mean(axis=0) + 0.01 * wave(canvas.x)) / np.float32(0.03))
            faint = np.clip((np.abs(lines * 2 - 1) - 0.8) * 4, 0, 1)
            canvas.fill(below * faint * np.clip(deep * 12, 0, 0.16), view.lit((150, 88, 60)))
    for _ in range(int(view.between(0, 4))):
        x = view.between(0.03, 0.97)
        if abs(x - view.foot[0]) > 0.26:
            _cactus(view, x, view.between(view.ground + 0.04, 0.95))


def _cactus(view: View, x: float, y: float) -> None:
    height = 0.05 + 0.22 * (y - view.ground)
    green = view.lit((64, 122, 84))
    r = height * 0.1
    arms = [((0, 0), (0, 1))]
    arms += [((0, 0.4), (-0.3, 0.4)), ((-0.3, 0.4), (-0.3, 0.75))]
    arms += [((0, 0.3), (0.28, 0.3)), ((0.28, 0.3), (0.28, 0.6))]
    a, b = (
        np.array([(x + dx * height, y - dy * height) for dx, dy in ends]) for ends in zip(*arms, strict=True)
    )
    view.canvas.strokes(a, b, np.float32(r), mix(green, INK, 0.25))
    shift = np.array([view.side * r * 0.35, 0])
    view.canvas.strokes(a + shift, b + shift, np.float32(r * 0.5), mix(green, view.light.glint, 0.15))


def forest(view: View) -> None:
    """Rows of pines, in spring and autumn with round trees among them, and a clearing in front."""
    canvas, rng = view.canvas, view.rng
    ridge = noise(rng, 0.25)
    line = view.horizon - 0.12 + 0.07 * ridge(canvas.fine)
    canvas.fill(canvas.below(line), view.lit(mix(view.season.pine, (120, 150, 150), 0.4), 0.55))
    opening, wide = view.between(0.2, 0.8), view.between(0.14, 0.26)
    for depth, (height, gap, far) in enumerate(((0.17, 0.042, 0.42), (0.24, 0.06, 0.2), (0.34, 0.085, 0.0))):
        base = view.horizon + 0.01 + (view.ground + 0.015 - view.horizon) * (depth + 1) / 3
        x = np.arange(-0.02, 1.02, gap)
        x = x + gap * 0.7 * (rng.random(len(x)) - 0.5)
        kept = np.ones(len(x), bool) if depth < 2 else np.abs(x - opening) > wide
        x = x[kept]
        tall = height * (0.62 + 0.55 * rng.random(len(x)))
        if not len(x):
            continue
        pines(view, x, np.full(len(x), base), tall, view.lit(view.season.pine, far), ground=depth < 2)
        if view.scene.season in ("spring", "autumn") or (view.scene.season == "summer" and view.chance(0.3)):
            some = x[rng.random(len(x)) < (0.6 if view.scene.season != "summer" else 0.3)]
            if len(some):
                feet = np.stack([some + gap / 2, np.full(len(some), base + 0.01)], axis=1)
                crowns(view, feet, height * 0.2 * (0.7 + 0.6 * rng.random(len(some))), far * 0.7)
    draw_ground(view)
