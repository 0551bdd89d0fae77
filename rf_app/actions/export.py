"""A model, LoRA or ControlNet as one folder, or one ZIP, to take along.

python -m rf_app export pocket-instaflow --to exported
python -m rf_app export lora/pocket-woodcut --to exported --archive
"""

import shutil
import zipfile
from collections.abc import Generator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.collection import Thing, thing
from rf_app.actions.progress import Events
from rf_app.actions.reported import Report, reported
from rf_app.actions.samples import draw_sample, is_quick, sample_at_hand
from rf_app.errors import UserError
from rf_app.registry.card import ModelCard
from rf_app.registry.disk import disk_full_named, hidden_folder, put_in_place, sync_tree, writable
from rf_app.registry.export import export as export_model


@dataclass(frozen=True)
class Export:
    """What to take along, and where to."""

    id: str
    """Id of a model, or lora/ID, or controlnet/ID."""
    to: Path = Path("exported")
    """The folder in which its own, or its ZIP, is made."""
    archive: bool = False
    """Make one ZIP instead of a folder; weights hardly shrink, so nothing is compressed."""


def export(app: Application, wish: Export) -> Events[Path]:
    """Write a model as stock diffusers loads it, or a LoRA's or ControlNet's folder; whole or not at all."""
    found = thing(app, wish.id)
    name = f"{found.card.id}.zip" if wish.archive else found.card.id
    target = wish.to / name
    taken = UserError(f"{target} exists already: choose another folder, or remove it.")
    if target.exists():
        raise taken

    sample = (yield from _sample(app, found)) if isinstance(found.card, ModelCard) else None

    def write(report: Report) -> Path:
        with writable(wish.to), disk_full_named(target), hidden_folder(wish.to, name) as hidden:
            fresh = hidden / found.card.id
            report(0, 1, "Copying")
            if isinstance(found.card, ModelCard):
                export_model(app.registry, found.card.id, fresh, sample)
            else:
                shutil.copytree(found.folder, fresh)
            if wish.archive:
                fresh = _zipped(fresh, hidden / name, report)
            else:
                sync_tree(fresh)
            if not put_in_place(fresh, target, overwrite=False):
                raise taken
        return target

    yield (yield from reported(write, "MB", 1e6))


def _sample(app: Application, found: Thing) -> Generator[Any, None, Path | None]:
    """A picture for the card, which is drawn where that takes little."""
    sample = sample_at_hand(app, found)
    if sample is None and is_quick(app, found):
        with suppress(UserError):  # it is an extra
            for event in draw_sample(app, found):
                if isinstance(event, Path):
                    sample = event
                else:
                    yield event
    return sample


def _zipped(folder: Path, target: Path, report: Report) -> Path:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    total, done = sum(path.stat().st_size for path in paths), 0
    with zipfile.ZipFile(target, "w") as archive:
        for path in paths:
            report(done, total, "Packing")
            archive.write(path, path.relative_to(folder.parent))
            done += path.stat().st_size
    return target


def answer(app: Application, made: list[Path]) -> dict[str, Any]:
    """Where it is."""
    return {"path": str(made[0])}
