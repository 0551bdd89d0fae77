"""The plots of the benchmarks, as SVG for the documents."""

import math
from collections.abc import Sequence
from html import escape

COLOURS = ("#7f8f86", "#2c8159", "#d07d0b", "#3b6ea8")
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
