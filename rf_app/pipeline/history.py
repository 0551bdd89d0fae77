"""Pictures that were drawn here and kept: PNG files with their settings inside, a folder a day, and an index.

The files are what counts. A picture is whole on the disk before it is in the index, and what a kill left out
of it, or what somebody put into or took out of the folders, is found at the next start; of what the index
alone knows, the stars, a broken one keeps nothing. A connection lives for one call.
"""

import hashlib
import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.plugins.picture import encoded, read_picture
from rf_app.registry.disk import writable, write_atomically
from rf_app.settings.home import home
from rf_app.settings.picture import read_picture_settings

LIMIT = 2 * 10**9  # bytes of all pictures; beyond it the oldest without a star leave
WAITS = 10.0  # seconds for another process's write
SIDE = 256  # pixels of a thumbnail
SCHEMA = """
CREATE TABLE IF NOT EXISTS picture (
  name TEXT PRIMARY KEY, digest TEXT NOT NULL UNIQUE, created REAL NOT NULL, words TEXT NOT NULL,
  settings TEXT NOT NULL, bytes INTEGER NOT NULL, thumbnail BLOB NOT NULL, starred INTEGER NOT NULL DEFAULT 0
)
"""


@dataclass(frozen=True)
class Kept:
    """A kept picture. name: of its file, under the history's folder; created: seconds since the epoch."""

    name: str
    created: float
    settings: dict[str, Any]
    starred: bool
    thumbnail: bytes  # WebP


class History:
    """The kept pictures in `pictures/` of the user's folder."""

    def __init__(self, folder: Path | None = None, limit: int = LIMIT):
        """folder: default: the user's; limit: bytes of all pictures together."""
        self.folder, self.limit = folder or home() / "pictures", limit
        self.path = self.folder / "index.sqlite3"
        self._checked, self._lock = False, Lock()

    def keep(self, png: bytes, settings: dict[str, Any]) -> str:
        """Keep a picture and return its name; the same picture again is the newest again.

        Raises UserError where it cannot be written.
        """
        digest = hashlib.sha256(png).hexdigest()
        name = time.strftime("%Y-%m-%d/%H%M%S-") + f"{digest[:12]}.png"
        with self._open() as rows:
            found = rows.execute("SELECT name FROM picture WHERE digest = ?", [digest]).fetchone()
            name = found["name"] if found else name
            if not (self.folder / name).is_file():  # somebody may have taken it out of its folder
                with writable(self.folder):
                    write_atomically(self.folder / name, lambda temporary: temporary.write_bytes(png))
            if found:
                rows.execute("UPDATE picture SET created = ? WHERE name = ?", [time.time(), name])
                return name
            _add(rows, name, png, settings, time.time())
            leaving = self._over(rows, name)
            rows.executemany("DELETE FROM picture WHERE name = ?", [[each] for each in leaving])
        for each in leaving:
            (self.folder / each).unlink(missing_ok=True)
        return name

    def search(self, words: str = "", starred: bool = False, count: int = 60) -> tuple[list[Kept], int]:
        """The newest `count` with all these words in prompt, model or styles; and how many there are."""
        given = [f"%{_plain(word)}%" for word in words.split()]
        where = " AND ".join(["words LIKE ? ESCAPE '\\'"] * len(given) + ["starred = 1"] * starred) or "1"
        with self._open() as rows:
            total = rows.execute(f"SELECT COUNT(*) FROM picture WHERE {where}", given).fetchone()[0]
            newest = f"SELECT * FROM picture WHERE {where} ORDER BY created DESC LIMIT ?"
            return [_kept(row) for row in rows.execute(newest, [*given, count])], total

    def picture(self, name: str) -> Kept:
        """One of them; raises UserError for a name that is none."""
        with self._open() as rows:
            row = rows.execute("SELECT * FROM picture WHERE name = ?", [name]).fetchone()
        if row is None:
            raise UserError(f"There is no picture {name!r:.80} in the history.")
        return _kept(row)

    def find(self, settings: dict[str, Any]) -> str | None:
        """The name of the newest with exactly these settings; None where none has."""
        with self._open() as rows:
            same = "SELECT name FROM picture WHERE settings = ? ORDER BY created DESC"
            row = rows.execute(same, [_text(settings)]).fetchone()
        return row and row["name"]

    def png(self, name: str) -> bytes:
        """The file; raises UserError for a name that is none, and for a file that has gone."""
        try:
            return (self.folder / self.picture(name).name).read_bytes()
        except OSError as error:
            raise UserError(f"The picture {name} cannot be read ({error.strerror}).") from None

    def star(self, name: str, starred: bool) -> None:
        """Give a picture a star, or take it away; raises UserError for a name that is none."""
        self.picture(name)
        with self._open() as rows:
            rows.execute("UPDATE picture SET starred = ? WHERE name = ?", [starred, name])

    def delete(self, name: str) -> None:
        """Delete a picture for good; raises UserError for a name that is none."""
        found = self.picture(name)
        (self.folder / found.name).unlink(missing_ok=True)
        with self._open() as rows:
            rows.execute("DELETE FROM picture WHERE name = ?", [found.name])

    def size(self) -> tuple[int, int]:
        """The number of pictures, and their bytes."""
        with self._open() as rows:
            return tuple(rows.execute("SELECT COUNT(*), COALESCE(SUM(bytes), 0) FROM picture").fetchone())

    def _over(self, rows: sqlite3.Connection, latest: str) -> list[str]:
        """The names of the oldest pictures without a star that are beyond the limit; never the latest, which
        is the oldest where the clock was put back.
        """
        total = rows.execute("SELECT SUM(bytes) FROM picture").fetchone()[0]
        oldest = "SELECT name, bytes FROM picture WHERE starred = 0 AND name != ? ORDER BY created"
        leaving = []
        for row in rows.execute(oldest, [latest]):
            if total <= self.limit:
                break
            leaving.append(row["name"])
            total -= row["bytes"]
        return leaving

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        try:
            with writable(self.folder):
                self.folder.mkdir(parents=True, exist_ok=True)
            with self._lock:
                if not self._checked:
                    self._agree()
                    self._checked = True
            with self._rows() as rows:
                yield rows
        except sqlite3.Error as error:
            raise UserError(f"The index of the history, {self.path}, cannot be used: {error}.") from error

    @contextmanager
    def _rows(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=WAITS, isolation_level=None)) as rows:
            rows.row_factory = sqlite3.Row
            rows.execute(SCHEMA)
            rows.execute("BEGIN IMMEDIATE")
            yield rows
            rows.execute("COMMIT")

    def _agree(self) -> None:
        """Let the index say what lies in the folders."""
        try:
            with self._rows() as rows:
                known = {row["name"] for row in rows.execute("SELECT name FROM picture")}
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):  # locked, or a full disk
                raise
            self.path.replace(self.path.with_suffix(".broken"))
            known = set()
        here = {path.relative_to(self.folder).as_posix() for path in self.folder.glob("*/*.png")}
        with self._rows() as rows:
            rows.executemany("DELETE FROM picture WHERE name = ?", [[name] for name in known - here])
            for name in sorted(here - known):
                # No picture of ours, or one that is there twice.
                with suppress(UserError, OSError, sqlite3.IntegrityError):
                    path = self.folder / name
                    settings = read_png_settings(path)
                    if settings is not None:
                        _add(rows, name, path.read_bytes(), settings, path.stat().st_mtime)


def _add(rows: sqlite3.Connection, name: str, png: bytes, settings: dict[str, Any], created: float) -> None:
    thumbnail = read_picture(png)
    thumbnail.thumbnail((SIDE, SIDE))
    found = read_picture_settings(settings, name)
    words = " ".join((found.prompt, found.model, *(each.id for each in found.loras)))
    digest, small = hashlib.sha256(png).hexdigest(), encoded(thumbnail, "WEBP", quality=85)
    columns = "(name, digest, created, words, settings, bytes, thumbnail)"
    values = [name, digest, created, words.casefold(), _text(settings), len(png), small]
    rows.execute(f"INSERT INTO picture {columns} VALUES (?, ?, ?, ?, ?, ?, ?)", values)


def _text(settings: dict[str, Any]) -> str:
    return json.dumps(settings, ensure_ascii=False)


def _kept(row: sqlite3.Row) -> Kept:
    settings, starred = json.loads(row["settings"]), bool(row["starred"])
    return Kept(row["name"], row["created"], settings, starred, row["thumbnail"])


def _plain(word: str) -> str:
    """A word as LIKE takes it to the letter."""
    return word.casefold().replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
