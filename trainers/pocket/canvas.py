"""Anti-aliased drawing on a square canvas in units of the scene, the same on every machine and at any size.

Everything is given in shares of the picture's side: x from 0 (left) to 1, y from 0 (top) to 1 (bottom), so a
drawing has no size; a pixel is what an area of it holds. Only additions, multiplications, divisions, square
roots and comparisons are used: IEEE 754 fixes their results to the last bit, so a picture depends on its seed
alone and not on a maths library or a font.
"""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import sqrt

import numpy as np

Colour = tuple[float, float, float]
Point = tuple[float, float]
Curve = Callable[[np.ndarray], np.ndarray]

PARTS = 4  # columns that a pixel is cut into where it meets a line: trees and towers have steep sides
BEND_TOP, BEND_FADES, BEND_ENDS = 0.07, 0.10, 0.69  # no bent line is higher; bends fade over; end at


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """Linear blend of two colours; ``share`` in 0..1 is how much of ``b``."""
    return (a[0] + (b[0] - a[0]) * share, a[1] + (b[1] - a[1]) * share, a[2] + (b[2] - a[2]) * share)


def fraction(x: np.ndarray) -> np.ndarray:
    """What is left of ``x`` over the next lower whole number."""
    return x - np.floor(x)


def noise(rng: np.random.Generator, period: float, smooth: bool = True) -> Curve:
    """A random curve over 0..1 with values in -1..1: knots every ``period``, smooth or straight between."""
    knots = rng.random(int(1 / period) + 3).astype(np.float32) * 2 - 1
    shift = np.float32(rng.random())

    def curve(x: np.ndarray) -> np.ndarray:
        position = np.clip(np.asarray(x, np.float32), 0, 1) / np.float32(period) + shift
        left = position.astype(np.int64)
        part = position - left
        if smooth:
            part = part * part * (3 - 2 * part)
        return knots[left] * (1 - part) + knots[left + 1] * part

    return curve


def _covered(distance: np.ndarray) -> np.ndarray:
    """What a pixel holds of a shape whose edge is ``distance`` pixels outside; changes its input."""
    distance += np.float32(0.5)
    return np.minimum(np.maximum(distance, 0, out=distance), 1, out=distance)


class Canvas:
    """A square picture in float32, 0..255, planes first; a pixel's centre lies at +0.5."""

    def __init__(self, size: int):
        self.size = size
        self.pixels = np.zeros((3, size, size), np.float32)
        centres = (np.arange(size, dtype=np.float32) + 0.5) / np.float32(size)
        self.x, self.y = centres[None, :], centres[:, None]
        parts = (np.arange(PARTS, dtype=np.float32) - np.float32((PARTS - 1) / 2)) / np.float32(PARTS * size)
        self.fine = centres[None, :] + parts[:, None]  # [PARTS, size], where lines are known
        self.bend: Curve | None = None  # how much lower the lines of `below` lie

    def to_bytes(self) -> np.ndarray:
        """The picture as uint8 [size, size, 3]."""
        return np.ascontiguousarray((np.clip(self.pixels, 0, 255) + 0.5).astype(np.uint8).transpose(1, 2, 0))

    def gradient(self, stops: Sequence[tuple[float, Colour]], coverage: np.ndarray | None = None) -> None:
        """Vertical gradient through ``(y, colour)`` stops, over all or over ``coverage`` [size, size]."""
        y = self.y[:, 0]
        rows = np.empty((3, self.size), np.float32)
        rows[:] = np.float32(stops[0][1])[:, None]
        for (y0, first), (y1, second) in pairwise(stops):
            share = np.clip((y - np.float32(y0)) / np.float32(y1 - y0), 0, 1)
            blend = np.float32(first)[:, None] * (1 - share) + np.float32(second)[:, None] * share
            rows = np.where(y >= np.float32(y0), blend, rows)
        if coverage is None:
            self.pixels[:] = rows[:, :, None]
            return
        shown = self._rows(coverage)
        for plane, row in zip(self.pixels, rows, strict=True):
            change = row[shown, None] - plane[shown]
            change *= coverage[shown]
            plane[shown] += change

    def fill(self, coverage: np.ndarray, colour: Colour) -> None:
        """Blend ``colour`` over the picture by ``coverage`` (0..1, [size, size])."""
        rows = self._rows(coverage)
        self._blend(coverage[rows], colour, rows, slice(None))

    def _blend(self, coverage: np.ndarray, colour: Colour, rows: slice, columns: slice) -> None:
        for plane, value in zip(self.pixels, colour, strict=True):
            window = plane[rows, columns]
            change = np.float32(value) - window
            change *= coverage
            window += change

    def _rows(self, coverage: np.ndarray) -> slice:
        """The rows in which there is any coverage, from the first to the last."""
        rows = np.flatnonzero(coverage.max(axis=1) > 0)
        return slice(int(rows[0]), int(rows[-1]) + 1) if len(rows) else slice(0)

    def lowered(self, x: np.ndarray, y: np.ndarray) -> np.ndarray:
        """Heights ``y`` at ``x`` with the bend: it moves what is far, and what is near less and less."""
        if self.bend is None:
            return y
        far = np.clip((np.float32(BEND_ENDS) - y) / np.float32(BEND_FADES), 0, 1)
        return np.maximum(y + self.bend(x) * far, np.minimum(y, np.float32(BEND_TOP)))

    def below(self, line: np.ndarray) -> np.ndarray:
        """Coverage [size, size] of everything below the line ``y = line``, known at `fine`."""
        line = self.lowered(self.fine, line)
        coverage = np.zeros((self.size, self.size), np.float32)
        top = min(max(int(line.min() * self.size) - 1, 0), self.size - 1)
        y = self.y[top:] * np.float32(self.size)
        for part in line.astype(np.float32) * np.float32(self.size):
            coverage[top:] += _covered(y - part)
        return coverage * np.float32(1 / PARTS)

    def side(self, line: np.ndarray) -> np.ndarray:
        """Coverage [size, size] of everything right of the line ``x = line``, one value a row."""
        return _covered((self.x - line.astype(np.float32)[:, None]) * np.float32(self.size))

    def polygon(self, points: Sequence[Point], colour: Colour, grow: float = 0.0, opacity: float = 1) -> None:
        """Fill a convex polygon, given in either direction, with its sides moved out by ``grow``."""
        xs, ys = [p[0] for p in points], [p[1] for p in points]
        rows, columns = self._window(min(xs) - grow, min(ys) - grow, max(xs) + grow, max(ys) + grow)
        edges = [pair for pair in zip(points, [*points[1:], points[0]], strict=True) if pair[0] != pair[1]]
        twice_area = 0.0
        for a, b in edges:
            twice_area += a[0] * b[1] - b[0] * a[1]
        turn = self.size if twice_area > 0 else -self.size
        sides = np.empty((3, len(edges), 1, 1), np.float32)
        for i, ((ax, ay), (bx, by)) in enumerate(edges):
            scale = turn / sqrt((bx - ax) * (bx - ax) + (by - ay) * (by - ay))
            along, across = (bx - ax) * scale, (by - ay) * scale
            sides[:, i, 0, 0] = along, across, grow * self.size - ay * along + ax * across
        along, across, start = sides
        inside = _covered(self.y[rows] * along + start - self.x[:, columns] * across)
        coverage = np.multiply.reduce(inside, axis=0)
        self._blend(coverage if opacity == 1 else coverage * np.float32(opacity), colour, rows, columns)

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
        opacity: float = 1.0,
        floor: float | None = None,
    ) -> None:
        """Fill an axis-aligned ellipse; nothing below ``floor``, if given."""
        rows, columns = self._window(x - rx, y - ry, x + rx, y + ry)
        dx, dy = (self.x[:, columns] - np.float32(x)) / rx, (self.y[rows] - np.float32(y)) / ry
        far = np.sqrt(dx * dx + dy * dy)
        coverage = _covered((1 - far) * np.float32(min(rx, ry) * self.size))
        if floor is not None:
            coverage *= _covered((np.float32(floor) - self.y[rows]) * np.float32(self.size))
        self._blend(coverage if opacity == 1 else coverage * np.float32(opacity), colour, rows, columns)

    def strokes(self, a, b, radius, colour: Colour, opacity: float = 1.0, within=None) -> None:
        """Round-ended strokes from points ``a`` to ``b`` (each [N, 2]); ``radius``: half their width, or [N].

        A stroke from a point to itself is a dot. Where strokes meet, they are one. within: coverage
        [size, size] that they keep to.
        """
        scale = np.float32(self.size)
        a, b = np.asarray(a, np.float32) * scale, np.asarray(b, np.float32) * scale
        radius = np.asarray(radius, np.float32) * scale + np.zeros(len(a), np.float32)
        low, high = np.minimum(a, b) - radius[:, None], np.maximum(a, b) + radius[:, None]
        first = np.floor(low - 0.5).astype(np.int64)
        width, height = (int(extent) for extent in np.ceil((high - first).max(axis=0)) + 1)
        columns, rows = first[:, :1] + np.arange(width), first[:, 1:] + np.arange(height)
        x = columns.astype(np.float32)[:, None, :] + (np.float32(0.5) - a[:, 0, None, None])
        y = rows.astype(np.float32)[:, :, None] + (np.float32(0.5) - a[:, 1, None, None])
        dx, dy = (b - a)[:, 0, None, None], (b - a)[:, 1, None, None]
        if dx.any() or dy.any():
            along = x * dx + y * dy
            along /= np.maximum(dx * dx + dy * dy, np.float32(1e-6))
            along = np.minimum(np.maximum(along, 0, out=along), 1, out=along)
            x, y = x - along * dx, y - along * dy
        far, radius = np.sqrt(x * x + y * y), radius[:, None, None]
        coverage = _covered(radius - far)
        if radius.min() < 0.5:  # thinner than a pixel
            coverage -= _covered(-radius - far)
        self._scatter(rows, columns, coverage, colour, opacity, within)

    def dots(self, centres, radius, colour: Colour, opacity: float = 1.0) -> None:
        """Round dots at ``centres`` [N, 2]; radius: one for all or [N]."""
        self.strokes(centres, centres, radius, colour, opacity)

    def boxes(self, corners: np.ndarray, width: float, height: float, colour: Colour) -> None:
        """Upright rectangles of one size; corners: upper left ones, [N, 2]."""
        low = np.asarray(corners, np.float32) * np.float32(self.size)
        size = np.float32((width * self.size, height * self.size))
        first = np.floor(low).astype(np.int64)
        columns = first[:, :1] + np.arange(int(size[0]) + 2)
        rows = first[:, 1:] + np.arange(int(size[1]) + 2)

        def covered(pixels: np.ndarray, start: np.ndarray, length: np.float32) -> np.ndarray:
            pixels = pixels.astype(np.float32)
            right = np.minimum(pixels + 1, start[:, None] + length)
            return np.clip(right - np.maximum(pixels, start[:, None]), 0, 1)

        across, down = covered(columns, low[:, 0], size[0]), covered(rows, low[:, 1], size[1])
        self._scatter(rows, columns, down[:, :, None] * across[:, None, :], colour)

    def glow(self, x: float, y: float, radius: float, colour: Colour, strength: float) -> None:
        """A soft round light, fading to nothing at ``radius``."""
        rows, columns = self._window(x - radius, y - radius, x + radius, y + radius)
        dx, dy = (self.x[:, columns] - np.float32(x)) / radius, (self.y[rows] - np.float32(y)) / radius
        fade = np.maximum(1 - (dx * dx + dy * dy), 0)
        self._blend(fade * fade * np.float32(strength), colour, rows, columns)

    def mirror(self, coverage: np.ndarray, shore: float, ripple: Curve, strength: float) -> None:
        """Reflect in ``coverage`` [size, size] what stands above ``shore``, broken by ``ripple``."""
        shown = self._rows(coverage)
        y = self.y[shown, 0]
        depth = y - np.float32(shore)
        source = np.float32(shore) - depth * np.float32(1.25) + ripple(y) * np.float32(0.012)
        source = np.clip(source * np.float32(self.size) - np.float32(0.5), 0, self.size - 1)
        upper = np.minimum(source.astype(np.int64), self.size - 2)
        part = (source - upper.astype(np.float32))[:, None]
        share = coverage[shown] * (np.float32(strength) * np.clip(1 - depth * 2, 0, 1))[:, None]
        for plane in self.pixels:
            seen = plane[upper] * (1 - part) + plane[upper + 1] * part
            plane[shown] += share * (seen - plane[shown])

    def _scatter(self, rows, columns, coverage, colour: Colour, opacity=1.0, within=None) -> None:
        # One pixel of margin takes what lies outside.
        side = self.size + 2
        down, across = (np.clip(places + 1, 0, side - 1) for places in (rows, columns))
        whole = np.zeros(side * side, np.float32)
        np.maximum.at(whole, (down[:, :, None] * side + across[:, None, :]).ravel(), coverage.ravel())
        top, left = (max(int(places.min()), 1) for places in (down, across))
        window = (slice(top, int(down.max()) + 1), slice(left, int(across.max()) + 1))
        shown = whole.reshape(side, side)[:-1, :-1][window] * np.float32(opacity)
        rows, columns = (slice(part.start - 1, min(part.stop, side - 1) - 1) for part in window)
        self._blend(shown if within is None else shown * within[rows, columns], colour, rows, columns)

    def _window(self, left: float, top: float, right: float, bottom: float) -> tuple[slice, slice]:
        def clip(value: float) -> int:
            return min(max(int(value), 0), self.size)

        scale = self.size
        return slice(clip(top * scale - 1), clip(bottom * scale + 3)), slice(
            clip(left * scale - 1), clip(right * scale + 3)
        )
