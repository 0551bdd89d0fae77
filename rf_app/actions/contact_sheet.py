"""A finished (or stopped) batch to take away: a contact sheet, and a ZIP of all its pictures.

The pictures carry their settings; prompts.csv in the ZIP is a list that makes all of them again.
"""

import csv
import io
from collections.abc import Sequence
from math import isqrt
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

from PIL import Image, ImageDraw, ImageOps

from rf_app.actions.asking import File
from rf_app.actions.batch import PictureDone
from rf_app.actions.grid_sheet import INK, MARGIN, PAPER, QUIET
from rf_app.actions.lettering import GAP, best_font, wrap
from rf_app.plugins.picture import encoded
from rf_app.registry.disk import writable, write_atomically
from rf_app.settings import prompts

SIDE, WORDS, LINES = 192, 13, 2  # pixels of a picture, of its words, and how many lines of them
COLUMNS = [name for name in prompts.COLUMNS if name != prompts.COUNT]


def contact_sheet(done: Sequence[PictureDone]) -> Image.Image:
    """All pictures with their prompts and seeds, as many in a row as there are rows."""
    font = best_font(WORDS, " ".join(each.settings.prompt for each in done))
    columns = isqrt(len(done) - 1) + 1
    below = (LINES + 1) * (WORDS + 6) + GAP
    rows = -(-len(done) // columns)
    size = (columns * (SIDE + GAP) - GAP + 2 * MARGIN, rows * (SIDE + below) - GAP + 2 * MARGIN)
    sheet = Image.new("RGB", size, PAPER)
    draw = ImageDraw.Draw(sheet)
    for place, each in enumerate(done):
        row, column = divmod(place, columns)
        x, y = MARGIN + column * (SIDE + GAP), MARGIN + row * (SIDE + below)
        with Image.open(each.file) as picture:
            shown = ImageOps.contain(picture.convert("RGB"), (SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(shown, (x + (SIDE - shown.width) // 2, y + SIDE - shown.height))
        said = wrap(each.settings.prompt, font, SIDE)[:LINES]
        draw.multiline_text((x, y + SIDE + 4), "\n".join(said), INK, font)
        draw.text((x, y + SIDE + 4 + len(said) * (WORDS + 6)), str(each.settings.seed), QUIET, font)
    return sheet


def files(done: Sequence[PictureDone], folder: Path) -> tuple[File, File]:
    """The sheet as PNG, and the ZIP, which is made in the folder; of those that have a picture."""
    found = [each for each in done if not each.error]
    sheet = encoded(contact_sheet(found), compress_level=1)
    path = folder / "instaflow-batch.zip"

    def write(path: Path) -> None:
        with ZipFile(path, "w", ZIP_STORED) as zip:  # PNG is compressed already
            for each in found:
                zip.write(each.file, each.file.name)
            zip.writestr("contact-sheet.png", sheet)
            zip.writestr("prompts.csv", _table(found))

    with writable(folder):
        write_atomically(path, write)
    return File("instaflow-batch.png", sheet), File(path.name, path)


def _table(done: Sequence[PictureDone]) -> str:
    text = io.StringIO()
    table = csv.writer(text)
    table.writerow(COLUMNS)
    table.writerows([getattr(each.settings, name) for name in COLUMNS] for each in done)
    return text.getvalue()
