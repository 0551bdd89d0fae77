"""Many prompts as people hand them in: a text with a prompt a line, or a table with a heading (CSV)."""

import csv
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from io import StringIO
from typing import Any

from rf_app.errors import UserError
from rf_app.settings.picture import FIELDS, PictureSettings

COMMENT = "#"
COUNT = "count"
CELLS: dict[Any, tuple[Callable[[str], Any], str]] = {
    str: (str, "a text"),
    int: (int, "a whole number"),
    (int, float): (float, "a number"),
}
COLUMNS = {name: CELLS[kind] for name, kind in FIELDS.items() if kind in CELLS} | {COUNT: CELLS[int]}
"""The columns of a table: how a cell is read, and what is expected there."""


class Text(str):
    """A text that may be long: the command line is given the name of a file that holds it."""


@dataclass(frozen=True)
class Line:
    """One prompt. number: of its line in the text, from 1; count: of its pictures, where it says one.

    seeded: whether it has a seed of its own.
    """

    number: int
    settings: PictureSettings
    count: int | None = None
    seeded: bool = False


def lines(text: str, base: PictureSettings) -> Iterator[Line]:
    """The prompts of a text; base: what they have of all that they do not say themselves.

    A table is a text whose first line names a column "prompt", with commas, semicolons or tabs between the
    columns. Otherwise each line is a prompt. Empty lines, and those that begin with "#", are none. Raises
    UserError for a column that is not known, for a cell that cannot be read, and for one too many.
    """
    text = text.lstrip("\ufeff")
    heading = next(StringIO(text, newline=None), "")
    for separator in ",;\t":
        names = [_column(name) for name in heading.split(separator)]
        if "prompt" in names:
            return _rows(text, separator, names, base)
    return _plain(text, base)


def _plain(text: str, base: PictureSettings) -> Iterator[Line]:
    for number, line in enumerate(StringIO(text, newline=None), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith(COMMENT):
            yield Line(number, replace(base, prompt=prompt))


def _rows(text: str, separator: str, names: list[str], base: PictureSettings) -> Iterator[Line]:
    if unknown := [name for name in names if name and name not in COLUMNS]:
        raise UserError(f"There is no column {unknown[0]!r:.40}; there may be {', '.join(COLUMNS)}.")
    table = csv.reader(StringIO(text, newline=""), delimiter=separator)
    try:
        next(table)
        for row in table:
            named = zip(names, map(str.strip, row), strict=False)
            cells = {name: _read(table.line_num, name, cell) for name, cell in named if name and cell}
            if any(cell.strip() for cell in row[len(names) :]):
                raise UserError(
                    f"Line {table.line_num} has more cells than the heading: put a prompt with {separator!r} "
                    "in it between quotation marks."
                )
            if cells and not cells.get("prompt", "").startswith(COMMENT):
                count = cells.pop(COUNT, None)
                settings = replace(base, **{"prompt": ""} | cells)
                yield Line(table.line_num, settings, count, "seed" in cells)
    except csv.Error as error:
        raise UserError(f"The table cannot be read ({error}).") from None


def _read(number: int, name: str, cell: str) -> Any:
    read, expected = COLUMNS[name]
    try:
        return read(cell)
    except ValueError:
        raise UserError(f"Line {number}: {name} is {cell!r:.40}; expected {expected}.") from None


def _column(name: str) -> str:
    return re.sub(r"[\s_-]+", "_", name.strip().strip('"').lower())
