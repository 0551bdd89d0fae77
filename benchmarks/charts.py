"""The plots of the benchmarks, as SVG for the documents."""

import math
from collections.abc import Mapping, Sequence
from html import escape

COLOURS = ("#7f8f86", "#2c8159", "#d07d0b", "#3b6ea8", "#a8476f")
WIDTH, BAR, LEFT, RIGHT = 860, 40, 110, 90
SMALL = 'font-size="13"'


def bars(title: str, rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Stacked horizontal bars: a name and the seconds of its parts each; behind it the total and its ratio to
    the first one's.
    """
    totals = [sum(parts.values()) for _, parts in rows]
    scale = (WIDTH - LEFT - RIGHT - 40) / max(totals)
    height = 84 + BAR * len(rows)
    lines = _opened(title, height, list(rows[0][1]))
    for row, ((name, parts), total) in enumerate(zip(rows, totals, strict=True)):
        x, y = float(LEFT), 70 + BAR * row
        lines.append(f'<text x="16" y="{y + 18}" font-size="14">{escape(name)}</text>')
        for colour, seconds in zip(COLOURS, parts.values(), strict=False):
            lines.append(
                f'<rect x="{x:.1f}" y="{y}" width="{seconds * scale:.1f}" height="26" fill="{colour}"/>'
            )
            x += seconds * scale
        said = f"{total:.2f} s" if total > 1 else f"{1000 * total:.0f} ms"
        lines.append(
            f'<text x="{x + 8:.1f}" y="{y + 18}" font-size="13">{said}, {totals[0] / total:.1f} x</text>'
        )
    return "\n".join([*lines, "</svg>", ""])


def dots(title: str, rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Dots on a logarithmic axis, a line a row: a name, and values above 0 by what they are of."""
    values = [value for _, found in rows for value in found.values()]
    low, high = (math.floor(math.log10(min(values))), math.ceil(math.log10(max(values)) + 1e-9))
    width, height = (WIDTH - LEFT - RIGHT) / (high - low), 104 + BAR * len(rows)
    lines = _opened(title, height, list(rows[0][1]))

    def x(value: float) -> float:
        return LEFT + width * (math.log10(value) - low)

    for power in range(low, high + 1):
        at = x(10.0**power)
        lines.append(f'<line x1="{at:.1f}" y1="66" x2="{at:.1f}" y2="{height - 28}" stroke="#d5dcd7"/>')
        lines.append(
            f'<text x="{at:.1f}" y="{height - 12}" {SMALL} text-anchor="middle">{10.0**power:g}</text>'
        )
    for row, (name, found) in enumerate(rows):
        y = 84 + BAR * row
        lines.append(f'<text x="16" y="{y + 5}" font-size="14">{escape(name)}</text>')
        for colour, (of, value) in zip(COLOURS, found.items(), strict=False):
            lines.append(f'<circle cx="{x(value):.1f}" cy="{y}" r="7" fill="{colour}">')
            lines.append(f"<title>{escape(f'{name}, {of}: {value:.2f}')}</title></circle>")
    return "\n".join([*lines, "</svg>", ""])


def lines(
    title: str, axes: tuple[str, str], panels: Mapping[str, Mapping[str, Sequence[tuple[float, float]]]]
) -> str:
    """Panels on the same axes: by its name, lines by theirs, each of points (x above 0, y of 0 or more).

    axes: what x, which is logarithmic, and y say.
    """
    points = [point for drawn in panels.values() for line in drawn.values() for point in line]
    low, high = (f(math.log2(x)) for f, x in ((math.floor, min(points)[0]), (math.ceil, max(points)[0])))
    top = 10 * math.ceil(max(y for _, y in points) / 10)
    above, foot, height = 96, 330, 380
    width = (WIDTH - 60 - 20 * len(panels)) / len(panels)
    drawn = _opened(title, height, list(next(iter(panels.values()))))
    drawn.append(f'<text x="16" y="{above - 14}" {SMALL}>{escape(axes[1])}</text>')
    for number, (name, found) in enumerate(panels.items()):
        left = 50 + (width + 20) * number

        def at(x: float, y: float, left: float = left) -> tuple[float, float]:
            across = (math.log2(x) - low) / max(1, high - low)
            return left + 8 + (width - 16) * across, foot - (foot - above) * y / top

        drawn.append(
            f'<text x="{left + width / 2:.1f}" y="{above - 14}" font-size="14" text-anchor="middle">'
            f"{escape(name)}</text>"
        )
        for y in range(0, top + 1, 10):
            height_of = at(1, y)[1]
            drawn.append(
                f'<path d="M{left:.1f} {height_of:.1f}h{width:.1f}" stroke="#d5dcd7"/>'
                f'<text x="{left - 6:.1f}" y="{height_of + 4:.1f}" {SMALL} text-anchor="end">{y}</text>'
            )
        for power in range(low, high + 1):
            drawn.append(
                f'<text x="{at(2.0**power, 0)[0]:.1f}" y="{foot + 18}" {SMALL} text-anchor="middle">'
                f"{2.0**power:g}</text>"
            )
        for colour, (of, line) in zip(COLOURS, found.items(), strict=False):
            places = [at(*point) for point in line]
            way = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
            drawn.append(f'<polyline points="{way}" fill="none" stroke="{colour}" stroke-width="2.5"/>')
            for (x, y), (said, value) in zip(places, line, strict=True):
                told = escape(f"{name}, {of}: {value:.1f} at {said:.0f}")
                drawn.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}">')
                drawn.append(f"<title>{told}</title></circle>")
    drawn.append(
        f'<text x="{WIDTH / 2}" y="{height - 12}" {SMALL} text-anchor="middle">{escape(axes[0])}</text>'
    )
    return "\n".join([*drawn, "</svg>", ""])


def _opened(title: str, height: int, parts: Sequence[str]) -> list[str]:
    """The beginning of a chart: its title, and which colour is what."""
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" fill="#16211b">',
        f'<rect width="{WIDTH}" height="{height}" fill="#f6f8f5"/>',
        f'<text x="16" y="28" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    x = LEFT
    for colour, part in zip(COLOURS, parts, strict=False):
        lines.append(f'<rect x="{x}" y="42" width="12" height="12" fill="{colour}"/>')
        lines.append(f'<text x="{x + 18}" y="53" {SMALL}>{escape(part)}</text>')
        x += max(110, 34 + 8 * len(part))
    return lines
