"""The sheets of samples a training has left, as one picture: from left to right it gets better."""

from functools import lru_cache
from html import escape
from pathlib import Path

from PIL import Image

from rf_app.plugins.picture import encoded
from rf_app.ui.parts.image import data_url

ROWS, COLUMNS = 3, 7  # prompts, and moments in time
GAP = 6  # pixels


def sample_strip(sheets: tuple[Path, ...]) -> str:
    """The strip as HTML; "" where there are no sheets yet.

    A sheet of several rows has the wanted or given pictures in its first row, the model's in the second, or
    says that all are the model's; one of a single row is a page of finished pictures, of which the latest is
    shown.
    """
    if not sheets:
        return ""
    try:
        found = _strip(_spread(sheets))
    except (OSError, ValueError):  # a sheet that goes just now, because its job is deleted
        return ""
    png, across, labels = found
    names = "".join(f"<span>{escape(label)}</span>" for label in labels)
    return (
        f'<figure class="progress-strip" style="--across:{across}; --labels:{len(labels)}">'
        f'<img src="{data_url(png)}" alt="Samples from fixed noise, from the first to the latest">'
        f"<figcaption>{names}</figcaption></figure>"
    )


def _spread(sheets: tuple[Path, ...]) -> tuple[Path, ...]:
    """At most `COLUMNS` of them, evenly, with the last."""
    if len(sheets) <= COLUMNS:
        return sheets
    return tuple(sheets[round(i * (len(sheets) - 1) / (COLUMNS - 1))] for i in range(COLUMNS))


@lru_cache(maxsize=16)
def _strip(sheets: tuple[Path, ...]) -> tuple[bytes, int, tuple[str, ...]]:
    """The picture, how many samples stand side by side in it, and what is written under it."""
    with Image.open(sheets[-1]) as last:
        rows, columns = (int(number) for number in last.text["grid"].split())
        newest, first = last.convert("RGB"), last.text.get("first", "wanted")
    if rows == 1:
        return encoded(newest), columns, ("The latest",)
    side = newest.width // columns
    count = min(ROWS, columns)
    across, row = (len(sheets) + 1, 1) if first else (len(sheets), 0)
    wide = Image.new("RGBA", (across * (side + GAP) - GAP, count * (side + GAP) - GAP))
    for i, path in enumerate(sheets):
        with Image.open(path) as sheet:
            picture = sheet.convert("RGB")
        _column(wide, picture, row, i * (side + GAP), side, count)
    labels = [f"step {int(path.stem.rpartition('-')[2]):,}" for path in sheets]
    if first:
        _column(wide, newest, 0, len(sheets) * (side + GAP), side, count)
        labels.append(first)
    return encoded(wide), across, tuple(labels)


def _column(wide: Image.Image, sheet: Image.Image, row: int, x: int, side: int, count: int) -> None:
    """Let the first pictures of a sheet's row stand under one another."""
    for i in range(count):
        cell = sheet.crop((i * side, row * side, (i + 1) * side, (row + 1) * side))
        wide.paste(cell, (x, i * (side + GAP)))
