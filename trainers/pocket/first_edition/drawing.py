"""Draws a scene of the pocket world as a 96x96 poster: sky, land in layers, water, one object, clouds."""

from dataclasses import dataclass

import numpy as np

from trainers.pocket.canvas import Colour, mix
from trainers.pocket.first_edition.attributes import Scene
from trainers.pocket.first_edition.canvas import Canvas, value_noise

SIZE = 96


@dataclass(frozen=True)
class Light:
    """How one time of day looks: sky from top to horizon, the tint that land takes, clouds and water."""

    sky: tuple[Colour, Colour, Colour]
    shade: Colour
    shading: float
    cloud: Colour
    water: tuple[Colour, Colour]
    glint: Colour
    object_shading: float


LIGHTS = {
    "day": Light(
        sky=((64, 148, 222), (138, 198, 238), (232, 243, 240)),
        shade=(190, 220, 240),
        shading=0.0,
        cloud=(255, 255, 255),
        water=((126, 200, 226), (40, 124, 178)),
        glint=(236, 250, 252),
        object_shading=0.0,
    ),
    "sunset": Light(
        sky=((92, 56, 122), (232, 98, 92), (255, 200, 112)),
        shade=(132, 48, 66),
        shading=0.34,
        cloud=(255, 158, 128),
        water=((250, 160, 104), (112, 58, 112)),
        glint=(255, 226, 160),
        object_shading=0.06,
    ),
    "night": Light(
        sky=((10, 14, 44), (28, 36, 88), (66, 80, 142)),
        shade=(16, 24, 70),
        shading=0.56,
        cloud=(86, 98, 150),
        water=((64, 84, 148), (18, 26, 70)),
        glint=(196, 208, 246),
        object_shading=0.08,
    ),
}
LAND = {  # far, middle and near layers by day
    "mountain": ((126, 142, 172), (88, 104, 132), (84, 130, 84)),
    "hills": ((146, 198, 122), (102, 172, 84), (66, 140, 62)),
    "desert": ((242, 206, 142), (230, 176, 104), (208, 142, 76)),
    "forest": ((98, 150, 122), (52, 112, 84), (24, 78, 56)),
    "coast": ((140, 158, 130), (112, 142, 104), (244, 220, 166)),
    "city": ((168, 176, 196), (112, 120, 148), (92, 104, 112)),
}
PAINT = {
    "red": (218, 36, 40),
    "yellow": (252, 206, 28),
    "green": (24, 160, 70),
    "blue": (28, 82, 214),
    "white": (250, 250, 246),
}
INK = (34, 32, 48)
BENDS = ("mountain", "hills", "desert", "forest")  # lands whose skyline may have any form


def draw(scene: Scene, rng: np.random.Generator, bend: np.ndarray | None = None) -> np.ndarray:
    """Draw ``scene`` with the details that ``rng`` gives; returns uint8 [96, 96, 3].

    bend: pixels [96] that ridges and hills lie lower; sea and city stay as they are. The world has no bends.
    """
    canvas = Canvas(SIZE)
    light = LIGHTS[scene.time]
    horizon = 50 + 6 * rng.random()
    _sky(canvas, light, scene.time, horizon, rng)
    lake = scene.lake == "yes"
    if bend is not None and scene.land in BENDS:
        canvas.bend = bend
    PAINTERS[scene.land](canvas, light, scene.time, horizon, rng)
    canvas.bend = np.zeros_like(canvas.bend)
    if lake:
        _lake(canvas, light, LAND[scene.land][2], rng)
    if scene.clouds == "yes":
        _clouds(canvas, light, rng)
    if scene.object != "none":
        _object(canvas, light, scene, rng)
    return canvas.to_bytes()


def _lit(colour: Colour, light: Light) -> Colour:
    return mix(colour, light.shade, light.shading)


def _sky(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    top, middle, low = light.sky
    canvas.gradient([(0, top), (horizon * 0.55, middle), (horizon + 6, low)])
    x = 14 + 68 * rng.random()
    if time == "day":
        y = 12 + 8 * rng.random()
        canvas.glow(x, y, 30, (255, 252, 224), 0.7)
        canvas.ellipse(x, y, 7, 7, (255, 244, 170))
    elif time == "sunset":
        y = horizon - 14 + 8 * rng.random()
        canvas.glow(x, y, 44, (255, 220, 130), 0.75)
        canvas.ellipse(x, y, 11, 11, (255, 236, 150))
    else:
        for _ in range(16):
            sx, sy, size = 96 * rng.random(), 44 * rng.random(), 0.8 + 0.7 * rng.random()
            canvas.ellipse(sx, sy, size, size, (244, 244, 255), opacity=0.9)
        y = 13 + 7 * rng.random()
        canvas.glow(x, y, 26, (150, 166, 226), 0.6)
        canvas.ellipse(x, y, 8, 8, (248, 244, 222))
        for dx, dy, r in ((-2.6, -1.8, 2.2), (2.4, 2.2, 2.8), (3.4, -3.2, 1.4)):
            canvas.ellipse(x + dx, y + dy, r, r, (218, 216, 208))


def _mountain(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, middle, near = (_lit(colour, light) for colour in LAND["mountain"])
    x = canvas.x[0]
    low = light.sky[2]
    back = horizon - 8 + 5 * value_noise(rng, SIZE, 17) + 2 * value_noise(rng, SIZE, 6)
    canvas.fill(canvas.below(back.astype(np.float32)), mix(far, low, 0.35))
    centre = 20 + 56 * rng.random()
    peaks = [(centre, 17 + 7 * rng.random(), 0.95 + 0.25 * rng.random())]
    for side in (-1, 1):
        peaks.append(
            (centre + side * (24 + 12 * rng.random()), 27 + 8 * rng.random(), 0.8 + 0.3 * rng.random())
        )
    crag = 2.2 * value_noise(rng, SIZE, 5) + 0.9 * value_noise(rng, SIZE, 2.6)
    snow_line = 11 + 2.5 * value_noise(rng, SIZE, 7)
    for px, py, steep in sorted(peaks, key=lambda peak: -peak[1]):
        distance = np.abs(x - np.float32(px))
        line = (py + steep * distance + crag * np.clip(distance / 5, 0.25, 1)).astype(np.float32)
        body = canvas.below(line)
        sunny, shady = mix(middle, (255, 255, 255), 0.10), mix(middle, INK, 0.22)
        ridge = np.clip(
            (canvas.x - px - 0.35 * (canvas.y - py) * value_noise(rng, SIZE, 8)[:, None]) + 0.5, 0, 1
        )
        canvas.fill(body, sunny)
        canvas.fill(body * ridge, shady)
        teeth = py + snow_line + 3.4 * np.abs(((x * 0.16 + px) % 1.0) * 2 - 1)
        cap = body * np.clip(teeth[None, :] - canvas.y + 0.5, 0, 1)
        white = mix((250, 252, 255), light.shade, 0.62 * light.shading)
        canvas.fill(cap, white)
        canvas.fill(cap * ridge, mix(white, (150, 172, 214), 0.45))
    front = 62 + 3 * value_noise(rng, SIZE, 30) + 1.2 * value_noise(rng, SIZE, 9)
    canvas.gradient([(58, near), (96, mix(near, INK, 0.28))], canvas.below(front.astype(np.float32)))


def _hills(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, middle, near = (_lit(colour, light) for colour in LAND["hills"])
    for depth, (base, colour, swell) in enumerate(((48, far, 6), (57, middle, 6), (69, near, 5))):
        line = (base + horizon - 53 + swell * value_noise(rng, SIZE, 34 - 4 * depth)).astype(np.float32)
        below = canvas.below(line)
        canvas.gradient(
            [(base - 8, mix(colour, (255, 255, 210), 0.16)), (base + 30, mix(colour, INK, 0.12))], below
        )
        furrow = ((canvas.y - line[None, :]) * 0.22 + canvas.x * 0.035 * (depth - 1)) % 1.0
        canvas.fill(
            below * np.clip((np.abs(furrow * 2 - 1) - 0.72) * 4, 0, 1) * np.float32(0.22),
            mix(colour, INK, 0.5),
        )
        for _ in range(3 - depth):
            tx = 96 * rng.random()
            ty = float(line[int(min(tx, 95))])
            size = 2.6 + 1.6 * depth + rng.random()
            canvas.ellipse(tx, ty - size * 0.7, size, size * 1.2, mix(colour, INK, 0.42))


def _desert(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, middle, near = (_lit(colour, light) for colour in LAND["desert"])
    x = canvas.x[0]
    for base, colour, rise, width in ((46, far, 9, 40), (57, middle, 11, 54), (72, near, 10, 74)):
        start, base = rng.random(), base + horizon - 53
        phase = (x / np.float32(width) + np.float32(start)) % 1.0
        top = 0.62
        climb = np.where(phase < top, phase / top, (1 - phase) / (1 - top))
        climb = climb * climb * (3 - 2 * climb)
        line = (base + 4 - rise * climb + 0.8 * value_noise(rng, SIZE, 22)).astype(np.float32)
        below = canvas.below(line)
        canvas.gradient([(base - 8, mix(colour, (255, 250, 220), 0.25)), (base + 30, colour)], below)
        lee = ((canvas.x / width + start - 0.30 * (canvas.y - line[None, :]) / width * 1.4) % 1.0 > top) * 1.0
        depth = np.clip(1 - (canvas.y - line[None, :]) / (rise * 2.0), 0, 1)
        canvas.fill(
            (below * lee * depth * 0.75).astype(np.float32), mix(colour, _lit((150, 82, 58), light), 0.6)
        )


def _forest(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, middle, near = (_lit(colour, light) for colour in LAND["forest"])
    back = horizon - 10 + 5 * value_noise(rng, SIZE, 26)
    canvas.fill(canvas.below(back.astype(np.float32)), mix(far, light.sky[2], 0.3))
    x = canvas.x[0]
    for base, colour, width, height in ((54, far, 8, 17), (61, middle, 11, 23), (72, near, 15, 30)):
        base = base + (horizon - 53) * 0.6
        line = np.full(SIZE, base, np.float32)
        position = -width * rng.random()
        while position < SIZE + width:
            tall = height * (0.7 + 0.45 * rng.random())
            if width < 15 or not 30 < position < 66:  # leave a clearing in the front row
                for tier in range(3):  # three skirts, narrower towards the top
                    half = width * (0.62 - 0.15 * tier)
                    foot = base - tall * 0.24 * tier
                    reach = np.abs(x - np.float32(position)) / np.float32(half)
                    skirt = foot - (tall * 0.52) * (1 - reach)
                    line = np.where(reach < 1, np.minimum(line, skirt), line)
            position += width * (0.72 + 0.4 * rng.random())
        canvas.gradient(
            [(base - height, mix(colour, (220, 240, 200), 0.12)), (base + 8, colour)], canvas.below(line)
        )
    ground = 70 + 2.5 * value_noise(rng, SIZE, 24)
    floor = _lit((86, 128, 72), light)
    canvas.gradient([(66, floor), (96, mix(floor, INK, 0.3))], canvas.below(ground.astype(np.float32)))


def _coast(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, _, near = (_lit(colour, light) for colour in LAND["coast"])
    shallow, deep = light.water
    horizon -= 4
    flat = np.full(SIZE, horizon, np.float32)
    canvas.gradient([(horizon, deep), (86, shallow)], canvas.below(flat))
    for _ in range(9):
        y = horizon + 4 + 26 * rng.random()
        length = 5 + (y - horizon) * 0.5 * rng.random()
        canvas.ellipse(96 * rng.random(), y, length, 0.8, light.glint, opacity=0.55)
    side, reach = (1.0 if rng.random() < 0.5 else -1.0), 30 + 16 * rng.random()
    x = canvas.x[0] if side < 0 else SIZE - canvas.x[0]
    cliff = (
        horizon
        + 1
        - 17 * np.clip(1 - x / reach, 0, 1)
        - 1.6 * value_noise(rng, SIZE, 6) * np.clip(reach - x, 0, 4) / 4
    )
    headland = canvas.below(cliff.astype(np.float32)) * np.clip(horizon + 2 - canvas.y + 0.5, 0, 1)
    canvas.fill(headland * (x < reach)[None, :], mix(far, light.sky[2], 0.1))
    shore = 76 + 4 * value_noise(rng, SIZE, 38) + side * (canvas.x[0] - 48) * -0.08
    canvas.fill(canvas.below((shore - 2.6).astype(np.float32)), mix(light.glint, (255, 255, 255), 0.3))
    canvas.gradient(
        [(72, near), (96, mix(near, _lit((196, 150, 96), light), 0.7))],
        canvas.below(shore.astype(np.float32)),
    )


def _city(canvas: Canvas, light: Light, time: str, horizon: float, rng: np.random.Generator) -> None:
    far, middle, near = (_lit(colour, light) for colour in LAND["city"])
    window = {"day": (206, 226, 240), "sunset": (255, 206, 120), "night": (255, 222, 120)}[time]
    for colour, tallest, width in ((mix(far, light.sky[2], 0.3), 34, 10), (middle, 44, 14)):
        x = -6 * rng.random()
        while x < SIZE:
            w = width * (0.65 + 0.6 * rng.random())
            h = tallest * (0.35 + 0.65 * rng.random())
            top = 66 - h
            face = mix(colour, INK, 0.22 * rng.random())
            canvas.rectangle(x, top, w, 70 - top, face)
            if rng.random() < 0.3:
                canvas.rectangle(x + w / 2 - 0.8, top - 6, 1.6, 7, face)
            if width > 12:
                canvas.rectangle(x + w - 2.2, top, 2.2, 70 - top, mix(face, INK, 0.2))
                for row in range(int(h / 6)):
                    for column in range(int((w - 4) / 4)):
                        if rng.random() < 0.72:
                            canvas.rectangle(x + 2 + 4 * column, top + 3 + 6 * row, 2.2, 3.2, window)
            x += w + (1.5 if width > 12 else 0)
    line = np.full(SIZE, 66, np.float32)
    canvas.gradient([(66, mix(near, (255, 255, 255), 0.08)), (96, mix(near, INK, 0.3))], canvas.below(line))
    canvas.rectangle(0, 66, 96, 1.6, mix(near, (255, 255, 255), 0.35))


def _lake(canvas: Canvas, light: Light, ground: Colour, rng: np.random.Generator) -> None:
    near, deep = light.water
    upper = 63 + 1.6 * value_noise(rng, SIZE, 20)
    lower = 83 + 2.2 * value_noise(rng, SIZE, 28)
    body = canvas.below(upper.astype(np.float32)) * (1 - canvas.below(lower.astype(np.float32)))
    rim = canvas.below((upper - 1.4).astype(np.float32)) * (
        1 - canvas.below((lower + 1.6).astype(np.float32))
    )
    canvas.fill(rim, mix(_lit(ground, light), INK, 0.22))
    canvas.gradient([(62, near), (84, deep)], body)
    for _ in range(10):
        y = 66 + 15 * rng.random()
        canvas.ellipse(96 * rng.random(), y, 3 + 7 * rng.random(), 0.75, light.glint, opacity=0.6)


def _clouds(canvas: Canvas, light: Light, rng: np.random.Generator) -> None:
    count = 2 + int(2 * rng.random())
    start = rng.random()
    for i in range(count):
        x = 96 * ((start + (i + 0.3 * rng.random()) / count) % 1.0)
        y = 15 + 14 * rng.random()
        size = 0.85 + 0.4 * rng.random()
        under = mix(light.cloud, light.sky[1], 0.28)
        for shift, colour in ((0.0, under), (-1.6, light.cloud)):
            for dx, dy, r in ((-10, 0, 5), (-4, -4, 6.5), (4, -2.5, 6), (11, 0.6, 4.4), (0, 1, 6)):
                canvas.ellipse(
                    x + dx * size,
                    y + dy * size + shift,
                    r * size * 1.15,
                    r * size,
                    colour,
                    floor=y + 4 * size + shift,
                )


def _object(canvas: Canvas, light: Light, scene: Scene, rng: np.random.Generator) -> None:
    paint = mix(PAINT[scene.colour], light.shade, light.object_shading)
    dark = mix(paint, INK, 0.34)
    trim = mix((250, 246, 236), light.shade, light.object_shading)
    if scene.colour == "white":
        dark, trim = mix(paint, (120, 132, 160), 0.5), mix((92, 80, 84), light.shade, light.object_shading)
    x, scale = 26 + 44 * rng.random(), 0.94 + 0.18 * rng.random()
    foot = 89 + 3 * rng.random()
    if scene.object == "sailboat":
        foot = 76 + 3 * rng.random() if scene.land != "coast" else 68 + 4 * rng.random()
    if scene.object == "balloon":
        foot = 47 + 8 * rng.random()
    pen = _Pen(canvas, x, foot, scale if rng.random() < 0.5 else -scale, abs(scale))
    OBJECTS[scene.object](pen, paint, dark, trim)


@dataclass(frozen=True)
class _Pen:
    """Draws in an object's own units: origin at its foot, y up, x mirrored when ``width`` is negative."""

    canvas: Canvas
    x: float
    y: float
    width: float
    height: float

    def polygon(self, points: list[tuple[float, float]], colour: Colour) -> None:
        self.canvas.polygon(
            [(self.x + px * self.width, self.y - py * self.height) for px, py in points], colour
        )

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, opacity: float = 1.0) -> None:
        centre = (self.x + x * self.width, self.y - y * self.height)
        self.canvas.ellipse(*centre, rx * self.height, ry * self.height, colour, opacity=opacity)


def _house(pen: _Pen, paint: Colour, dark: Colour, trim: Colour) -> None:
    pen.ellipse(0, 0, 18, 2.2, INK, opacity=0.35)
    pen.polygon([(-15.5, -0.8), (15.5, -0.8), (15.5, 16), (-15.5, 16)], INK)
    pen.polygon([(8, 18), (13, 18), (13, 30), (8, 30)], mix(INK, trim, 0.25))
    pen.polygon([(-19.5, 14.6), (19.5, 14.6), (0, 31.6)], INK)
    pen.polygon([(-14.5, 0), (14.5, 0), (14.5, 16), (-14.5, 16)], paint)
    pen.polygon([(-17.5, 15.6), (17.5, 15.6), (0, 30)], dark)
    pen.polygon([(-4, 0), (3, 0), (3, 10.5), (-4, 10.5)], trim)
    pen.polygon([(6, 5.5), (12, 5.5), (12, 11.5), (6, 11.5)], trim)


def _tent(pen: _Pen, paint: Colour, dark: Colour, trim: Colour) -> None:
    pen.ellipse(0, 0, 21, 2.2, INK, opacity=0.35)
    pen.polygon([(-19, -0.8), (20.5, -0.8), (-3, 27)], INK)
    pen.polygon([(20.5, -0.8), (-3, 27), (4, 24.6), (24, 0.6)], INK)
    pen.polygon([(-17, 0), (18, 0), (-3, 25)], paint)
    pen.polygon([(18, 0), (-3, 25), (3.6, 23.4), (22.4, 1)], dark)
    pen.polygon([(-9, 0), (6, 0), (-3, 17)], mix(INK, dark, 0.35))
    pen.polygon([(-9, 0), (-6.4, 0), (-3, 17)], trim)


def _sailboat(pen: _Pen, paint: Colour, dark: Colour, trim: Colour) -> None:
    pen.ellipse(0, -0.6, 18, 2, INK, opacity=0.3)
    pen.polygon([(-17, 7), (17.5, 7), (11, -1), (-11.5, -1)], INK)
    pen.polygon([(-1, 6), (0.8, 6), (0.8, 35), (-1, 35)], INK)
    pen.polygon([(1, 8.4), (16.4, 8.4), (1, 34.4)], INK)
    pen.polygon([(-1.4, 9), (-13.6, 9), (-1.4, 30)], INK)
    pen.polygon(
        [(-15, 6.2), (15.4, 6.2), (10.4, 0), (-11, 0)], trim if paint[2] < 200 or paint[0] < 200 else dark
    )
    pen.polygon([(1.6, 9.2), (14.8, 9.2), (1.6, 32)], paint)
    pen.polygon([(-2, 9.8), (-12, 9.8), (-2, 27.6)], mix(paint, dark, 0.5))


def _balloon(pen: _Pen, paint: Colour, dark: Colour, trim: Colour) -> None:
    pen.polygon([(-7, 12), (-4, 4), (-3, 4), (-5, 12)], INK)
    pen.polygon([(7, 12), (4, 4), (3, 4), (5, 12)], INK)
    pen.polygon([(-11.5, 17), (11.5, 17), (5, 8.4), (-5, 8.4)], INK)
    pen.ellipse(0, 25, 15.4, 15.4, INK)
    pen.polygon([(-10.6, 17), (10.6, 17), (4.4, 9.4), (-4.4, 9.4)], paint)
    pen.ellipse(0, 25, 14.4, 14.4, paint)
    pen.ellipse(0, 25, 7.6, 14.4, dark)
    pen.ellipse(0, 25, 3.2, 14.4, paint)
    pen.polygon([(-4.4, 5), (4.4, 5), (3.6, -1), (-3.6, -1)], INK)
    pen.polygon([(-3.6, 4.2), (3.6, 4.2), (2.9, -0.2), (-2.9, -0.2)], (150, 100, 60))


def _van(pen: _Pen, paint: Colour, dark: Colour, trim: Colour) -> None:
    pen.ellipse(0, 0, 21, 2.2, INK, opacity=0.35)
    pen.polygon([(-19, 2.4), (20.5, 2.4), (20.5, 12), (14, 22), (-19, 22)], INK)
    pen.polygon([(-18, 3.4), (19.5, 3.4), (19.5, 11.6), (13.4, 21), (-18, 21)], paint)
    pen.polygon([(-18, 3.4), (19.5, 3.4), (19.5, 7.4), (-18, 7.4)], dark)
    for left, right in ((-15.4, -8), (-5.8, 1.6)):
        pen.polygon([(left, 12), (right, 12), (right, 18.4), (left, 18.4)], (176, 214, 236))
    pen.polygon([(4, 12), (17, 12), (13, 18.4), (4, 18.4)], (176, 214, 236))
    pen.polygon([(-19, 20.4), (13.4, 20.4), (12.6, 22.4), (-18, 22.4)], trim)
    for x in (-10.5, 11):
        pen.ellipse(x, 3.2, 4.6, 4.6, INK)
        pen.ellipse(x, 3.2, 2.0, 2.0, (210, 210, 214))


PAINTERS = {
    "mountain": _mountain,
    "hills": _hills,
    "desert": _desert,
    "forest": _forest,
    "coast": _coast,
    "city": _city,
}
OBJECTS = {"house": _house, "tent": _tent, "sailboat": _sailboat, "balloon": _balloon, "van": _van}
