"""Line charts as SVG, in the page's own colours, light and dark, with a tooltip on every point.

Gradio's own plots join points in the order of x and have no logarithmic axis: a path on a plane would not be
drawn as it runs, nor steps and seconds so that one can read them. ui/page.js shows the tooltips.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

WIDTH = 460  # units of the drawing; it is scaled to the room there is
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 12, 42
SCALES = {"linear": float, "log": math.log, "sqrt": math.sqrt}


@dataclass(frozen=True)
class Point:
    """A place on the chart, and what is said of it."""

    x: float
    y: float
    tip: str


@dataclass(frozen=True)
class Series:
    """Points joined in their order; colour: classes of the style sheet, as of `rf_app.ui.parts.colours`.

    raw: the same before it was smoothed, which is drawn pale behind it.
    """

    name: str
    colour: str
    points: Sequence[Point]
    raw: Sequence[Point] = ()


@dataclass(frozen=True)
class Axis:
    """What is shown of a range. suffix: the unit, after each number.

    scale: "log" for a range above 0; "sqrt" gives small numbers room and still shows 0.
    """

    title: str
    low: float
    high: float
    scale: str = "linear"
    ticks: tuple[float, ...] = ()  # () takes round numbers
    suffix: str = ""

    def place(self, value: float) -> float:
        """0 at the low end, 1 at the high end."""
        low, high, value = map(SCALES[self.scale], (self.low, self.high, value))
        return (value - low) / (high - low)

    def marks(self) -> tuple[float, ...]:
        """The numbers that are written on the axis."""
        if self.ticks:
            return self.ticks
        steps = [m * 10.0**e for e in range(-6, 7) for m in (1, 2, 5)]
        if self.scale == "log":
            marks = [step for step in steps if self.low <= step <= self.high]
            return tuple(marks[:: math.ceil(len(marks) / 6)] if marks else ())
        if self.scale == "sqrt":
            return tuple(root**2 for root in Axis("", self.low**0.5, self.high**0.5).marks())
        step = next(step for step in steps if (self.high - self.low) / step <= 6)
        first, last = math.ceil(self.low / step - 1e-9), math.floor(self.high / step + 1e-9)
        return tuple(i * step for i in range(first, last + 1))


def chart(title: str, series: Sequence[Series], x: Axis, y: Axis, height: float = 260, note: str = "") -> str:
    """The chart as a figure with its title, the names of its series and a sentence below; height: of the
    plotting area.
    """
    inner = WIDTH - LEFT - RIGHT
    whole = height + TOP + BOTTOM

    def at(point: Point) -> str:
        return f"{LEFT + inner * x.place(point.x):.1f},{TOP + height * (1 - y.place(point.y)):.1f}"

    grid = "".join(
        f'<path d="M{LEFT} {TOP + height * (1 - y.place(v)):.1f}h{inner}"/>'
        f'<text x="{LEFT - 8}" y="{TOP + height * (1 - y.place(v)) + 4:.1f}" text-anchor="end">'
        f"{v:,g}{escape(y.suffix)}</text>"
        for v in map(_clean, y.marks())
    ) + "".join(
        f'<text x="{LEFT + inner * x.place(v):.1f}" y="{TOP + height + 18:.1f}" text-anchor="middle">'
        f"{v:g}{escape(x.suffix)}</text>"
        for v in map(_clean, x.marks())
    )
    lines = "".join(
        f'<g class="{each.colour}">{_line(map(at, each.raw), "raw") if each.raw else ""}'
        + _line(map(at, each.points))
        + "".join(_dot(at(point), point, alone=len(each.points) == 1) for point in each.points)
        + "</g>"
        for each in series
    )
    axes = (
        f'<text class="title" x="{LEFT + inner / 2}" y="{whole - 4}" text-anchor="middle">'
        f"{escape(x.title)}</text>"
    )
    names = "".join(f'<span class="{each.colour}">{escape(each.name)}</span>' for each in series)
    return (
        f'<figure class="chart"><figcaption>{escape(title)}<small>{escape(y.title)}</small></figcaption>'
        f'<svg viewBox="0 0 {WIDTH} {whole:.0f}" role="img" aria-label="{escape(title)}">'
        f'<g class="grid">{grid}{axes}</g>{lines}</svg><div class="names">{names}</div>'
        f"{f'<p>{escape(note)}</p>' if note else ''}</figure>"
    )


def _line(places: Iterable[str], kind: str = "") -> str:
    classes = f' class="{kind}"' if kind else ""
    return f'<polyline{classes} points="{" ".join(places)}"/>'


def _dot(place: str, point: Point, alone: bool) -> str:
    x, y = place.split(",")
    return f'<circle cx="{x}" cy="{y}" r="{5 if alone else 3}" data-tip="{escape(point.tip)}"/>'


def _clean(value: float) -> float:
    """0.30000000000000004 as 0.3."""
    return float(f"{value:.6g}")
