"""Bring a model in: a diffusers folder, a single file of Stable Diffusion 1.5, or a model on the Hub.

    python -m rf_app import-model Lykon/dreamshaper-7
    python -m rf_app import-model ~/Downloads/dreamshaper.safetensors --id dreamshaper

What has arrived waits in a hidden folder, `.imports/ID` among the models, until it is whole and has been
checked. A run that was stopped, killed or cut off goes on from there. Only safetensors and JSON are taken.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.as_job import start_job
from rf_app.actions.fetching import EXTRAS, check_room, fetch, file_names
from rf_app.actions.progress import Events
from rf_app.actions.reported import Report, reported
from rf_app.actions.single_file import gather_single_file
from rf_app.errors import HeldBack, UserError
from rf_app.jobs.database import RESUMABLE
from rf_app.jobs.job import Job
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.checkpoint import find_weights
from rf_app.plugins.deltas import HUB_NAME
from rf_app.registry.card import (
    KINDS,
    README,
    ModelCard,
    as_id,
    check_id,
    license_in,
    read_card,
    read_front,
    write_card,
)
from rf_app.registry.catalogue import catalogue
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, OWN, WEIGHTS, read_json
from rf_app.registry.disk import disk_full_named, link_or_copy, locked, writable
from rf_app.registry.models import Registry
from rf_app.registry.recognition import INDEX, RECOMMENDED, Recognized, called_in, recognize
from rf_app.settings.home import existing
from rf_app.settings.picture import PictureSettings

KIND = "import_model"  # of its jobs
STAGING = ".imports"
PATIENCE = 2.0  # seconds for a run before, which is just being ended
CHUNK = 8 * 2**20  # bytes


@dataclass(frozen=True)
class ImportModel:
    """What to bring in."""

    source: str
    """A folder, a .safetensors file, or OWNER/NAME on the Hub."""
    id: str = ""
    """Id of the new model (default: from the source's name)."""
    title: str = ""
    """How it is called (default: what its card says, or its id)."""
    kind: str = ""
    """One of `rf_app.registry.card.KINDS` (default: what its card or its files say)."""


def id_of(source: str) -> str:
    """An id made from a source's name: "Lykon/DreamShaper 7" gives "dreamshaper-7"."""
    return as_id(called_in(source).removesuffix(".safetensors")) or "model"


def checked(registry: Registry, wish: ImportModel) -> ImportModel:
    """The same with every default filled in; raises UserError for what cannot be brought in."""
    source = wish.source.strip()
    if here := existing(source):
        source = str(here.resolve())
    elif not HUB_NAME.fullmatch(source):
        raise UserError(
            f"{wish.source!r:.100}: expected a folder or a .safetensors file on this machine, or "
            "OWNER/NAME on the Hub."
        )
    if wish.kind and wish.kind not in KINDS:
        raise UserError(f"kind is {wish.kind!r:.40}; expected one of {', '.join(KINDS)}.")
    entry = next((each for each in catalogue() if each.name == source), None)
    wish = replace(
        wish,
        source=source,
        id=check_id(wish.id or (entry.id if entry else id_of(source))),
        title=" ".join((wish.title or (entry.title if entry else "")).split())[:80],
        kind=wish.kind or (entry.kind if entry else ""),
    )
    if any((root / wish.id).exists() for root in registry.folders):
        raise UserError(f"There is already a model {wish.id!r}: choose another id.")
    return wish


def start_import(app: Application, wish: ImportModel) -> Job:
    """Queue an import into the registry's last folder; raises UserError for what cannot be brought in."""
    app.permission.check("Importing a model")
    wish = checked(app.registry, wish)
    for job in app.jobs.jobs():
        if job.kind == KIND and job.output == wish.id and job.state in RESUMABLE:
            raise UserError(
                f"{wish.id!r} is among the imports already, as job {job.id}: resume or drop it, or give "
                "another id."
            )
    models = app.registry.folders[-1].absolute()
    return start_job(
        app, KIND, wish, "Importing", wish.title, wish.id, models / wish.id, models / STAGING / wish.id
    )


def import_model(app: Application, wish: ImportModel) -> Events[Path]:
    """Bring a model in: gather its files, check them, and publish it; gives its folder.

    Raises UserError for what is no such model or cannot be fetched; what has arrived stays for the next try.
    """
    registry, wish = app.registry, checked(app.registry, wish)
    yield (yield from reported(lambda report: _bring_in(registry, wish, report), "MB", 1e6))


def answer(app: Application, folders: list[Path]) -> dict[str, Any]:
    """The id of the model, and where it lies."""
    return {"id": folders[0].name, "path": str(folders[0])}


def _bring_in(registry: Registry, wish: ImportModel, report: Report) -> Path:
    staging = registry.folders[-1] / STAGING / wish.id
    with writable(registry.folders[-1]), disk_full_named(staging):
        files = staging / "files"
        files.mkdir(parents=True, exist_ok=True)
        try:
            with locked(staging, PATIENCE):
                like = _gather(registry, wish, staging, files, report)
                report(1, 1, "Checking the model…")
                card, found = _card(wish, files, like)
                if found.scheduler:
                    path = files / "scheduler" / CONFIGS["scheduler"]
                    path.write_text(json.dumps(found.scheduler))
                target = registry.publish(wish.id, lambda folder: _build(registry, files, folder, card), card)
                shutil.rmtree(staging)
        except BlockingIOError:
            raise UserError(f"{wish.id!r} is being imported already.") from None
    return target


def _gather(registry: Registry, wish: ImportModel, staging: Path, files: Path, report: Report) -> str | None:
    """Fill `files` with pieces under their standard names; returns the model the rest comes from, if any."""
    source = Path(wish.source)
    if source.is_dir():
        _gather_folder(source, files, report)
    elif source.is_absolute():
        _forget_others([source], files)
        return gather_single_file(registry, source, files, report)
    else:
        arrived = fetch(wish.source, staging / "hub", report)
        _gather_folder(arrived, files, report, link=True)
    return None


def _gather_folder(source: Path, files: Path, report: Report, link: bool = False) -> None:
    """Copy what a model needs of a diffusers folder, and nothing else that lies there."""
    if not (source / "unet").is_dir():
        raise UserError(f"{source}: is no diffusers model; it has no folder unet/.")
    recognize(source, str(source))  # before anything is copied
    pairs = [(source / name, files / name) for name in (*EXTRAS, INDEX)]
    for piece in (*OWN, *BORROWED, *OPTIONAL):
        beside = {path.name for path in (source / piece).glob("*.safetensors")}
        if not (source / piece).is_dir() or (piece in OPTIONAL and not beside):
            continue
        pairs += [(source / piece / name, files / piece / name) for name in file_names(piece)]
        if piece in WEIGHTS:
            pairs.append((find_weights(source / piece), files / piece / WEIGHTS[piece]))
    pairs = [(old, new) for old, new in pairs if old.is_file()]
    for old, _ in pairs:
        if not any(old.resolve().is_relative_to(root) for root in _roots(source)):
            raise UserError(f"{old}: leads out of the folder, to {old.resolve()}; put the file itself there.")
    _forget_others([old for old, _ in pairs], files)
    total, done = sum(old.stat().st_size for old, _ in pairs), 0
    if not link:
        check_room(source, total, files)
    for old, new in pairs:
        if not os.access(old, os.R_OK):
            raise UserError(f"{old}: cannot be read.")
        new.parent.mkdir(parents=True, exist_ok=True)
        if link:
            link_or_copy(old, new)
        else:
            _copy(old, new, lambda bytes, start=done: report(start + bytes, total, "Copying"))
        done += old.stat().st_size


def _roots(source: Path) -> tuple[Path, ...]:
    """Where the files of a folder may lie: in it, or beside it, as the Hub's own cache has them."""
    source = source.resolve()
    return (source, source.parents[1] / "blobs") if source.parent.name == "snapshots" else (source,)


def _forget_others(sources: Sequence[Path], files: Path) -> None:
    """Begin anew unless what has arrived is of these sources, and they are still what they were."""
    stamps = {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sources}
    text, note = json.dumps(stamps), files.with_name("sources.json")
    if not note.exists() or note.read_text() != text:
        shutil.rmtree(files)
        files.mkdir()
        note.write_text(text)


def _copy(old: Path, new: Path, report: Callable[[int], None]) -> None:
    """Copy a file, or the rest of it where a run before came to a part."""
    size = old.stat().st_size
    if new.exists() and new.stat().st_size == size and new.stat().st_mtime_ns == old.stat().st_mtime_ns:
        return
    part = new.with_name(f"{new.name}.part")
    with old.open("rb") as source, part.open("ab") as target:
        source.seek(min(target.tell(), size))
        while chunk := source.read(CHUNK):
            target.write(chunk)
            report(target.tell())
    shutil.copystat(old, part)
    part.replace(new)


def _build(registry: Registry, files: Path, folder: Path, card: ModelCard) -> None:
    """The model's folder, of which a first picture has been drawn.

    Here, where an import is a process of its own: a folder of anybody's making may pass every check and abort
    what draws with it, which is not to be the page.
    """
    _link_all(files, folder)
    write_card(folder, replace(card, id=folder.name))
    worker = Worker(Registry([*registry.folders, folder.parent]), "cpu", safety_checker=True)
    try:
        steps = card.steps if card.kind == "piecewise-flow" else 1  # which has a least number of them
        with suppress(HeldBack):  # it works, then
            result_of(worker.draw(PictureSettings("a lake", folder.name, steps=steps)))
    except UserError:
        raise
    except Exception as error:  # of any library
        said = next(iter(str(error).splitlines()), "")
        raise UserError(f"{folder.name} cannot draw: {type(error).__name__} {said:.200}") from None
    finally:
        worker.close()


def _link_all(files: Path, folder: Path) -> None:
    for path in sorted(files.rglob("*")):
        if path.is_file() and path.name not in (README, INDEX):
            new = folder / path.relative_to(files)
            new.parent.mkdir(exist_ok=True)
            link_or_copy(path, new)


def _card(wish: ImportModel, files: Path, like: str | None) -> tuple[ModelCard, Recognized]:
    """What the model's own card says, or what its files tell; a kind that was chosen comes first."""
    with suppress(UserError):
        own = read_card(files)
        found = recognize(files, wish.source, wish.kind or own.kind)
        if found.kind != own.kind:
            steps, guidance = RECOMMENDED[found.kind]
            own = replace(own, kind=found.kind, steps=steps, guidance=guidance)
        return replace(own, title=wish.title or own.title), found
    entry = next((each for each in catalogue() if each.name == wish.source), None)
    found = recognize(files, wish.source, wish.kind)
    size = read_json(files / "unet" / CONFIGS["unet"]).get("sample_size")
    steps, guidance = (entry.steps, entry.guidance) if entry else RECOMMENDED[found.kind]
    card = ModelCard(
        id=wish.id,
        title=wish.title or wish.id,
        kind=found.kind,
        description=entry.about if entry else f"Imported from `{called_in(wish.source)}`.",
        resolution=8 * size if isinstance(size, int) else 512,
        steps=steps,
        guidance=guidance,
        license=entry.license if entry else _license(files),
        base_model=like,
        settings={"imported": wish.source if entry else called_in(wish.source)},
    )
    return replace(card, description=card.description + _without_checker(files)), found


def _without_checker(files: Path) -> str:
    """Says it where the model has a safety checker that could not be taken along."""
    index = read_json(files / INDEX) if (files / INDEX).is_file() else {}
    if index.get("safety_checker") in (None, [None, None]) or (files / "safety_checker").is_dir():
        return ""
    return " Its safety checker is left out: it has no safetensors file."


def _license(files: Path) -> str:
    """What the README.md of a folder from elsewhere says, in its front matter."""
    found = None
    with suppress(UserError):
        found = license_in(read_front(files / README)[0])
    return found if found and isinstance(found, str) else "unknown"
