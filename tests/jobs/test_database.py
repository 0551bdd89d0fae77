"""What a kill between any two transactions leaves, rows spoiled by hand, older databases, a full disk."""

import json
import random
import sqlite3
import time
from contextlib import closing
from dataclasses import asdict
from pathlib import Path

import psutil
import pytest

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import VERSION, Database
from rf_app.jobs.processes import has_ended
from rf_app.jobs.progress import progress
from rf_app.jobs.stage import TRAINING
from rf_app.jobs.words import state_in_words, work_in_words
from rf_app.registry.disk import DiskFull
from tests.full_disk import full_disk
from tests.jobs.queues import FOREVER, add, begun, ended, execute, planned, running
from tests.jobs.test_command import jobs
from tests.settled import until

GONE = 2**22 + 1  # no process has this number: Linux gives none as high
VERSION_1 = """
CREATE TABLE job (
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  wish TEXT NOT NULL, stages TEXT NOT NULL, seconds REAL NOT NULL, size REAL NOT NULL,
  state TEXT NOT NULL DEFAULT 'queued', place INTEGER NOT NULL, stage INTEGER NOT NULL DEFAULT 0,
  stop INTEGER NOT NULL DEFAULT 0, pid INTEGER, pid_created REAL,
  created REAL NOT NULL, began REAL, ended REAL, busy REAL NOT NULL DEFAULT 0, said TEXT NOT NULL DEFAULT ''
);
CREATE TABLE rate (key TEXT NOT NULL, size REAL NOT NULL, value REAL NOT NULL, PRIMARY KEY (key, size));
PRAGMA user_version = 1;
"""


def after(database: Database, id: int, transactions: int) -> None:
    """What the runner leaves that works on a job of two stages, killed after so many transactions."""
    product = [Path(stage.product) for stage in database.job(id).stages]
    acts = [
        lambda: database.claim(TRAINING),
        lambda: database.note_process(id, GONE),
        lambda: product[0].write_text("whole"),  # the process's own work, not the runner's
        lambda: database.finish_stage(database.job(id), 1.0),
        lambda: database.note_process(id, GONE),
        lambda: product[1].write_text("whole"),
        lambda: database.finish_stage(database.job(id), 1.0),
    ]
    database.job_folder(id).mkdir(exist_ok=True)
    for act in acts[:transactions]:
        act()


@pytest.mark.parametrize("transactions", range(8))
def test_after_any_transaction_a_job_goes_on_or_can_be_resumed(database: Database, transactions: int) -> None:
    id = add(database, (), ())
    after(database, id, transactions)
    (job,) = queue.look(database)
    # Where its process is gone without its product, somebody has to say that it should go on.
    assert (job.state == "interrupted") == (transactions in (2, 5))
    if job.state == "interrupted":
        queue.resume(database, id)
    ended(database, id)
    assert database.job(id).stage == 2
    assert not any(job.state == "damaged" for job in database.jobs())


@pytest.mark.parametrize("asked", [False, True])
def test_one_that_was_asked_to_stop_is_stopped_whoever_was_killed(database: Database, asked: bool) -> None:
    id = add(database)
    after(database, id, 2)
    if asked:
        database.stop(id)
    assert queue.look(database)[0].state == ("stopped" if asked else "interrupted")


def test_whenever_a_runner_is_killed_its_job_gets_done(database: Database) -> None:
    chance, kills = random.Random(0), 0
    while kills < 12 or any(job.state != "done" for job in database.jobs()):
        if not any(job.under_way for job in database.jobs()):
            add(database, *[("--steps", "2", "--slow", "0.02")] * 4)
        for job in queue.look(database):
            assert job.state != "damaged", job.said
            if job.state == "interrupted":
                queue.resume(database, job.id)
        time.sleep(chance.random() * 0.7)
        for process in psutil.process_iter(["cmdline"]):
            words = set(process.info["cmdline"] or ())
            if kills < 12 and {"rf_app.jobs.runner", str(database.folder)} <= words:
                process.kill()
                kills += 1
    assert all(job.stage == 4 for job in database.jobs())


SPOILED = {
    "another version's state": "state = 'paused'",
    "a stage out of range": "state = 'running', stage = 1",
    "a stage below": "stage = -1",
    "a stage that is no number": "stage = 'one'",
    "done too early": "state = 'done'",
    "a wish that is no JSON": "wish = '{'",
    "a wish of another version": """wish = '{"recipe": "a", "teacher": "a", "output": "b", "more": 1}'""",
    "a wish with another type": """wish = '{"recipe": "reflow", "teacher": 5, "output": "b"}'""",
    "a wish that lacks something": """wish = '{"recipe": "reflow"}'""",
    "a wish that is a list": "wish = '[]'",
    "nested without end": f"wish = '{'[' * 100_000}'",
    "bytes": "wish = x'ff00'",
    "text that is no UTF-8": "title = CAST(x'ff' AS TEXT), stages = CAST(x'5bff' AS TEXT)",
    "a surrogate": """wish = '{"recipe": "reflow", "teacher": "\\ud800", "output": "b"}'""",
    "no stages": "stages = '[]'",
    "stages that are none": "stages = '[{}]'",
    "stages that are text": """stages = '"stage"'""",
    "a lane nobody works": "lane = 'measuring'",
    "a place that is none": "place = 'first'",
    "a time that is none": "created = 'yesterday'",
    "a pid that is none": "pid = 'many'",
}


@pytest.mark.parametrize("change", SPOILED.values(), ids=SPOILED.keys())
def test_a_spoiled_row_is_shown_and_deleted_and_hinders_no_other(database: Database, change: str) -> None:
    spoiled, sound = add(database, output="bad"), add(database, output="good")
    execute(database, f"UPDATE job SET {change} WHERE id = ?", spoiled)
    found = {job.id: job for job in queue.look(database)}
    assert found[spoiled].state == "damaged"
    assert "written by another version of this program, or is damaged: " in found[spoiled].said
    assert progress(database, found[spoiled]).share == 0
    assert f"{state_in_words(found[spoiled])} {work_in_words(found[spoiled])}".encode()
    ended(database, sound)
    for act in (queue.stop, queue.resume, lambda database, id: database.move(id, up=True)):
        with pytest.raises(UserError, match=f"Job {spoiled} is damaged"):
            act(database, spoiled)
    queue.check_unused(database, "good")
    queue.delete(database, spoiled)
    assert [job.id for job in database.jobs()] == [sound]


def test_every_command_does_with_a_spoiled_row(database: Database, tmp_path: Path) -> None:
    spoiled, sound = add(database, output="bad"), add(database, FOREVER, output="good")
    execute(database, "UPDATE job SET wish = '{', stage = 7 WHERE id = ?", spoiled)
    code, said = jobs(tmp_path, "list")
    assert (code, "damaged" in said, "bad" in said) == (0, True, True)
    code, said = jobs(tmp_path, "show", spoiled)
    assert (code, "written by another version of this program, or is damaged" in said) == (0, True)
    until(lambda: running(database, sound), "the start")
    assert jobs(tmp_path, "stop", spoiled)[0] == 2
    assert jobs(tmp_path, "delete", spoiled, "--yes") == (0, "")
    assert jobs(tmp_path, "stop", sound) == (0, "")


def test_a_row_spoiled_while_it_runs_is_deleted_with_its_process(database: Database) -> None:
    id, next_one = add(database, FOREVER), add(database)
    process = begun(database, id)
    execute(database, "UPDATE job SET stages = 'x' WHERE id = ?", id)
    queue.delete(database, id)
    assert has_ended(process)
    ended(database, next_one)


def test_a_table_of_another_version(database: Database) -> None:
    """One more column is none of ours; without one of ours no row can be read."""
    add(database)
    execute(database, "ALTER TABLE job ADD COLUMN priority INTEGER")
    assert [job.state for job in database.jobs()] == ["queued"]
    execute(database, "ALTER TABLE job DROP COLUMN busy")
    (job,) = queue.look(database)
    assert (job.state, "it lacks 'busy'" in job.said) == ("damaged", True)
    queue.delete(database, job.id)
    assert database.jobs() == []


def version_1(database: Database) -> list[int]:
    """A database as version 1 made it; the ids of its jobs."""
    folder = database.folder
    folder.mkdir()
    with closing(sqlite3.connect(database.path)) as rows:
        rows.execute("PRAGMA journal_mode = WAL")
        rows.executescript(VERSION_1)
        rows.execute("INSERT INTO rate VALUES ('reflow steps', 1.0, 0.5)")
        for id in range(1, 6):
            plan = planned(folder / str(id), ("--steps", "3"), output=f"mine-{id}")
            stages = [
                {k: v for k, v in vars(stage).items() if k != "unfinished"}
                | {"loops": list(map(vars, stage.loops))}
                for stage in plan.stages
            ]
            rows.execute(
                "INSERT INTO job (wish, stages, seconds, size, place, created) VALUES (?, ?, 9.0, 1.0, ?, ?)",
                (json.dumps(plan.wish), json.dumps(stages), id, 2.0),
            )
        rows.execute("UPDATE job SET state = 'stopped', pid = 7, pid_created = 8.0, said = 'x' WHERE id = 1")
        rows.execute("UPDATE job SET state = 'done', stage = 1, busy = 3.5, ended = 9.0 WHERE id = 2")
        rows.execute("UPDATE job SET state = 'running', stage = 1 WHERE id = 3")  # killed there
        rows.execute("UPDATE job SET wish = '{' WHERE id = 4")
        rows.commit()
    return [1, 2, 3, 4, 5]


def test_a_database_of_version_1_is_read_as_it_was(database: Database) -> None:
    ids = version_1(database)
    found = {job.id: job for job in database.jobs()}
    assert [found[id].state for id in ids] == ["stopped", "done", "done", "damaged", "queued"]
    assert {job.kind for job in found.values()} == {TRAINING}
    assert [found[id].output for id in ids] == ["mine-1", "mine-2", "mine-3", "", "mine-5"]
    assert (found[1].pid, found[1].said, found[2].busy, found[1].wish.teacher) == (7, "x", 3.5, "tiny-sd")
    assert [found[id].begun for id in (1, 5)] == [True, False]
    assert database.rates("reflow steps") == {1.0: 0.5}
    queue.resume(database, 1)
    ended(database, 1)
    assert add(database) == 6


def test_a_database_of_version_2_knew_by_the_pid_what_had_begun(database: Database) -> None:
    ids = [add(database) for _ in range(3)]
    execute(database, "ALTER TABLE job DROP COLUMN begun")
    for id, pid in zip(ids, (None, 0, 7), strict=True):
        execute(database, "UPDATE job SET pid = ? WHERE id = ?", pid, id)
    execute(database, "PRAGMA user_version = 2")
    assert [(job.begun, job.pid) for job in database.jobs()] == [(False, None), (True, None), (True, 7)]


def test_a_new_database_leaves_the_folders_of_the_one_before_alone(database: Database) -> None:
    database.job_folder(add(database)).mkdir()
    database.path.unlink()
    assert add(database) == 2


def test_a_job_that_cannot_be_noted_leaves_no_folder(database: Database) -> None:
    id = add(database) + 1
    with full_disk(0), pytest.raises(DiskFull):
        queue.start(database, planned)
    assert not database.job_folder(id).exists()


def test_a_migration_is_whole_or_has_not_been(database: Database) -> None:
    """One that cannot end, here for a column that is there already, leaves version 1 as it was."""
    version_1(database)
    execute(database, "ALTER TABLE job ADD COLUMN title TEXT")
    with pytest.raises(UserError, match="duplicate column name: title"):
        database.jobs()
    with closing(sqlite3.connect(database.path)) as rows:
        assert rows.execute("PRAGMA user_version").fetchone() == (1,)
        assert "kind" not in {row[1] for row in rows.execute("PRAGMA table_info(job)")}


def test_reading_writes_nothing(database: Database, tmp_path: Path) -> None:
    assert Database(tmp_path / "none").jobs() == []
    assert not (tmp_path / "none").exists()
    add(database)
    before = {path: path.stat().st_mtime_ns for path in database.folder.iterdir()}
    database.jobs()
    database.rates("x")
    assert (
        {path: path.stat().st_mtime_ns for path in database.folder.iterdir()}
        == before
        == {database.path: before[database.path]}
    )


def test_a_stage_of_an_earlier_version_knew_of_bfloat16(database: Database) -> None:
    id = add(database, ())
    stages = [asdict(stage) | {"bfloat16": True} for stage in database.job(id).stages]
    execute(database, "UPDATE job SET stages = ?", json.dumps(stages))
    queue.look(database)
    ended(database, id)


@pytest.fixture
def full(database: Database):
    """On a full disk, a job whose process and runner are gone, and two that wait."""
    ids = [add(database) for _ in range(3)]
    after(database, ids[0], 2)
    with full_disk(0):
        yield ids


def test_on_a_full_disk_jobs_are_seen(database: Database, full: list[int]) -> None:
    killed, *waiting = full
    assert [(job.id, job.state) for job in queue.look(database)] == [
        (killed, "interrupted"),
        *((id, "queued") for id in waiting),
    ]
    assert database.job(killed).state == "running"  # noted is that when there is room
    for act in (queue.stop, lambda database, id: database.move(id, up=True)):
        with pytest.raises(DiskFull, match=r"cannot be used: .* MiB free\). Make room, or delete a job"):
            act(database, waiting[1])


@pytest.mark.parametrize("which", [0, 1])
def test_on_a_full_disk_a_deleted_job_makes_room(database: Database, full: list[int], which: int) -> None:
    """Its folder goes, though that it is gone cannot be noted; once there is room, it is forgotten."""
    id = full[which]
    database.job_folder(id).mkdir(exist_ok=True)
    with pytest.raises(DiskFull):
        queue.delete(database, id)
    assert not database.job_folder(id).exists()
    with full_disk(2**20):
        queue.delete(database, id)
    assert id not in [job.id for job in database.jobs()]


def test_a_database_of_a_newer_version_says_so(database: Database, tmp_path: Path) -> None:
    add(database)
    execute(database, f"PRAGMA user_version = {VERSION + 1}")
    for act in (database.jobs, lambda: add(database)):
        with pytest.raises(
            UserError, match=f"of version {VERSION + 1}, and this program knows up to {VERSION}"
        ):
            act()
    code, said = jobs(tmp_path, "list")
    assert (code, "update the program, or move that file away." in said) == (2, True)
