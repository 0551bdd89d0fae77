"""The jobs' database: one SQLite file in the user's folder, read and written by any number of processes.

A connection lives for one call, and each change of a job's state is one transaction, so a kill at any moment
leaves the state before the call or after it. Reading writes nothing: a full disk does not hinder it. Who may
run jobs is decided elsewhere (`rf_app.jobs.queue`); here are the facts.
"""

import json
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.jobs.job import Job, from_row
from rf_app.jobs.stage import Plan
from rf_app.registry.disk import FULL, DiskFull, existing_parent
from rf_app.settings.home import home

WAITS = 10.0  # seconds for another process's write
RESUMABLE = ("stopped", "interrupted", "failed")
VERSION = 3
NO_ROOM = ("database or disk is full", "disk I/O error")  # as SQLite says it, by what the system refuses
LAST = "(SELECT COALESCE(MAX(place), 0) + 1 FROM job)"  # the place at the end of the queue
SCHEMA = """
CREATE TABLE job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  kind TEXT NOT NULL, lane TEXT NOT NULL, output TEXT NOT NULL, title TEXT NOT NULL,
  wish TEXT NOT NULL, stages TEXT NOT NULL, seconds REAL NOT NULL, size REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued', place INTEGER NOT NULL, stage INTEGER NOT NULL DEFAULT 0,
  stop INTEGER NOT NULL DEFAULT 0, begun INTEGER NOT NULL DEFAULT 0, pid INTEGER,
  created REAL NOT NULL, began REAL, ended REAL, busy REAL NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT ''
);
CREATE TABLE rate (
  key TEXT NOT NULL, size REAL NOT NULL, value REAL NOT NULL, PRIMARY KEY (key, size)
)
"""
# Version 1 knew trainings only, and could be killed between a job's last stage and its end.
FROM_1 = """
ALTER TABLE job ADD COLUMN kind TEXT NOT NULL DEFAULT 'training';
ALTER TABLE job ADD COLUMN lane TEXT NOT NULL DEFAULT 'training';
ALTER TABLE job ADD COLUMN output TEXT NOT NULL DEFAULT '';
ALTER TABLE job ADD COLUMN title TEXT NOT NULL DEFAULT '';
UPDATE job SET
  output = CASE WHEN json_valid(wish) THEN COALESCE(json_extract(wish, '$.output'), '') ELSE '' END,
  title = CASE WHEN json_valid(wish) THEN COALESCE(json_extract(wish, '$.title'), '') ELSE '' END;
UPDATE job SET state = 'done', ended = COALESCE(ended, began) WHERE state = 'running'
  AND stage = json_array_length(CASE WHEN json_valid(stages) THEN stages ELSE '[0]' END) AND stage > 0;
"""
# Version 2 knew by the pid whether a stage had begun: it was 0 after a pause.
FROM_2 = """
ALTER TABLE job ADD COLUMN begun INTEGER NOT NULL DEFAULT 0;
UPDATE job SET begun = pid IS NOT NULL, pid = NULLIF(pid, 0)
"""


def _version(rows: sqlite3.Connection) -> int:
    return rows.execute("PRAGMA user_version").fetchone()[0]


def _prepare(rows: sqlite3.Connection) -> None:
    """Make the tables, or those of this version from older ones, unless that is done."""
    if _version(rows) > VERSION:
        raise sqlite3.NotSupportedError(
            f"it is of version {_version(rows)}, and this program knows up to {VERSION}: update the "
            "program, or move that file away"
        )
    if _version(rows) == VERSION:
        return
    with suppress(sqlite3.OperationalError):  # what is open elsewhere stays as version 1 had it, and works
        rows.execute("PRAGMA journal_mode = DELETE")  # for a reader needs no file beside this one
    rows.execute("BEGIN IMMEDIATE")
    version = _version(rows)  # another process may have been quicker
    if version < VERSION:
        for statement in {0: SCHEMA, 1: FROM_1 + FROM_2, 2: FROM_2}[version].split(";"):
            rows.execute(statement)
        rows.execute(f"PRAGMA user_version = {VERSION}")
    rows.execute("COMMIT")


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
            if write:
                self.folder.mkdir(parents=True, exist_ok=True)
            path = self.path if write or self.path.exists() else ":memory:"
            with closing(sqlite3.connect(path, timeout=WAITS, isolation_level=None)) as rows:
                rows.row_factory = sqlite3.Row
                rows.text_factory = lambda text: text.decode("utf-8", "backslashreplace")
                _prepare(rows)
                rows.execute("BEGIN IMMEDIATE" if write else "BEGIN")
                yield rows
                rows.execute("COMMIT")
        except (sqlite3.DatabaseError, OSError) as error:
            said = f"The jobs' database {self.path} cannot be used: {error}"
            if str(error) not in NO_ROOM and getattr(error, "errno", None) not in FULL:
                raise UserError(f"{said}.") from error
            free = shutil.disk_usage(existing_parent(self.folder)).free / 2**20
            raise DiskFull(f"{said} ({free:.0f} MiB free). Make room, or delete a job.") from error

    def add(self, make: Callable[[Path, list[Job]], Plan]) -> Job:
        """A job at the end of the queue.

        make(folder, others) plans it, for its own folder and beside the other jobs; if it raises, there is
        no job.
        """
        with self._open(write=True) as rows:
            last = rows.execute("SELECT seq FROM sqlite_sequence WHERE name = 'job'").fetchone()
            # Those of a database that was here before lie there, too.
            folders = [int(each.name) for each in self.folder.iterdir() if each.name.isdecimal()]
            id = max([last["seq"] if last else 0, *folders]) + 1
            plan = make(self.job_folder(id), _all(rows))
            values = {
                "id": id,
                "kind": plan.kind,
                "lane": plan.lane,
                "output": plan.output,
                "title": plan.title,
                "wish": json.dumps(dict(plan.wish)),
                "stages": json.dumps([asdict(stage) for stage in plan.stages]),
                "seconds": plan.seconds,
                "size": plan.size,
                "created": time.time(),
            }
            marks = ", ".join("?" * len(values))
            rows.execute(
                f"INSERT INTO job ({', '.join(values)}, place) VALUES ({marks}, {LAST})", [*values.values()]
            )
            return _found(rows, id)

    def jobs(self) -> list[Job]:
        """All of them: running, queued in their order, then the others, the latest first."""
        with self._open() as rows:
            return _all(rows)

    def job(self, id: int) -> Job:
        """One of them; raises UserError with the numbers there are."""
        with self._open() as rows:
            return _found(rows, id)

    def claim(self, lane: str) -> Job | None:
        """The first of a lane's queue, from now on running; None where it is empty."""
        with self._open(write=True) as rows:
            for job in _all(rows):
                if job.state == "queued" and job.lane == lane:
                    began = job.began or time.time()
                    _set(rows, job.id, state="running", stop=0, said="", ended=None, began=began)
                    return _found(rows, job.id)
        return None

    def note_process(self, id: int, pid: int) -> None:
        """The process that a running job's stage has now."""
        with self._open(write=True) as rows:
            _set(rows, id, begun=1, pid=pid)

    def finish_stage(self, job: Job, seconds: float) -> Job | None:
        """One more stage of a job is finished, after so many seconds: with the last one, it is done.

        The job as it is now, None where it is gone.
        """
        with self._open(write=True) as rows:
            end = {"state": "done", "ended": time.time()} if job.stage + 1 == len(job.stages) else {}
            busy = job.busy + seconds
            _set(rows, job.id, stage=job.stage + 1, begun=0, pid=None, busy=busy, **end)
            return next((each for each in _all(rows) if each.id == job.id), None)

    def end(self, job: Job, state: str, said: str, seconds: float = 0.0) -> None:
        """A running job has ended before it was done: its state and last words."""
        with self._open(write=True) as rows:
            _set(rows, job.id, state=state, said=said, ended=time.time(), busy=job.busy + seconds)

    def stop(self, id: int) -> None:
        """Ask a running job to stop, take a queued one out of the queue; raises UserError otherwise."""
        with self._open(write=True) as rows:
            job = _found(rows, id)
            if not job.under_way:
                raise UserError(f"Job {id} is {job.state}; only a running or queued one can be stopped.")
            if job.state == "queued":
                _set(rows, id, state="stopped", said="Taken out of the queue.")
            else:
                _set(rows, id, stop=1)

    def resume(self, id: int) -> None:
        """Put a job that did not finish at the end of the queue; raises UserError for another."""
        with self._open(write=True) as rows:
            job = _found(rows, id)
            if job.state not in RESUMABLE:
                raise UserError(
                    f"Job {id} is {job.state}; only one that is {' or '.join(RESUMABLE)} can be resumed."
                )
            stage = job.stages[job.stage]
            # What is there by now may be another's, who took the name: then it goes on, and says so itself.
            own = stage.finished and job.ended and Path(stage.product).stat().st_mtime <= job.ended
            _set(rows, id, state="queued", stop=0, said="", pid=job.pid if own else None)
            rows.execute(f"UPDATE job SET place = {LAST} WHERE id = ?", (id,))

    def move(self, id: int, up: bool) -> None:
        """Let a queued job change places with the one before it in its lane, or after it."""
        with self._open(write=True) as rows:
            job = _found(rows, id)
            if job.state != "queued":
                raise UserError(f"Job {id} is {job.state}; only a queued one can be moved.")
            line = [each for each in _all(rows) if each.state == "queued" and each.lane == job.lane]
            other = line.index(job) + (-1 if up else 1)
            if 0 <= other < len(line):
                _set(rows, id, place=line[other].place)
                _set(rows, line[other].id, place=job.place)

    def remove(self, id: int) -> None:
        """Forget a job; a runner that works on it ends its process."""
        with self._open(write=True) as rows:
            rows.execute("DELETE FROM job WHERE id = ?", (id,))

    def measured(self, key: str, size: float, value: float) -> None:
        """Remember what was measured with a model of a size; the latest counts."""
        with self._open(write=True) as rows:
            rows.execute("INSERT OR REPLACE INTO rate VALUES (?, ?, ?)", (key, size, value))

    def rates(self, key: str) -> dict[float, float]:
        """What was measured, by size of the model."""
        with self._open() as rows:
            sound = "typeof(size) = 'real' AND typeof(value) = 'real' AND value >= 0"
            found = rows.execute(f"SELECT size, value FROM rate WHERE key = ? AND {sound}", (key,))
            return dict(found.fetchall())


def _all(rows: sqlite3.Connection) -> list[Job]:
    order = {"running": 0, "queued": 1}
    return sorted(
        (from_row(dict(row)) for row in rows.execute("SELECT * FROM job")),
        key=lambda job: (order.get(job.state, 2), job.place if job.state == "queued" else -job.id),
    )


def _found(rows: sqlite3.Connection, id: int) -> Job:
    jobs = {job.id: job for job in _all(rows)}
    if id not in jobs:
        known = ", ".join(map(str, sorted(jobs))) or "none yet"
        raise UserError(f"There is no job {id!r:.20}. Jobs: {known}.")
    return jobs[id]


def _set(rows: sqlite3.Connection, id: int, **columns: Any) -> None:
    names = ", ".join(f"{name} = ?" for name in columns)
    rows.execute(f"UPDATE job SET {names} WHERE id = ?", (*columns.values(), id))
