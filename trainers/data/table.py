"""Captioned pictures in Parquet files, or in a dataset on the Hub: laid out as a folder of files."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.disk import disk_full_named
from rf_app.settings.training import PICTURE_SUFFIXES

ON_THE_HUB = re.compile(r"[\w-][\w.-]*/[\w.-]+")
PICTURES, CAPTIONS = ("image", "picture", "img"), ("text", "caption", "prompt", "title", "description")


@contextmanager
def as_folder(source: Path, most: int) -> Iterator[Path]:
    """The folder itself; or, as long as it is needed, one with at most so many rows of Parquet files.

    Those are `source`, or lie anywhere in it where no pictures do; or else it names a dataset, whose part
    "train" is read. Raises UserError for a table without pictures or captions.
    """
    files = [source] if source.suffix == ".parquet" and source.is_file() else []
    if source.is_dir() and not any(path.suffix.lower() in PICTURE_SUFFIXES for path in source.iterdir()):
        files = sorted(source.rglob("*.parquet"))
    if not files and (source.exists() or not ON_THE_HUB.fullmatch(source.as_posix())):
        yield source
        return
    with TemporaryDirectory(prefix="instaflow-") as folder, disk_full_named(Path(folder)):
        _lay_out(source, files, Path(folder), most)
        yield Path(folder)


def _lay_out(source: Path, files: list[Path], folder: Path, most: int) -> None:
    from datasets import ClassLabel, Image, load_dataset  # takes seconds

    try:
        which = {"path": "parquet", "data_files": list(map(str, files))} if files else {"path": str(source)}
        rows = load_dataset(**which, split="train", streaming=True).take(most)
        columns = rows.features
        image = _named(columns, PICTURES) or next((c for c, f in columns.items() if isinstance(f, Image)), "")
        labels = {c: f for c, f in columns.items() if isinstance(f, ClassLabel)}
        text = _named(columns, CAPTIONS) or next(iter(labels), "")
        if not image or not text:
            raise UserError(
                f"{source} has the columns {', '.join(columns)}; needed are pictures (one of "
                f"{', '.join(PICTURES)}) and captions (one of {', '.join(CAPTIONS)}, or labels)."
            )
        if isinstance(columns[image], Image):
            rows = rows.cast_column(image, Image(decode=False))
        with (folder / "metadata.jsonl").open("w", encoding="utf-8") as listed:
            for number, row in enumerate(rows.select_columns([image, text])):
                name, caption = f"{number:05d}.png", row[text]
                (folder / name).write_bytes(_content(row[image]))
                caption = caption[0] if isinstance(caption, list) and caption else caption  # of several
                said = labels[text].int2str(caption) if text in labels else str(caption or "")
                listed.write(json.dumps({"file_name": name, "text": said}) + "\n")
    except UserError:
        raise
    except Exception as error:  # of any of the libraries between here and a server
        raise UserError(f"{source} cannot be read as a table of pictures ({error!r:.300}).") from None


def _named(columns: dict[str, Any], names: tuple[str, ...]) -> str:
    return next((name for name in names if name in columns), "")


def _content(picture: Any) -> bytes:
    """A file's bytes; none where a row has only a path, which may be anybody's."""
    found = picture.get("bytes") if isinstance(picture, dict) else picture
    return found if isinstance(found, bytes) else b""
