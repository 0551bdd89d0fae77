"""What a command that measures tells: a table, the files asked for, and the card of what it measured."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch import Tensor

from rf_app.registry.card import Card, write_card
from rf_app.registry.disk import disk_full_named, write_text
from trainers.common.sheets import write_sheet


def markdown(headings: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table, without a newline at its end."""
    top, *lines = (f"| {' | '.join(map(str, cells))} |" for cells in (headings, *rows))
    return "\n".join([top, f"|{'---|' * len(headings)}", *lines])


def write_found(config: Any, found: object, shown: Sequence[Tensor] = ()) -> None:
    """Write the figures into `config.json` and the pictures into `config.sheet`, where there are such."""
    if getattr(config, "sheet", None):
        write_sheet(config.sheet, shown)
    if config.json:
        write_text(config.json, json.dumps(found, indent=2) + "\n")


def write_measured(folder: Path, card: Card, measured: dict[str, object]) -> None:
    """Put figures into the card of what was measured."""
    with disk_full_named(folder):
        write_card(folder, replace(card, measured=measured))
