"""A finished (or stopped) grid to take away: one labelled picture, or a ZIP of all its pictures.

The pictures in the ZIP carry their settings, so each can be dropped on the page; grid.json tells the rest.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict
from io import BytesIO
from zipfile import ZIP_STORED, ZipFile

from PIL import Image, ImageDraw, ImageOps

from rf_app.actions.grid_plan import Axis, Cell, CellDone, Plan
from rf_app.actions.lettering import GAP, NO_LETTER, best_font, missing, tallest, widest, wrap

PAPER, INK, QUIET, EMPTY = "#f6f8f5", "#16211b", "#54645b", "#dde4dd"
NO_FONT = "no font on this computer has this letter"
MARGIN = 40  # pixels
SMALLEST = 192  # pixels a side that a picture gets on the sheet
LARGEST_SHEET = 12_000  # pixels a side; larger ones are scaled down


def sheet(plan: Plan, done: Sequence[CellDone]) -> Image.Image:
    """All pictures on one sheet with labels; an empty frame where there is none."""
    pages, rows, columns = plan.shape
    row_labels, column_labels = plan.labels(plan.grid.rows), plan.labels(plan.grid.columns)
    pictures = {_place(each.cell): each.attempt.picture for each in done}
    sizes = [picture.drawn.image.size for picture in pictures.values() if picture] or [(SMALLEST, SMALLEST)]
    wide, high = (max(sides) for sides in zip(*sizes, strict=True))  # of the place that each of them has
    times = -(-SMALLEST // max(wide, high))  # small pictures become a whole number of times larger
    room = LARGEST_SHEET - 2 * MARGIN
    most = room // (columns + 1) - GAP, room // (pages * (rows + 1)) - GAP
    scale = min(times, most[0] / wide, most[1] / high)
    wide, high = int(wide * scale), int(high * scale)
    words = " ".join(
        [_heading(plan), *row_labels, *column_labels, *plan.labels(plan.grid.pages), _footer(plan)]
    )
    label, title = best_font(max(13, wide // 14), words), best_font(max(18, wide // 10), words)
    left = max(widest(wrap(text, label, wide), label) for text in row_labels)
    left += 2 * GAP if left else 0
    width = 2 * MARGIN + left + columns * (wide + GAP) - GAP
    above = tallest([wrap(text, label, wide) for text in column_labels], label)
    heading = wrap(_heading(plan), title, width - 2 * MARGIN)
    names = [wrap(text, title, width - 2 * MARGIN) for text in plan.labels(plan.grid.pages)]
    tall = [tallest([name], title) for name in names]
    height = MARGIN + tallest([heading], title) + sum(tall) + pages * (above + rows * (high + GAP) + GAP)
    footer = wrap(_footer(plan), label, width - 2 * MARGIN)
    if missing(label, words):
        footer += wrap(f"{NO_LETTER}: {NO_FONT}", label, width - 2 * MARGIN)
    height += tallest([footer], label) + MARGIN
    image = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(image)

    y = MARGIN
    draw.multiline_text((MARGIN, y), "\n".join(heading), INK, title)
    y += tallest([heading], title)
    for page in range(pages):
        draw.multiline_text((MARGIN, y), "\n".join(names[page]), INK, title)
        y += tall[page]
        for column, text in enumerate(column_labels):
            x = MARGIN + left + column * (wide + GAP) + wide // 2
            bottom = y + above - GAP
            draw.multiline_text(
                (x, bottom), "\n".join(wrap(text, label, wide)), INK, label, "md", 4, "center"
            )
        y += above
        for row, text in enumerate(row_labels):
            at = (MARGIN + left - 2 * GAP, y + high // 2)
            draw.multiline_text(at, "\n".join(wrap(text, label, wide)), INK, label, "rm", 4, "right")
            for column in range(columns):
                place = (MARGIN + left + column * (wide + GAP), y)
                picture = pictures.get((page, row, column))
                if picture:
                    fitted = ImageOps.contain(picture.drawn.image, (wide, high), Image.Resampling.LANCZOS)
                    middle = place[0] + (wide - fitted.width) // 2, place[1] + (high - fitted.height) // 2
                    image.paste(fitted, middle)
                else:
                    draw.rectangle((*place, place[0] + wide - 1, place[1] + high - 1), EMPTY)
            y += high + GAP
        y += GAP
    draw.multiline_text((MARGIN, height - MARGIN), "\n".join(footer), QUIET, label, "ld", 4)
    return image


def archive(plan: Plan, done: Sequence[CellDone], sheet_png: bytes) -> bytes:
    """A ZIP: the sheet, every picture as PNG with its settings, and grid.json."""
    file = BytesIO()
    with ZipFile(file, "w", ZIP_STORED) as zip:  # PNG is compressed already
        zip.writestr("sheet.png", sheet_png)
        for each in done:
            if each.attempt.picture:
                zip.writestr(_name(each.cell), each.attempt.picture.png)
        zip.writestr("grid.json", json.dumps(as_json(plan, done), ensure_ascii=False, indent=2))
    return file.getvalue()


def as_json(plan: Plan, done: Sequence[CellDone]) -> dict:
    """Axes and cells: file name in the ZIP, settings in force, seconds; errors where there is no picture."""
    found = {_place(each.cell): each.attempt for each in done}
    cells = []
    for cell in sorted(plan.cells, key=_place):
        made = found.get(_place(cell))
        entry = {"page": cell.page, "row": cell.row, "column": cell.column}
        if made and made.picture:
            entry |= {"file": _name(cell), "settings": made.picture.settings}
            entry |= {"seconds": asdict(made.picture.drawn.timings)}
        else:
            entry["error"] = made.error if made else "not drawn"
        cells.append(entry)
    axes = zip(("pages", "rows", "columns"), plan.grid.axes, strict=True)
    return {name: _axis(axis) for name, axis in axes} | {"cells": cells}


def _axis(axis: Axis | None) -> dict | None:
    return {"setting": axis.name, "values": list(axis.values)} if axis else None


def _place(cell: Cell) -> tuple[int, int, int]:
    return cell.page, cell.row, cell.column


def _name(cell: Cell) -> str:
    return f"page{cell.page + 1}-row{cell.row + 1}-column{cell.column + 1}.png"


def _heading(plan: Plan) -> str:
    varies = [axis.name for axis in plan.grid.axes if axis]
    return "" if "prompt" in varies else plan.cells[0].settings.prompt


def _footer(plan: Plan) -> str:
    """What all pictures have in common."""
    common = []
    for name in ("model", "steps", "guidance", "seed"):
        values = {getattr(cell.settings, name) for cell in plan.cells}
        if len(values) == 1 and name not in [axis.name for axis in plan.grid.axes if axis]:
            common += plan.labels(Axis(name, tuple(values)))
    return "  ·  ".join([*common, *plan.shared, "InstaFlow Studio"])
