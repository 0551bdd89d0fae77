"""A model, LoRA or ControlNet as one folder, or one ZIP, to take along.

python -m rf_app export pocket-instaflow --to exported
python -m rf_app export lora/pocket-woodcut --to exported --archive
"""

import shutil
import zipfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.collection import thing
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.registry.card import ModelCard
from rf_app.registry.disk import disk_full_named, put_in_place, sync_tree, writable
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
    name = found.card.id
    target = wish.to / (f"{name}.zip" if wish.archive else name)
    if target.exists():
        raise UserError(f"{target} exists already: choose another folder, or remove it.")
    with writable(wish.to), disk_full_named(target):
        wish.to.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory(dir=wish.to, prefix=".instaflow-") as hidden:
            fresh = Path(hidden) / name
            if isinstance(found.card, ModelCard):
                export_model(app.registry, name, fresh)
            else:
                shutil.copytree(found.folder, fresh)
            yield None
            if wish.archive:
                yield from _zipped(fresh, fresh := Path(hidden) / target.name)
            else:
                sync_tree(fresh)
            put_in_place(fresh, target, overwrite=False)
    yield target


def _zipped(folder: Path, target: Path) -> Events[None]:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    sizes = [path.stat().st_size for path in paths]
    clock = Clock(sum(sizes))
    with zipfile.ZipFile(target, "w") as archive:
        for path, size in zip(paths, sizes, strict=True):
            archive.write(path, path.relative_to(folder.parent))
            clock.done += size
            yield clock.at(clock.done, f"Packing {path.name}")


def answer(app: Application, made: list[Path]) -> dict[str, Any]:
    """Where it is."""
    return {"path": str(made[0])}
