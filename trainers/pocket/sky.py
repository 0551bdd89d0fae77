"""The sky of a drawing and what falls from it."""

import numpy as np

from trainers.pocket.canvas import mix, noise
from trainers.pocket.view import INK, SNOW, View


def draw_sky(view: View) -> None:
    """Gradient, sun or moon with its light, stars, clouds, birds."""
    canvas, rng, time = view.canvas, view.rng, view.scene.time
    top, middle, low = view.sky
    canvas.gradient([(0, top), (view.horizon * view.between(0.45, 0.62), middle), (view.horizon + 0.05, low)])
    x, y = view.sun
    wet = view.scene.weather in ("rain", "snow")
    if time == "night":
        stars, bright = view.points(60, 0, 0, 1, view.horizon), rng.random(60)
        canvas.dots(
            stars, 0.0022 + 0.0034 * bright * bright * (not wet), (244, 244, 255), 0.35 if wet else 0.9
        )
        radius = view.between(0.06, 0.085)
        canvas.glow(x, y, 0.3, (150, 172, 236), 0.55)
        canvas.ellipse(x, y, radius, radius, (250, 245, 222))
        for dx, dy, r in ((-0.36, -0.2, 0.24), (0.3, 0.3, 0.3), (0.42, -0.36, 0.16), (-0.3, 0.5, 0.14)):
            canvas.ellipse(x + dx * radius, y + dy * radius, r * radius, r * radius, (224, 220, 206))
    elif not wet:
        size, reach, colour, strength = {
            "day": (0.062, 0.34, (255, 252, 224), 0.65),
            "sunset": (0.1, 0.55, (255, 224, 130), 0.75),
            "sunrise": (0.085, 0.5, (255, 246, 214), 0.8),
        }[time]
        size *= view.between(0.75, 1.3)
        reach *= view.between(0.7, 1.3)
        canvas.glow(x, y, reach, colour, strength)
        canvas.ellipse(x, y, size, size, (255, 244, 172) if time != "sunrise" else (255, 214, 150))
    if view.scene.weather != "clear":
        _clouds(view)
    elif time != "night" and view.chance(0.5):
        _birds(view)


def _clouds(view: View) -> None:
    """One of three families: heaps with flat feet, long bands, or (with rain and snow) a heavy ceiling."""
    canvas, rng = view.canvas, view.rng
    lit, under = view.light.cloud
    if view.scene.weather != "cloudy":
        dark = mix(under, view.light.grey, 0.75)
        dark = mix(dark, INK, 0.16) if view.scene.weather == "rain" else mix(dark, SNOW, 0.12)
        for depth, base in enumerate((0.24, 0.13)):
            swell, ripple = noise(rng, 0.16), noise(rng, 0.07)
            line = base + 0.04 * swell(canvas.fine) + 0.018 * ripple(canvas.fine)
            canvas.fill(1 - canvas.below(line), mix(dark, view.sky[1], 0.45 - 0.4 * depth))
        return
    if view.chance(0.3):
        for _ in range(int(view.between(4, 7))):
            x, y, half = rng.random(), view.between(0.07, 0.3), view.between(0.12, 0.3)
            count = 5
            left = np.stack(
                [x - half * (0.4 + 0.6 * rng.random(count)), y + 0.011 * np.arange(count)], axis=1
            )
            right = np.stack([x + half * (0.4 + 0.6 * rng.random(count)), left[:, 1]], axis=1)
            canvas.strokes(left, right, 0.011, mix(lit, under, 0.35 * rng.random()))
        return
    count, start = int(view.between(2, 5)), rng.random()
    for i in range(count):
        x = (start + (i + 0.5 * rng.random()) / count) % 1.0
        y, size = view.between(0.12, 0.28), view.between(0.8, 1.5) * (0.13 if count > 2 else 0.16)
        lumps = int(view.between(4, 7))
        places = (np.arange(lumps) / (lumps - 1) * 2 - 1) * size
        hump = 1 - (places / size) * (places / size)
        radius = size * (0.2 + 0.3 * hump * (0.6 + 0.6 * rng.random(lumps)))
        for shift, colour in ((0.0, under), (-0.16 * size, lit)):
            for dx, r in zip(places, radius, strict=True):
                floor = y + 0.16 * size + shift * 0.6
                canvas.ellipse(x + dx, y - r * 0.4 + shift, r * 1.1, r, colour, floor=floor)


def _birds(view: View) -> None:
    count = int(view.between(2, 7))
    x, y = view.between(0.15, 0.85), view.between(0.12, 0.3)
    centres = view.points(count, x - 0.16, y - 0.07, x + 0.16, y + 0.07)
    wing = (0.012 + 0.012 * view.rng.random(count))[:, None]
    dark = mix(view.lit(INK), view.sky[1], 0.25)
    for side in (-1, 1):
        elbow = centres + wing * np.array([0.5 * side, -0.5])
        canvas = view.canvas
        canvas.strokes(centres, elbow, 0.0028, dark)
        canvas.strokes(elbow, centres + wing * np.array([1.1 * side, -0.25]), 0.0024, dark)


def draw_weather(view: View) -> None:
    """Rain or falling snow, in front of everything."""
    canvas, rng = view.canvas, view.rng
    if view.scene.weather == "rain":
        heads = view.points(110, -0.05, -0.05, 1.05, 1)
        lean, length = -0.24 + 0.06 * rng.random(), (0.035 + 0.035 * rng.random(110))[:, None]
        colour = mix(view.light.glint, view.light.grey, 0.15)
        canvas.strokes(heads, heads + length * np.array([lean, 1.0]), 0.0026, colour, 0.62)
    if view.scene.weather == "snow":
        large = rng.random(150)
        radius = 0.004 + 0.008 * large * large * large
        canvas.dots(
            view.points(150, 0, 0, 1, 1), radius, mix(SNOW, view.light.shade, 0.25 * view.light.shading), 0.95
        )
