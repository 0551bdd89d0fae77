"""The jobs' database: one SQLite file in the user's folder, read and written by any number of processes.

A connection lives for one call, so a kill at any moment leaves the state before the call or after it. Who may
run jobs is decided elsewhere (`rf_app.jobs.queue`); here are the facts.
"""

import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.jobs.plan import Stage, Wish
from rf_app.registry.disk import locked
from rf_app.settings.home import home

WAITS = 10.0  # seconds for another process's write
STATES = ("queued", "running", "done", "stopped", "interrupted", "failed")
SCHEMA = """
CREATE TABLE IF NOT EXISTS job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wish TEXT NOT NULL, stages TEXT NOT NULL, seconds REAL NOT NULL, size REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued', place INTEGER NOT NULL, stage INTEGER NOT NULL DEFAULT 0,
  stop INTEGER NOT NULL DEFAULT 0, pid INTEGER, pid_created REAL,
  created REAL NOT NULL, began REAL, ended REAL, busy REAL NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT ''
);
CREATE TABLE IF NOT EXISTS rate (
  key TEXT NOT NULL, size REAL NOT NULL, value REAL NOT NULL, PRIMARY KEY (key, size)
);
"""


@dataclass(frozen=True)
class Job:
    """One row. seconds: the estimate at its start; size: see `estimate.ModelSize.work`.

    busy: the seconds its processes have taken, without pauses.
    """

    id: int
    wish: Wish
    stages: tuple[Stage, ...]
    seconds: float
    size: float
    state: str  # one of STATES
    place: int  # in the queue, the lowest first
    stage: int  # the number of stages that have finished
    stop: bool  # somebody asked for it
    pid: int | None  # of the stage's process, and when that began: a pid is used again
    pid_created: float | None
    created: float
    began: float | None
    ended: float | None
    busy: float
    said: str  # the last words, of a job that did not end well

    @property
    def under_way(self) -> bool:
        """Whether there is something to run."""
        return self.state in ("running", "queued")


def _is_new(connection: sqlite3.Connection) -> bool:
    return connection.execute("PRAGMA user_version").fetchone()[0] == 0


class Database:
    """Jobs and measured rates in `jobs/jobs.sqlite3` of the user's folder."""

    def __init__(self, folder: Path | None = None):
        """folder: of the database and of the jobs' own folders (default: jobs/ in the user's)."""
        self.folder = folder or home() / "jobs"
        self.path = self.folder / "jobs.sqlite3"
        self.pictures = self.folder / "pictures"  # uploaded ones, a folder for each set

    def job_folder(self, id: int) -> Path:
        """Where a job keeps its log, pairs, checkpoints and samples."""
        return self.folder / str(id)

    @contextmanager
    def _open(self, write: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self.path, timeout=WAITS, isolation_level=None)) as connection:
                connection.row_factory = sqlite3.Row
                if _is_new(connection):
                    with locked(self.folder, WAITS):  # SQLite does not wait for the change to WAL
                        if _is_new(connection):
                            connection.execute("PRAGMA journal_mode = WAL")
                            connection.executescript(SCHEMA + "PRAGMA user_version = 1;")
                connection.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield connection
                connection.execute("COMMIT")
        except (sqlite3.DatabaseError, OSError) as error:
            raise UserError(f"The jobs' database {self.path} cannot be used: {error}.") from error

    def add(self, wish: Wish, size: float, prepare: Callable[[Path], tuple[tuple[Stage, ...], float]]) -> int:
        """A job at the end of the queue; its number.

        prepare(folder) fills the job's own folder and returns its stages and how many seconds they may take.
        If it raises, there is no job.
        """
        with self._open(write=True) as rows:
            place = rows.execute("SELECT COALESCE(MAX(place), 0) + 1 FROM job").fetchone()[0]
            id = rows.execute(
                "INSERT INTO job (wish, stages, seconds, size, place, created) VALUES (?, '[]', 0, ?, ?, ?)",
                (json.dumps(wish.as_json()), size, place, time.time()),
            ).lastrowid
            stages, seconds = prepare(self.job_folder(id))
            text = json.dumps([asdict(stage) for stage in stages])
            rows.execute("UPDATE job SET stages = ?, seconds = ? WHERE id = ?", (text, seconds, id))
            return id

    def jobs(self) -> list[Job]:
        """All of them: running, queued in their order, then the others, the latest first."""
        with self._open() as rows:
            found = [_job(row) for row in rows.execute("SELECT * FROM job")]
        order = {"running": 0, "queued": 1}
        return sorted(
            found, key=lambda job: (order.get(job.state, 2), job.place if job.state == "queued" else -job.id)
        )

    def job(self, id: int) -> Job:
        """One of them; raises UserError with the numbers there are."""
        found = {job.id: job for job in self.jobs()}
        if id not in found:
            known = ", ".join(map(str, sorted(found))) or "none yet"
            raise UserError(f"There is no job {id!r:.20}. Jobs: {known}.")
        return found[id]

    def change(self, id: int, only_if: tuple[str, ...] = (), **columns: Any) -> bool:
        """Set columns of a job, if its state is one of `only_if`; whether that was so."""
        names = ", ".join(f"{name} = ?" for name in columns)
        where = f" AND state IN ({', '.join('?' * len(only_if))})" if only_if else ""
        with self._open(write=True) as rows:
            done = rows.execute(
                f"UPDATE job SET {names} WHERE id = ?{where}", (*columns.values(), id, *only_if)
            )
            return done.rowcount == 1

    def claim(self) -> Job | None:
        """The first of the queue, from now on running; None where it is empty."""
        with self._open(write=True) as rows:
            row = rows.execute("SELECT id FROM job WHERE state = 'queued' ORDER BY place LIMIT 1").fetchone()
            if row is None:
                return None
            rows.execute(
                "UPDATE job SET state = 'running', stop = 0, said = '', ended = NULL,"
                " began = COALESCE(began, ?) WHERE id = ?",
                (time.time(), row["id"]),
            )
            return _job(rows.execute("SELECT * FROM job WHERE id = ?", (row["id"],)).fetchone())

    def swap(self, id: int, other: int) -> None:
        """Let two jobs change places in the queue."""
        with self._open(write=True) as rows:
            places = dict(
                rows.execute("SELECT id, place FROM job WHERE id IN (?, ?)", (id, other)).fetchall()
            )
            for one, two in ((id, other), (other, id)):
                rows.execute("UPDATE job SET place = ? WHERE id = ?", (places[two], one))

    def back_in_line(self, id: int, only_if: tuple[str, ...]) -> bool:
        """Put a job at the end of the queue, if its state allows; whether it did."""
        with self._open(write=True) as rows:
            place = rows.execute("SELECT MAX(place) + 1 FROM job").fetchone()[0]
            done = rows.execute(
                "UPDATE job SET state = 'queued', stop = 0, said = '', place = ?"
                f" WHERE id = ? AND state IN ({', '.join('?' * len(only_if))})",
                (place, id, *only_if),
            )
            return done.rowcount == 1

    def remove(self, id: int, unless: tuple[str, ...] = ()) -> bool:
        """Forget a job; whether it was there in another state than those of `unless`."""
        where = f" AND state NOT IN ({', '.join('?' * len(unless))})" if unless else ""
        with self._open(write=True) as rows:
            return rows.execute(f"DELETE FROM job WHERE id = ?{where}", (id, *unless)).rowcount == 1

    def measured(self, key: str, size: float, value: float) -> None:
        """Remember what was measured with a model of a size; the latest counts."""
        with self._open(write=True) as rows:
            rows.execute("INSERT OR REPLACE INTO rate VALUES (?, ?, ?)", (key, size, value))

    def rates(self, key: str) -> dict[float, float]:
        """What was measured, by size of the model."""
        with self._open() as rows:
            return dict(rows.execute("SELECT size, value FROM rate WHERE key = ?", (key,)).fetchall())


def _job(row: sqlite3.Row) -> Job:
    values = dict(row) | {
        "wish": Wish(**json.loads(row["wish"])),
        "stages": tuple(map(Stage.from_json, json.loads(row["stages"]))),
        "stop": bool(row["stop"]),
    }
    return Job(**values)
