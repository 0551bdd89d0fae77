"""The lands of the pocket world: what stands between the sky and the near ground, and the ground itself."""

import numpy as np

from trainers.pocket.canvas import Colour, fraction, mix, noise
from trainers.pocket.plants import crowns, palm, pines, tufts
from trainers.pocket.view import INK, SNOW, View
from trainers.pocket.water import foam, sea

ROCK: Colour = (104, 112, 142)
SAND: Colour = (240, 214, 158)
DUNE: Colour = (232, 172, 96)


def ground_colour(view: View) -> Colour:
    """The near ground by daylight."""
    land, grass = view.scene.land, view.season.grass
    if land == "desert":
        return mix(dune(view), (206, 128, 72), 0.35)
    if land in ("coast", "island"):
        sand = mix(SAND, (252, 240, 214), view.earth)
        return mix(sand, SNOW, 0.8) if view.winter else sand
    return {
        "forest": mix(grass, (60, 96, 66), 0.0 if view.winter else 0.3),
        "city": mix(grass, (150, 158, 160), 0.15),
    }.get(land, grass)


def dune(view: View) -> Colour:
    """The sand of a desert: golden, red or pale."""
    return (
        mix(DUNE, (214, 112, 74), 1 - 2 * view.earth)
        if view.earth < 0.5
        else mix(DUNE, (246, 214, 160), view.earth - 0.3)
    )


def _ground(view: View, swell: float = 0.02) -> None:
    """Near land from the ground line on, a nearer layer from one side."""
    canvas, colour = view.canvas, view.lit(ground_colour(view))
    wave = noise(view.rng, 0.3)
    line = view.ground + swell * wave(canvas.fine)
    lightest = mix(colour, view.light.glint, 0.18)
    canvas.gradient([(view.ground, lightest), (1, mix(colour, INK, 0.14))], canvas.below(line))


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
            _ground(view)
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
    view.canvas.strokes(
        a + shift,
        b + shift,
        np.float32(r * 0.5),
        mix(green, view.light.glint, 0.15),
    )


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
    _ground(view)


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


def city(view: View) -> None:
    """Two rows of towers with lit windows, trees along the park in front of them."""
    canvas, rng = view.canvas, view.rng
    window = {
        "day": (214, 232, 244),
        "sunrise": (255, 236, 200),
        "sunset": (255, 212, 122),
        "night": (255, 224, 124),
    }[view.scene.time]
    cool, warm = (
        ((112, 120, 152), (96, 112, 140), (150, 128, 130)),
        ((196, 124, 100), (222, 196, 152), (168, 108, 110)),
    )
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
    _ground(view, 0.0)
    canvas.rectangle(0, view.ground, 1, 0.014, view.lit((176, 178, 184)))
    trees = int(view.between(6, 15))
    x = (np.arange(trees) + 0.5 * rng.random(trees)) / trees
    crowns(
        view, np.stack([x, np.full(trees, view.ground + 0.022)], axis=1), 0.018 + 0.008 * rng.random(trees)
    )


PAINTERS = {
    "mountain": mountain,
    "hills": hills,
    "desert": desert,
    "forest": forest,
    "coast": coast,
    "island": island,
    "city": city,
}
