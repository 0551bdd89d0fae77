"""What reading cards and checking pieces gave, kept while the files are unchanged, also for the next process.

Reading a thousand cards takes a second, most of it YAML; finding them unchanged takes a tenth.
"""

import hashlib
import json
import os
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry import card, checking
from rf_app.registry.disk import write_atomically

FileStamp = list[str | int]
"""Name, size, inode and time of change in nanoseconds."""
Entry = list[Any]
"""The stamps of the files, what was read or None, and the fault or ""."""


class Index:
    """Values read from paths, or the faults found there."""

    def __init__(self, path: Path):
        """path: where the index is kept; one that is not there, or not whole, is as good as an empty one."""
        self.path = path
        self._entries: dict[str, Entry] = {}
        self._saved = True
        with suppress(OSError, ValueError, TypeError, KeyError, AttributeError):
            stored = json.loads(path.read_bytes())
            if stored["code"] == _code():
                self._entries = dict(stored["entries"])

    def value(self, path: Path, read: Callable[[Path], Any]) -> Any:
        """read(path), remembered as long as that file, or the files in that folder, are what they were.

        Raises the UserError that reading raised.
        """
        stamps = _stamps(path)
        entry = self._entries.get(str(path))
        if entry is None or entry[0] != stamps:
            try:
                entry = [stamps, read(path), ""]
            except UserError as error:
                entry = [stamps, None, str(error)]
            self._entries[str(path)] = entry
            self._saved = False
        if entry[2]:
            raise UserError(entry[2])
        return entry[1]

    def save(self) -> None:
        """Keep for other processes what is new, if the folder is there and lets us."""
        if self._saved or not self.path.parent.is_dir():
            return
        self._saved = True
        known = list(self._entries.items())  # another thread may add to them meanwhile
        entries = {path: entry for path, entry in known if entry[0] and _is_json(entry[1])}
        text = json.dumps({"code": _code(), "entries": entries})
        with suppress(OSError):  # a folder that only its owner may write to is listed all the same
            write_atomically(self.path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


@cache
def _code() -> str:
    """What tells this version of reading and checking from another, which may find other faults."""
    sources = (Path(module.__file__).read_bytes() for module in (card, checking))
    return hashlib.sha256(b"".join(sources)).hexdigest()


def _is_json(value: Any) -> bool:
    """Whether JSON gives it back as it is; YAML has dates and more."""
    try:
        return json.loads(json.dumps(value)) == value
    except TypeError:
        return False


def _stamps(path: Path) -> list[FileStamp]:
    """What changes when a file, or a file in a folder, is written; nothing where there is nothing."""
    try:
        if path.suffix:
            status = path.stat()
            return [[path.name, status.st_size, status.st_ino, status.st_mtime_ns]]
        with os.scandir(path) as entries:
            found = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return []
    return sorted([name, s.st_size, s.st_ino, s.st_mtime_ns] for name, s in found)
