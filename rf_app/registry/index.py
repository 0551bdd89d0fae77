"""What reading cards and checking folders gave, kept while files are unchanged, also for the next process.

Reading a thousand cards takes a second, most of it YAML; finding them unchanged takes a tenth.
"""

import hashlib
import json
import os
import sys
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any, Generic

from rf_app.errors import UserError
from rf_app.registry import card, checking
from rf_app.registry.card import README, Card, CardT, card_of, read_card
from rf_app.registry.disk import write_text

FileStamp = list[str | int]
"""Name, size, inode and time of change in nanoseconds."""
Entry = tuple[list[FileStamp], Any, str]
"""The stamps of the files, the card if it is one's, and the fault or ""."""
MAX_BYTES = 256 * 2**20


class Index(Generic[CardT]):
    """Cards read from folders, and the faults found there."""

    def __init__(self, path: Path, kind: type[CardT]):
        """path: where the index is kept; one that is not there, or not whole, is as good as an empty one."""
        self.path = path
        self.kind = kind
        self._entries: dict[str, Entry] = {}
        self._saved = True
        # Whoever may write into the folder may have written this file: one odd entry, and it is left aside.
        with suppress(OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError):
            if path.is_file() and path.stat().st_size <= MAX_BYTES:
                stored = json.loads(path.read_bytes())
                if stored["code"] == _code(kind):
                    self._entries = {
                        path: self._entry(path, *each) for path, each in stored["entries"].items()
                    }

    def card(self, folder: Path) -> CardT:
        """The folder's card; raises the UserError that reading it raised."""
        return self._value(folder / README, lambda path: read_card(path.parent, self.kind))

    def check(self, folder: Path, check: Callable[[Path], None]) -> None:
        """check(folder), unless its files are what they were then; raises the UserError that it raised."""
        self._value(folder, check)

    def save(self) -> None:
        """Keep for other processes what is new, if the folder is there and lets us."""
        if self._saved or not self.path.parent.is_dir():
            return
        self._saved = True
        known = list(self._entries.items())  # another thread may add to them meanwhile
        entries = {
            path: (stamps, card and vars(card), fault) for path, (stamps, card, fault) in known if stamps
        }
        text = json.dumps({"code": _code(self.kind), "entries": entries})
        with suppress(OSError):  # a folder that only its owner may write to is listed all the same
            write_text(self.path, text)

    def _value(self, path: Path, read: Callable[[Path], Any]) -> Any:
        stamps = _stamps(path)
        entry = self._entries.get(str(path))
        if entry is None or not stamps or entry[0] != stamps:
            try:
                entry = (stamps, read(path), "")
            except UserError as error:
                entry = (stamps, None, str(error))
            self._entries[str(path)] = entry
            self._saved = False
        if entry[2]:
            raise UserError(entry[2])
        return entry[1]

    def _entry(self, path: str, stamps: Any, fields: Any, fault: Any) -> Entry:
        """An entry as it was saved; raises UserError, TypeError or AttributeError for an odd one."""
        parts = path.rsplit(os.sep, 2)
        if not isinstance(fault, str) or (parts[-1] == README and fields is None and not fault):
            raise TypeError(path)
        return stamps, fields and card_of(self.kind, parts[-2], fields), fault


@cache
def _code(kind: type[Card]) -> str:
    """What tells this version of reading and checking from another, which may find other faults."""
    modules = (card, checking, sys.modules[kind.__module__])
    return hashlib.sha256(b"".join(Path(module.__file__).read_bytes() for module in modules)).hexdigest()


def _stamps(path: Path) -> list[FileStamp]:
    """What changes when a card, or a file in a folder, is written; nothing where there is nothing."""
    try:
        if path.name == README:
            status = path.stat()
            return [[path.name, status.st_size, status.st_ino, status.st_mtime_ns]]
        with os.scandir(path) as entries:
            found = [(entry.name, entry.stat()) for entry in entries]
    except OSError:
        return []
    return sorted([name, s.st_size, s.st_ino, s.st_mtime_ns] for name, s in found)
