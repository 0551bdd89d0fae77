"""Anti-aliased drawing on a small RGB canvas, the same on every machine.

Only additions, multiplications, divisions, square roots and comparisons are used: IEEE 754 fixes their
results to the last bit, so a picture depends on its seed alone and not on a maths library or a font.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from trainers.pocket.canvas import Colour, Point

BEND_TOP, BEND_FADES, BEND_ENDS = 7.0, 10.0, 66.0  # pixels: no bent line is higher; bends fade over; end at


def value_noise(rng: np.random.Generator, length: int, period: float) -> np.ndarray:
    """Smooth noise in -1..1, [length]: random values every ``period`` pixels, smoothstep between."""
    knots = rng.random(int(length / period) + 3).astype(np.float32) * 2 - 1
    position = (np.arange(length, dtype=np.float32) + np.float32(rng.random()) * period) / np.float32(period)
    left = position.astype(np.int64)
    part = position - left
    part = part * part * (3 - 2 * part)
    return knots[left] * (1 - part) + knots[left + 1] * part


class Canvas:
    """A square picture in float32, 0..255; y points down, a pixel's centre lies at +0.5."""

    def __init__(self, size: int):
        self.size = size
        self.pixels = np.zeros((size, size, 3), np.float32)
        self.x = np.arange(size, dtype=np.float32)[None, :] + 0.5
        self.y = np.arange(size, dtype=np.float32)[:, None] + 0.5
        self.bend = np.zeros(size, np.float32)  # pixels that `below` moves a line down

    def to_bytes(self) -> np.ndarray:
        """The picture as uint8 [size, size, 3]."""
        return (np.clip(self.pixels, 0, 255) + 0.5).astype(np.uint8)

    def gradient(self, stops: Sequence[tuple[float, Colour]], coverage: np.ndarray | None = None) -> None:
        """Vertical gradient through ``(y, colour)`` stops, over all or over ``coverage`` [size, size]."""
        rows = np.zeros((self.size, 3), np.float32)
        y = self.y[:, 0]
        for (y0, first), (y1, second) in pairwise(stops):
            share = np.clip((y - y0) / np.float32(y1 - y0), 0, 1)[:, None]
            inside = (y >= y0) if (y1, second) == stops[-1] else (y >= y0) & (y < y1)
            blend = np.float32(first) * (1 - share) + np.float32(second) * share
            rows[inside] = blend[inside]
        rows[y < stops[0][0]] = stops[0][1]
        if coverage is None:
            self.pixels[:] = rows[:, None, :]
        else:
            self.pixels += coverage[..., None] * (rows[:, None, :] - self.pixels)

    def fill(
        self, coverage: np.ndarray, colour: Colour, rows: slice = slice(None), columns: slice = slice(None)
    ):
        """Blend ``colour`` over the window by ``coverage`` (0..1, the window's shape)."""
        window = self.pixels[rows, columns]
        window += coverage[..., None] * (np.float32(colour) - window)

    def below(self, heights: np.ndarray) -> np.ndarray:
        """Coverage of everything below the line ``y = heights[x]``, anti-aliased across its slope.

        With a ``bend`` the line moves by it, near the foot of the picture less and less.
        """
        if self.bend.any():
            far = np.clip((BEND_ENDS - heights) / BEND_FADES, 0, 1)
            heights = np.maximum(heights + self.bend * far, BEND_TOP).astype(np.float32)
        slope = np.empty_like(heights)
        slope[1:-1] = (heights[2:] - heights[:-2]) / 2
        slope[0], slope[-1] = heights[1] - heights[0], heights[-1] - heights[-2]
        return np.clip((self.y - heights[None, :]) / np.sqrt(1 + slope * slope)[None, :] + 0.5, 0, 1)

    def polygon(self, points: Sequence[Point], colour: Colour) -> None:
        """Fill a convex polygon given in either direction of rotation."""
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        rows, columns = self._window(min(xs), min(ys), max(xs), max(ys))
        x, y = self.x[:, columns], self.y[rows]
        twice_area = sum(
            a[0] * b[1] - b[0] * a[1] for a, b in zip(points, [*points[1:], points[0]], strict=True)
        )
        turn = 1.0 if twice_area > 0 else -1.0
        coverage = np.ones((y.shape[0], x.shape[1]), np.float32)
        for (ax, ay), (bx, by) in zip(points, [*points[1:], points[0]], strict=True):
            length = np.sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay))
            if length == 0:
                continue
            inside = ((bx - ax) * (y - ay) - (by - ay) * (x - ax)) * np.float32(turn / length)
            coverage *= np.clip(inside + 0.5, 0, 1)
        self.fill(coverage, colour, rows, columns)

    def rectangle(self, x: float, y: float, width: float, height: float, colour: Colour) -> None:
        """Fill an upright rectangle whose upper left corner is (x, y)."""
        self.polygon([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], colour)

    def ellipse(
        self,
        x: float,
        y: float,
        rx: float,
        ry: float,
        colour: Colour,
        floor: float | None = None,
        opacity=1.0,
    ) -> None:
        """Fill an axis-aligned ellipse; nothing below ``floor``, if given."""
        rows, columns = self._window(x - rx, y - ry, x + rx, y + ry)
        dx, dy = (self.x[:, columns] - np.float32(x)) / rx, (self.y[rows] - np.float32(y)) / ry
        coverage = np.clip((1 - np.sqrt(dx * dx + dy * dy)) * min(rx, ry) + 0.5, 0, 1)
        if floor is not None:
            coverage = coverage * np.clip(np.float32(floor) - self.y[rows] + 0.5, 0, 1)
        self.fill(coverage * np.float32(opacity), colour, rows, columns)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft round light, fading to nothing at ``radius``."""
        dx, dy = (self.x - np.float32(x)) / radius, (self.y - np.float32(y)) / radius
        fade = np.clip(1 - (dx * dx + dy * dy), 0, 1)
        self.fill(fade * fade * np.float32(strength), colour)

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        def clip(value: float) -> int:
            return min(max(int(value), 0), self.size)

        return slice(clip(top - 1), clip(bottom + 3)), slice(clip(left - 1), clip(right + 3))
