"""What stands near in a drawing and no caption speaks of: paths, fences, rocks, jetties, bushes, grass."""

import numpy as np

from trainers.pocket.canvas import mix, noise
from trainers.pocket.ground import ground_colour
from trainers.pocket.plants import crowns, pines, tufts
from trainers.pocket.view import INK, SNOW, View
from trainers.pocket.water import lake_level, river_end

MEADOWS = ("mountain", "hills", "forest", "city")


def draw_foreground(view: View) -> None:
    """A mound in a corner with what grows there, and one or two things more; room is left for the object."""
    if view.scene.land in ("coast", "island"):
        return
    canvas = view.canvas
    free = 1 if view.foot[0] < 0.5 else -1  # the side that the object leaves free
    colour = view.lit(ground_colour(view))
    if view.scene.water == "none" and view.scene.land == "city" and view.chance(0.5):
        _street(view)
    elif view.scene.water == "none" and view.scene.land in MEADOWS and view.chance(0.55):
        _path(view)
    elif view.scene.water == "lake" and view.chance(0.5):
        _jetty(view, free)
    if view.scene.land in MEADOWS and view.scene.water != "river" and view.chance(0.4):
        _fence(view, view.between(0.84, 0.9))
    if view.chance(0.75):
        wave = noise(view.rng, 0.25)
        away = canvas.fine if free < 0 else 1 - canvas.fine
        line = 0.86 + view.between(-0.1, 0.05) + 0.36 * away * away + 0.012 * wave(canvas.fine)
        if view.scene.water != "river" or river_end(view) * free < 0.5 * free:
            canvas.gradient([(0.8, mix(colour, INK, 0.06)), (1, mix(colour, INK, 0.3))], canvas.below(line))
            x = 0.02 if free < 0 else 0.98
            if view.scene.land == "forest" or (view.scene.land == "mountain" and view.chance(0.6)):
                edge = np.array([x, x - 0.1 * free, x + 0.02 * free])
                tall = np.array([0.3, 0.2, 0.4]) * view.between(0.7, 1.0)
                pines(
                    view, edge, np.array([0.9, 0.92, 0.95]), tall, view.lit(mix(view.season.pine, INK, 0.25))
                )
    if view.scene.land == "desert" or view.chance(0.5):
        _rocks(view, free)
    if view.scene.land in MEADOWS and not (view.winter and view.chance(0.5)):
        left, right = (0.0, 0.34) if free < 0 else (0.66, 1.0)
        blade = mix(colour, INK, 0.3) if not view.winter else view.lit((150, 140, 110))
        if view.scene.water != "river":
            tufts(view, left, 0.86, right, 0.99, blade, int(view.between(14, 40)))
    if view.scene.land in ("hills", "city") and view.chance(0.5):
        x = 0.5 + free * view.between(0.36, 0.47)
        if view.scene.water != "river":
            crowns(view, np.array([[x, 0.9]]), np.array([view.between(0.035, 0.05)]))


def _path(view: View) -> None:
    """A way that winds from the object, or from the bottom, to the land."""
    canvas = view.canvas
    t = np.clip((canvas.y[:, 0] - view.ground - 0.02) / np.float32(0.98 - view.ground), 0, 1)
    start, end = view.between(0.25, 0.75), view.foot[0]
    way = noise(view.rng, 0.4)
    centre = start + (end - start) * t * t * (3 - 2 * t) + 0.1 * way(np.sqrt(t)) * (1 - t)
    half = 0.007 + 0.09 * t * t
    colour = (226, 200, 150) if view.scene.land != "city" else (190, 192, 196)
    if view.winter:
        colour = (204, 212, 226)
    on_land = np.clip((canvas.y - np.float32(view.ground + 0.02)) * canvas.size + 0.5, 0, 1)
    inside = (canvas.side(centre - half) - canvas.side(centre + half)) * on_land
    canvas.fill(inside, view.lit(colour))
    shade = (canvas.side(centre + half * 0.7) - canvas.side(centre + half)) * on_land
    canvas.fill(shade * np.float32(0.4), view.lit((140, 112, 84)))


def _jetty(view: View, free: int) -> None:
    """Planks that run out into the lake beside the object."""
    canvas = view.canvas
    middle, half = lake_level(view)
    x = 0.5 + free * view.between(0.26, 0.4)
    near, far = middle + 1.35 * half, middle + view.between(-0.3, 0.2) * half
    out = -free * view.between(0.1, 0.2)
    wood = view.lit((150, 110, 78))
    if view.winter:
        wood = mix(wood, view.lit(SNOW), 0.6)
    t = np.linspace(0, 1, 12)
    y, centre, reach = near + (far - near) * t, x + out * t, 0.04 - 0.016 * t
    posts = np.concatenate([np.stack([centre + side * reach, y], axis=1)[2::3] for side in (-0.9, 0.9)])
    canvas.strokes(posts, posts + np.array([0, 0.022]), 0.0035, mix(wood, INK, 0.5))
    ends = [(centre[0], near, reach[0]), (centre[-1], far, reach[-1])]
    (ax, ay, ar), (bx, by, br) = ends
    canvas.polygon([(ax - ar, ay), (ax + ar, ay), (bx + br, by), (bx - br, by)], wood)
    left, right = (np.stack([centre + side * reach, y], axis=1) for side in (-1, 1))
    canvas.strokes(left, right, 0.0013, mix(wood, INK, 0.35))


def _fence(view: View, y: float) -> None:
    """Posts and two rails from one side to near the middle."""
    canvas = view.canvas
    wood = view.lit((128, 98, 76) if view.chance(0.6) else (236, 232, 222))
    count = 7
    left = view.foot[0] > 0.5
    x = np.linspace(-0.02, 0.4, count) if left else np.linspace(1.02, 0.6, count)
    rise = np.linspace(0.012, 0, count)
    feet = np.stack([x, y + rise], axis=1)
    for height in (0.018, 0.036):
        canvas.strokes(feet[:-1] - (0, height), feet[1:] - (0, height), 0.0026, mix(wood, INK, 0.15))
    canvas.strokes(feet, feet - (0, 0.048), 0.0042, wood)
    if view.winter:
        canvas.dots(feet - (0, 0.05), 0.0055, view.lit(SNOW))


def _rocks(view: View, free: int) -> None:
    """A few boulders, lit from the side of the light."""
    canvas = view.canvas
    stone = view.lit((150, 146, 150) if view.scene.land != "desert" else (186, 120, 88))
    for _ in range(int(view.between(1, 5))):
        x, y, r = 0.5 + free * view.between(0.2, 0.5), view.between(0.88, 0.98), view.between(0.014, 0.036)
        if view.scene.water == "river":
            x = view.foot[0] + view.between(-0.16, 0.1)
        outline = [(-1.2, 0), (-0.8, 0.8), (-0.1, 1.1), (0.7, 0.8), (1.2, 0.1), (1.0, -0.1), (-1.0, -0.1)]
        canvas.polygon([(x + dx * r, y - dy * r) for dx, dy in outline], mix(stone, INK, 0.35))
        lit = [(-0.1, 1.1), (0.7, 0.8), (0.9, 0.35), (0.1, 0.3), (-0.5, 0.75)]
        top = view.lit(SNOW) if view.winter else mix(stone, view.light.glint, 0.15)
        canvas.polygon([(x + view.side * dx * r, y - dy * r) for dx, dy in lit], top)


def _street(view: View) -> None:
    """A street with a broken line along its middle, from side to side."""
    canvas, top, wide = view.canvas, view.ground + view.between(0.03, 0.07), view.between(0.07, 0.11)
    grey = view.lit((96, 102, 114) if not view.winter else (190, 198, 212))
    canvas.rectangle(0, top - 0.012, 1, wide + 0.024, mix(grey, view.light.glint, 0.35))
    canvas.rectangle(0, top, 1, wide, grey)
    dash = np.stack([np.arange(-0.02, 1, 0.09), np.full(12, top + wide / 2 - 0.003)], axis=1)
    canvas.boxes(dash, 0.045, 0.006, mix(grey, (255, 246, 214), 0.75))
