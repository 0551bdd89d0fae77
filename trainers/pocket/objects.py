"""The one thing that a scene is about: a house, a boat, a cat …, large, in its colour, outlined."""

from dataclasses import dataclass, field

from trainers.pocket.canvas import Canvas, Colour, mix
from trainers.pocket.view import INK, SNOW, View

UNIT = 1 / 96  # of the picture's side, at scale 1: things are about 36 wide
OUTLINE = 0.0055
SHADOWS = {"cat": 13, "tree": 14, "person": 10}  # half their widths; others' is 18
PAINT: dict[str, Colour] = {
    "red": (218, 36, 40),
    "orange": (246, 130, 20),
    "yellow": (252, 210, 28),
    "green": (24, 160, 70),
    "blue": (28, 82, 214),
    "white": (250, 250, 246),
    "black": (44, 44, 56),
}
GLASS: Colour = (186, 220, 238)


@dataclass
class Pen:
    """Collects the shapes of a thing in its own units: origin at its foot, y up; then draws them outlined.

    paint, dark and trim are its colours; lamp is a window, lit at night; snow is None unless it is winter.
    """

    paint: Colour
    dark: Colour
    trim: Colour
    lamp: Colour
    glass: Colour
    snow: Colour | None
    shade: View
    shapes: list = field(default_factory=list)

    def polygon(self, points: list[tuple[float, float]], colour: Colour, inner: bool = False) -> None:
        """A convex polygon; ``inner`` ones lie within others and have no outline."""
        self.shapes.append((points, colour, inner))

    def box(self, left: float, low: float, right: float, high: float, colour: Colour, inner=False) -> None:
        """An upright rectangle."""
        self.polygon([(left, low), (right, low), (right, high), (left, high)], colour, inner)

    def ellipse(self, x: float, y: float, rx: float, ry: float, colour: Colour, inner=False) -> None:
        """An ellipse around (x, y)."""
        self.shapes.append(((x, y, rx, ry), colour, inner))

    def tinted(self, colour: Colour) -> Colour:
        """A colour of its own, in the light of the scene."""
        return mix(colour, self.shade.light.shade, self.shade.light.object_shading)

    def draw(self, canvas: Canvas, x: float, y: float, width: float, height: float, ink: Colour) -> None:
        """Draw everything with the foot at (x, y); mirrored where ``width`` is negative."""
        for outlined in (True, False):
            for shape, colour, inner in self.shapes:
                if outlined and inner:
                    continue
                grow, fill = (OUTLINE, ink) if outlined else (0.0, colour)
                if isinstance(shape, tuple):
                    cx, cy, rx, ry = shape
                    centre = (x + cx * width, y - cy * height)
                    canvas.ellipse(*centre, rx * abs(width) + grow, ry * abs(height) + grow, fill)
                else:
                    canvas.polygon([(x + px * width, y - py * height) for px, py in shape], fill, grow)


def draw_object(view: View) -> None:
    """Draw the scene's object where the view has room for it, with its shadow or reflection."""
    scene, light = view.scene, view.light
    paint = mix(PAINT[scene.colour], light.shade, light.object_shading)
    dark = mix(paint, INK, 0.34)
    trim = mix((250, 246, 236), light.shade, light.object_shading)
    ink = INK
    if scene.colour == "white":
        dark, trim = mix(paint, (120, 132, 160), 0.5), mix((104, 92, 92), light.shade, light.object_shading)
    if scene.colour == "black":
        dark, ink = (24, 24, 34), mix(light.glint, (112, 116, 140), 0.55)
    lamp = {"night": (255, 214, 96), "sunset": (255, 214, 120)}.get(scene.time, mix(GLASS, light.shade, 0.1))
    snow = view.lit(SNOW) if view.winter else None
    pen = Pen(paint, dark, trim, lamp, mix(GLASS, light.shade, 0.5 * light.shading), snow, view)
    OBJECTS[scene.object](pen)
    unit = view.scale * UNIT
    width = unit if view.chance(0.5) else -unit
    x, y = view.foot
    if scene.object == "sailboat":
        pen.draw(Faint(view.canvas, 0.3), x, y, width, -0.5 * unit, mix(ink, view.light.water[1], 0.5))
        view.canvas.ellipse(x, y + 0.4 * unit, 17 * unit, 0.6 * unit, light.glint, 0.6)
    elif scene.object != "balloon":
        lean, wide = -view.side * 2.5 * unit, SHADOWS.get(scene.object, 18) * unit
        view.canvas.ellipse(x + lean, y + 0.2 * unit, wide, 2.2 * unit, INK, 0.3)
    pen.draw(view.canvas, x, y, width, unit, ink)


@dataclass
class Faint:
    """A canvas on which everything is a little transparent, as a reflection is."""

    canvas: Canvas
    opacity: float

    def polygon(self, points, colour: Colour, grow: float = 0.0) -> None:
        """As Canvas."""
        if not grow:
            self.canvas.polygon(points, colour, opacity=self.opacity)

    def ellipse(self, x, y, rx, ry, colour: Colour) -> None:
        """As Canvas."""
        self.canvas.ellipse(x, y, rx, ry, colour, self.opacity)


def _house(pen: Pen) -> None:
    pen.box(7.5, 18, 12.5, 31, mix(pen.dark, (120, 80, 70), 0.6))
    pen.box(-14.5, 0, 14.5, 16, pen.paint)
    pen.polygon([(-14.5, 15.6), (14.5, 15.6), (0, 28)], pen.paint, True)
    pen.polygon([(-18.5, 14.2), (-16.6, 12.8), (1.4, 27.6), (0, 30.4)], pen.snow or pen.dark)
    pen.polygon([(18.5, 14.2), (16.6, 12.8), (-1.4, 27.6), (0, 30.4)], pen.snow or pen.dark)
    if pen.snow:
        pen.box(6.8, 30.2, 13.2, 31.8, pen.snow, True)
    for y in (4, 8, 12):
        pen.box(-14.5, y, 14.5, y + 0.5, mix(pen.paint, pen.dark, 0.45), True)
    pen.box(-4, 0, 3, 10.5, pen.trim, True)
    pen.box(-3.2, 0, 2.2, 9.7, mix(pen.trim, (110, 70, 50), 0.7), True)
    pen.ellipse(1.2, 4.8, 0.6, 0.6, pen.lamp, True)
    for left, low, right, high in ((5.4, 4.8, 12, 11.6), (-12, 4.8, -6.2, 11.6), (-2.4, 17, 2.4, 21.6)):
        pen.box(left, low, right, high, pen.trim, True)
        pen.box(left + 0.8, low + 0.8, right - 0.8, high - 0.8, pen.lamp, True)
        pen.box((left + right) / 2 - 0.35, low + 0.8, (left + right) / 2 + 0.35, high - 0.8, pen.trim, True)


def _castle(pen: Pen) -> None:
    roof = mix(pen.dark, (70, 60, 96), 0.45)
    for x, w, high in ((-14, 4.4, 22), (14, 4.4, 22), (0, 5.4, 31)):
        pen.box(x - w, 0, x + w, high, pen.paint)
        pen.polygon([(x - w - 1.2, high), (x + w + 1.2, high), (x, high + 9)], roof)
        if pen.snow:
            pen.polygon(
                [(x - w * 0.55, high + 4.9), (x + w * 0.55, high + 4.9), (x, high + 9)], pen.snow, True
            )
        pen.box(x + (w - 2.2), 0, x + w, high, mix(pen.paint, pen.dark, 0.5), True)
        pen.box(x - 1, high - 6, x + 1, high - 2.4, pen.lamp if pen.shade.scene.time != "day" else INK, True)
        pen.box(x - 0.25, high + 9, x + 0.25, high + 13, INK)
        pen.polygon(
            [(x + 0.25, high + 13), (x + 0.25, high + 10.2), (x + 4, high + 11.6)],
            mix(pen.trim, (230, 60, 60), 0.4),
            True,
        )
    pen.box(-12, 0, 12, 13, pen.paint)
    for x in (-10.6, -6.2, -1.8, 2.6, 7.0):
        pen.box(x, 13, x + 2.6, 15.4, pen.snow or pen.paint)
    for y, shift in ((3, 0), (6, 2), (9, 0)):
        for x in (-9.5, -5.5, 4.5, 8.5):
            pen.box(x + shift - 1.1, y, x + shift + 1.1, y + 0.7, mix(pen.paint, pen.dark, 0.4), True)
    pen.box(-3, 0, 3, 6, INK, True)
    pen.ellipse(0, 6, 3, 3, INK, True)
    pen.box(-0.3, 0, 0.3, 8.6, mix(INK, pen.trim, 0.3), True)


def _tent(pen: Pen) -> None:
    pen.polygon([(18, 0), (-3, 25), (3.6, 23.4), (22.4, 1)], pen.dark)
    pen.polygon([(-17, 0), (18, 0), (-3, 25)], pen.paint)
    if pen.snow:
        pen.polygon([(-3, 25), (3.6, 23.4), (9, 16.2), (6, 16), (-1, 20.4)], pen.snow, True)
    pen.polygon(
        [(-9, 0), (6, 0), (-3, 17)],
        mix(INK, pen.lamp, 0.85 if pen.shade.scene.time == "night" else 0.1),
        True,
    )
    pen.polygon([(-9, 0), (-6.4, 0), (-3, 17)], pen.trim, True)
    pen.polygon([(6, 0), (3.8, 0), (-3, 17)], pen.trim, True)
    pen.polygon([(-17, 0), (-22, -1), (-21.6, -0.6), (-14, 4)], INK, True)
    for t in (0.36, 0.68):
        pen.polygon(
            [(18 - 21 * t, 25 * t), (17 - 21 * t, 25 * t), (5.4, 0), (6.4, 0)],
            mix(pen.paint, pen.dark, 0.5),
            True,
        )


def _sailboat(pen: Pen) -> None:
    hull = pen.trim if pen.paint[2] < 200 or pen.paint[0] < 200 else pen.dark
    pen.box(-0.7, 5, 0.5, 36, mix(INK, (140, 96, 66), 0.4))
    pen.polygon([(1.4, 9), (15.4, 9), (10.6, 17), (1.4, 33)], pen.paint)
    pen.polygon([(-1.8, 9.4), (-12.6, 9.4), (-1.8, 29)], mix(pen.paint, pen.dark, 0.5))
    pen.polygon([(-15.5, 6.4), (16.5, 6.4), (11, 0), (-11.5, 0)], hull)
    pen.polygon([(-15.2, 6.1), (16.2, 6.1), (15.2, 4.9), (-14.2, 4.9)], pen.dark, True)
    pen.polygon([(-12.4, 0.9), (11.8, 0.9), (11, 0), (-11.5, 0)], mix(hull, INK, 0.4), True)
    for y in (14, 19, 24):
        pen.box(1.4, y, 1.4 + (33 - y) * 0.52, y + 0.5, mix(pen.paint, pen.dark, 0.6), True)
    pen.polygon([(-0.4, 36), (-0.1, 36), (16, 6.6), (15.6, 6.4)], INK, True)
    pen.polygon([(-0.1, 36), (-0.1, 33.6), (-4.6, 34.8)], mix(pen.trim, (230, 60, 60), 0.5), True)
    for x in (-6, -1, 4):
        pen.ellipse(x, 3.2, 0.8, 0.8, mix(GLASS, INK, 0.3), True)


def _balloon(pen: Pen) -> None:
    for x in (-1, 1):
        pen.polygon([(x * 4.6, 10), (x * 4.0, 10), (x * 3.0, 4), (x * 3.6, 4)], INK)
    pen.polygon([(-11.4, 17), (11.4, 17), (4.4, 9.4), (-4.4, 9.4)], pen.paint)
    pen.ellipse(0, 25, 14.6, 14.6, pen.paint)
    pen.ellipse(0, 25, 10.4, 14.6, pen.dark, True)
    pen.ellipse(0, 25, 6.4, 14.6, pen.paint, True)
    pen.ellipse(0, 25, 2.6, 14.6, pen.dark, True)
    pen.polygon([(-7.6, 17), (7.6, 17), (2.8, 9.4), (-2.8, 9.4)], pen.paint, True)
    pen.polygon([(-1.6, 17), (1.6, 17), (0.8, 9.4), (-0.8, 9.4)], pen.dark, True)
    pen.box(-14.3, 23.8, 14.3, 26.2, pen.trim, True)
    pen.polygon([(-3.8, 4.2), (3.8, 4.2), (3.1, -0.4), (-3.1, -0.4)], (164, 112, 68))
    pen.box(-3.4, 1.4, 3.4, 2.0, (110, 70, 44), True)
    if pen.snow:
        pen.ellipse(0, 38.2, 5.6, 1.5, pen.snow, True)


def _van(pen: Pen) -> None:
    pen.polygon([(-18, 3.4), (19.5, 3.4), (19.5, 11.6), (14.4, 22), (-18, 22)], pen.paint)
    pen.box(-18, 9.4, 19.5, 11, pen.trim, True)
    pen.box(-18, 3.4, 19.5, 6, pen.dark, True)
    pen.polygon([(-18, 22), (14.2, 22), (13, 24), (-17, 24)], pen.snow or pen.trim)
    for left, right in ((-16, -9), (-7.4, -0.4)):
        pen.box(left, 12.6, right, 19.4, INK, True)
        pen.box(
            left + 0.6,
            13.2,
            right - 0.6,
            18.8,
            pen.lamp if pen.shade.scene.time == "night" else pen.glass,
            True,
        )
    pen.polygon([(2, 12.6), (18, 12.6), (14, 19.4), (2, 19.4)], INK, True)
    pen.polygon([(2.8, 13.2), (16.8, 13.2), (13.4, 18.8), (2.8, 18.8)], pen.glass, True)
    pen.box(8, 4, 8.6, 19.4, pen.dark, True)
    pen.ellipse(19, 8, 1.1, 1.5, (255, 240, 170), True)
    pen.box(-14, 24, 4, 25.2, (140, 96, 66))
    for x in (-10.5, 11):
        pen.ellipse(x, 3.2, 4.6, 4.6, mix(INK, (60, 60, 70), 0.5))
        pen.ellipse(x, 3.2, 2.2, 2.2, (214, 214, 218), True)
        pen.ellipse(x, 3.2, 0.9, 0.9, pen.dark, True)


def _car(pen: Pen) -> None:
    pen.polygon([(-12, 10), (10, 10), (5.4, 18), (-7.6, 18)], pen.paint)
    pen.polygon([(-20, 3), (20.5, 3), (20.5, 8.6), (12, 11), (-18.6, 11), (-20, 9)], pen.paint)
    pen.polygon([(-10, 10.8), (-1.4, 10.8), (-1.4, 16.8), (-6.8, 16.8)], pen.glass, True)
    pen.polygon([(0.2, 10.8), (8.2, 10.8), (4.8, 16.8), (0.2, 16.8)], pen.glass, True)
    pen.box(-20, 3, 20.5, 4.8, pen.dark, True)
    pen.box(-0.9, 4.8, -0.3, 16.8, pen.dark, True)
    pen.box(1, 8.6, 4, 9.4, pen.trim, True)
    pen.ellipse(19.4, 7.6, 1.2, 1.4, (255, 240, 170), True)
    pen.box(-20, 6.8, -18.6, 8.8, (200, 40, 40), True)
    if pen.snow:
        pen.polygon([(-8, 17.6), (5.8, 17.6), (4.4, 19.4), (-6.6, 19.4)], pen.snow)
    for x in (-11.5, 12):
        pen.ellipse(x, 3, 4.7, 4.7, mix(INK, (60, 60, 70), 0.5))
        pen.ellipse(x, 3, 2.4, 2.4, (214, 214, 218), True)
        pen.ellipse(x, 3, 1.0, 1.0, INK, True)


def _cat(pen: Pen) -> None:
    """A sitting cat that looks at whoever looks at it."""
    mark = mix(pen.paint, pen.dark, 0.6)
    pale = mix(pen.paint, (255, 250, 240), 0.55) if pen.paint != pen.trim else pen.trim
    for x, y, r in ((9, 2.6, 2.6), (11.6, 4.4, 2.4), (13, 7.4, 2.2), (13.2, 10.6, 2.0), (12.2, 13.4, 1.8)):
        pen.ellipse(x, y, r, r, pen.paint)
    pen.ellipse(0, 7.6, 10.4, 7.8, pen.paint)
    pen.ellipse(0, 12, 7.6, 9.4, pen.paint)
    for side in (-1, 1):
        pen.polygon([(side * 8.6, 25), (side * 8.8, 33), (side * 2.4, 29.6)], pen.paint)
        pen.polygon([(side * 7.6, 27), (side * 7.9, 31), (side * 4.2, 29)], (240, 150, 160), True)
    pen.ellipse(0, 23.6, 9.4, 7.8, pen.paint)
    for y in (8, 11.5):
        pen.polygon([(-10, y), (-5.6, y + 0.5), (-5.6, y + 1.7), (-9.8, y + 1.8)], mark, True)
        pen.polygon([(10, y), (5.6, y + 0.5), (5.6, y + 1.7), (9.8, y + 1.8)], mark, True)
    for x in (-2.4, 0, 2.4):
        pen.polygon([(x - 0.55, 28), (x + 0.55, 28), (x + 0.3, 31), (x - 0.3, 31)], mark, True)
    pen.ellipse(0, 11.6, 4.2, 6, pale, True)
    for side in (-1, 1):
        pen.ellipse(side * 3.2, 1.7, 2.7, 1.9, pale, True)
        pen.ellipse(side * 3.8, 24.4, 1.9, 2.2, (236, 224, 110), True)
        pen.ellipse(side * 3.8, 24.4, 0.8, 2.0, (20, 20, 26), True)
        for drop in (0, 1.4):
            pen.polygon(
                [(side * 3, 20.6), (side * 10.6, 21.6 - drop * 1.4), (side * 10.6, 21.2 - drop * 1.4)],
                pen.dark,
                True,
            )
    pen.ellipse(0, 20.6, 2.9, 1.9, pale, True)
    pen.polygon([(-1, 21.6), (1, 21.6), (0, 20.4)], (226, 110, 124), True)


def _tree(pen: Pen) -> None:
    """A great round tree."""
    bark = pen.tinted((98, 68, 50))
    pen.polygon([(-4.4, 0), (4.4, 0), (2.2, 16), (-2.2, 16)], bark)
    pen.polygon([(-1, 8), (1.4, 8), (-6.4, 17), (-7.6, 16)], bark)
    pen.polygon([(-0.4, 9), (1.6, 8), (8, 16.6), (6.8, 17.4)], bark)
    lumps = ((-9.6, 19, 8.2), (9.8, 19.4, 8.2), (0, 20, 9.4), (-6.6, 27.6, 8.4), (7, 28, 8.2), (0, 32.6, 7.6))
    for x, y, r in lumps:
        pen.ellipse(x, y, r, r * 0.94, pen.paint)
    shade, light = mix(pen.paint, pen.dark, 0.5), mix(pen.paint, (255, 250, 214), 0.25)
    for x, y, r in ((-9, 15.8, 5), (9.4, 16, 5), (0.4, 16, 5.6)):
        pen.ellipse(x, y, r, r * 0.6, shade, True)
    for x, y, r in (
        (4, 34, 3.4),
        (10, 29, 3.4),
        (-5, 29.6, 3),
        (12, 21.6, 2.6),
        (0.6, 24, 3.2),
        (-10, 22.4, 2.8),
    ):
        pen.ellipse(x, y, r, r * 0.7, light, True)
    if pen.snow:
        for x, y, r in ((0, 38, 4.6), (-8.6, 33, 3.4), (9.2, 33.4, 3.4)):
            pen.ellipse(x, y, r, r * 0.42, pen.snow, True)
    pen.polygon([(-3.4, 0), (-2.6, 0), (-1.2, 14), (-1.6, 14)], mix(bark, INK, 0.4), True)


def _person(pen: Pen) -> None:
    """A hiker with a backpack and a stick, seen from the side."""
    skin, trousers = (232, 182, 146), mix((70, 76, 100), INK, 0.2)
    pen.polygon([(-3.4, 14), (1.6, 14), (-2.6, 1), (-6.2, 1)], trousers)
    pen.polygon([(-1.4, 14), (3.8, 14), (6.6, 1), (3.0, 1)], mix(trousers, INK, 0.25))
    pen.polygon([(-6.8, 0), (-1.6, 0), (-2.2, 2.6), (-6, 2.6)], (96, 62, 44))
    pen.polygon([(2.6, 0), (8.4, 0), (6.4, 2.6), (3, 2.6)], (96, 62, 44))
    pen.polygon([(-11.6, 15.4), (-4, 14.4), (-3.4, 26), (-9.8, 26.4)], mix(pen.dark, (126, 92, 58), 0.7))
    pen.box(-10.4, 26.4, -4, 29, mix(pen.trim, (150, 140, 110), 0.5))
    pen.polygon([(-5.2, 13), (5.2, 13), (4.6, 27.4), (-3.8, 27.4)], pen.paint)
    pen.polygon([(0, 25.6), (2.8, 26.4), (11, 18.4), (9, 16.4)], mix(pen.paint, pen.dark, 0.4))
    pen.ellipse(10.4, 17, 1.5, 1.5, skin)
    pen.polygon([(10.2, 20.4), (11, 20.4), (14, 0), (13.2, 0)], (110, 74, 50))
    pen.ellipse(0.8, 31.4, 4.3, 4.6, skin)
    if pen.snow:
        pen.box(-3.6, 26.6, 5, 28.8, pen.trim, True)
    pen.polygon([(-3.6, 33), (5.2, 33), (4.2, 37.4), (-2.6, 37.4)], pen.paint)
    pen.box(-4.2, 32.4, 6.8, 33.8, pen.dark)
    pen.ellipse(3.4, 31.2, 0.6, 0.7, INK, True)
    pen.box(-5.2, 13, 5.2, 14.6, pen.dark, True)
    pen.polygon([(-2.6, 27.2), (-1.2, 27.2), (-3.4, 15), (-4.6, 15)], mix(pen.dark, (126, 92, 58), 0.7), True)


DRAWN = (_house, _castle, _tent, _sailboat, _balloon, _van, _car, _cat, _tree, _person)
OBJECTS = {each.__name__[1:]: each for each in DRAWN}
