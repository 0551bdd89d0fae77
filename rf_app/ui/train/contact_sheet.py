"""What became of a world of one's own: its contact sheet, row by row, and what its figures say in words."""

import json
from functools import lru_cache
from html import escape
from pathlib import Path

from rf_app.ui.parts.image import data_url

WORLD = "world"  # in the job's folder: where trainers.world works
ROWS = ("Yours", "Autoencoder", "25 steps", "One step", "Nearest of yours")


def contact_sheet(folder: Path) -> str:
    """The sheet of a job as HTML; "" where it is no world, or not measured yet."""
    try:
        figures = folder / WORLD / "figures.json"
        return _sheet(figures, figures.stat().st_mtime_ns)
    except (OSError, ValueError, KeyError):  # or one that goes just now
        return ""


@lru_cache(maxsize=4)
def _sheet(figures: Path, changed: int) -> str:
    said = json.loads(figures.read_text())["said"]
    png = (figures.parent / "sheet.png").read_bytes()
    names = "".join(f"<span>{name}</span>" for name in ROWS)
    points = "".join(f"<li>{escape(line)}</li>" for line in said)
    return (
        f'<figure class="contact-sheet"><div>{names}</div><img src="{data_url(png)}" alt="Your pictures, '
        f'what the models draw of their captions, and the nearest pictures learned from"></figure>'
        f"<ul>{points}</ul>"
    )
