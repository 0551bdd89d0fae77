"""The plots of the benchmarks, as SVG for the documents."""

from collections.abc import Sequence
from html import escape

COLOURS = ("#7f8f86", "#2c8159", "#d07d0b", "#3b6ea8")
WIDTH, BAR, LEFT, RIGHT = 860, 40, 110, 90


def bars(title: str, rows: Sequence[tuple[str, dict[str, float]]]) -> str:
    """Stacked horizontal bars: a name and the seconds of its parts each; behind it the total and its ratio to
    the first one's.
    """
    totals = [sum(parts.values()) for _, parts in rows]
    scale = (WIDTH - LEFT - RIGHT - 40) / max(totals)
    height = 84 + BAR * len(rows)
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" '
        f'aria-label="{escape(title)}" font-family="sans-serif" fill="#16211b">',
        f'<rect width="{WIDTH}" height="{height}" fill="#f6f8f5"/>',
        f'<text x="16" y="28" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    for i, part in enumerate(rows[0][1]):
        x = LEFT + 110 * i
        lines.append(f'<rect x="{x}" y="42" width="12" height="12" fill="{COLOURS[i]}"/>')
        lines.append(f'<text x="{x + 18}" y="53" font-size="13">{escape(part)}</text>')
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
