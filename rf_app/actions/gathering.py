"""What is needed of a diffusers folder, a model's or a piece's, gathered under the standard names.

Weights may stay where they are, behind a link; what is small is copied, because publishing writes into it.
"""

import json
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rf_app.actions.fetching import check_configs, check_room
from rf_app.actions.reported import Report
from rf_app.actions.wanted import EXTRAS, file_names
from rf_app.errors import UserError
from rf_app.plugins.checkpoint import find_weights
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, OWN, WEIGHTS, weights_file
from rf_app.registry.recognition import INDEX

CHUNK = 8 * 2**20  # bytes
Placing = Callable[[Path, Path], None] | None
"""Gives weights a name here: `refer`, `link_or_copy`, or None where they are to be copied."""


def refer(old: Path, new: Path) -> None:
    """A link to where a file lies, whatever link its folder was found by."""
    new.unlink(missing_ok=True)
    new.symlink_to(old.parent.resolve() / old.name)


def gather_model(source: Path, files: Path, report: Report, place: Placing) -> None:
    """What a model needs of a diffusers folder, and nothing else that lies there.

    Raises UserError for what is no model that can be drawn, before anything is copied.
    """
    check_configs(source, str(source))
    pairs = [(source / name, files / name) for name in (*EXTRAS, INDEX)]
    for piece in (*OWN, *BORROWED, *OPTIONAL):
        without = piece in OPTIONAL and not any((source / piece).glob("*.safetensors"))
        if without or not (source / piece).is_dir():
            continue
        pairs += [(source / piece / name, files / piece / name) for name in file_names(piece)]
        if piece in WEIGHTS:
            pairs.append((find_weights(source / piece), files / piece / WEIGHTS[piece]))
    _gather(source, pairs, files, report, place)


def gather_piece(source: Path, files: Path, report: Report, place: Placing, piece: str) -> None:
    """What a ControlNet or a tiny decoder needs of its folder, likewise; piece: one of CONFIGS."""
    names = ("README.md", CONFIGS[piece])
    pairs = [(source / name, files / name) for name in names]
    weights = (weights_file(source, piece), files / WEIGHTS[piece])
    _gather(source, [*pairs, weights], files, report, place)


def begin_anew_unless(sources: Sequence[Path], files: Path) -> None:
    """Empty `files` unless what has arrived there is of these sources, and they are still what they were."""
    stamps = {str(path): (path.stat().st_size, path.stat().st_mtime_ns) for path in sources}
    text, note = json.dumps(stamps), files.with_name("sources.json")
    if not note.exists() or note.read_text() != text:
        shutil.rmtree(files)
        files.mkdir()
        note.write_text(text)


def _gather(
    source: Path, pairs: list[tuple[Path, Path]], files: Path, report: Report, place: Placing
) -> None:
    pairs = [(old, new) for old, new in pairs if old.is_file()]
    for old, _ in pairs:
        if not any(old.resolve().is_relative_to(root) for root in _roots(source)):
            raise UserError(f"{old}: leads out of the folder, to {old.resolve()}; put the file itself there.")
    begin_anew_unless([old for old, _ in pairs], files)
    copied = [old for old, new in pairs if not place or new.name not in WEIGHTS.values()]
    total, done = sum(old.stat().st_size for old in copied), 0
    check_room(source, total, files)
    for old, new in pairs:
        if not os.access(old, os.R_OK):
            raise UserError(f"{old}: cannot be read.")
        new.parent.mkdir(parents=True, exist_ok=True)
        if old in copied:
            _copy(old, new, lambda bytes, start=done: report(start + bytes, total, "Copying"))
            done += old.stat().st_size
        elif place:
            place(old, new)


def _roots(source: Path) -> tuple[Path, ...]:
    """Where the files of a folder may lie: in it, or beside it, as the Hub's own cache has them."""
    source = source.resolve()
    return (source, source.parents[1] / "blobs") if source.parent.name == "snapshots" else (source,)


def _copy(old: Path, new: Path, report: Callable[[int], None]) -> None:
    """Copy a file, or the rest of it where a run before came to a part."""
    size = old.stat().st_size
    if (
        not new.is_symlink()
        and new.exists()
        and new.stat().st_size == size
        and new.stat().st_mtime_ns == old.stat().st_mtime_ns
    ):
        return
    part = new.with_name(f"{new.name}.part")
    with old.open("rb") as source, part.open("ab") as target:
        source.seek(min(target.tell(), size))
        while chunk := source.read(CHUNK):
            target.write(chunk)
            report(target.tell())
    shutil.copystat(old, part)
    part.replace(new)
