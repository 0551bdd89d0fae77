"""The near ground of a drawing: its colour in each land, and its shape."""

from trainers.pocket.canvas import Colour, mix, noise
from trainers.pocket.view import INK, SNOW, View

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


def draw_ground(view: View, swell: float = 0.02) -> None:
    """Near land from the ground line on, a nearer layer from one side."""
    canvas, colour = view.canvas, view.lit(ground_colour(view))
    wave = noise(view.rng, 0.3)
    line = view.ground + swell * wave(canvas.fine)
    lightest = mix(colour, view.light.glint, 0.18)
    canvas.gradient([(view.ground, lightest), (1, mix(colour, INK, 0.14))], canvas.below(line))
