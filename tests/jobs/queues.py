"""Jobs of a test's own: real processes, to be waited for, held and killed."""

import sqlite3
from contextlib import closing, suppress
from pathlib import Path

import psutil

from rf_app.jobs import events, queue
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import find, has_ended
from rf_app.jobs.stage import FILES, TRAINING, LoopWork, Plan, Stage
from tests.settled import until

FOREVER = ("--steps", "100000", "--slow", "0.05")


def execute(database: Database, statement: str, *values: object) -> None:
    """A change by hand."""
    if database.path.exists():
        with closing(sqlite3.connect(database.path)) as rows, rows:
            rows.execute(statement, values)


def planned(folder: Path, *stages: tuple[str, ...], output: str = "x", kind: str = TRAINING) -> Plan:
    """A job whose stages are `tests.jobs.worker`s with these options."""
    made = []
    for number, options in enumerate(stages or ((),)):
        run, product = folder / f"run-{number}", folder / f"product-{number}"
        steps = int(options[options.index("--steps") + 1]) if "--steps" in options else 4
        made.append(
            Stage(
                title=f"Stage {number + 1}",
                module="tests.jobs.worker",
                arguments=("--run", str(run), "--product", str(product), *options),
                product=str(product),
                loops=(LoopWork("worker steps", str(run), steps, 1.0),),
            )
        )
    lane, wish = FILES, {"source": "somewhere"}
    if kind == TRAINING:
        lane, wish = TRAINING, Wish("reflow", "tiny-sd", output).as_json()
    return Plan(kind, lane, output, "", wish, tuple(made), 10.0, 1.0)


def add(database: Database, *stages: tuple[str, ...], **more: str) -> int:
    """Queue such a job, without starting it."""
    return database.add(lambda folder, others: planned(folder, *stages, **more)).id


def running(database: Database, id: int) -> psutil.Process | None:
    """The job's process, when it has written its first event."""
    job = database.job(id)
    loops = job.stages[min(job.stage, len(job.stages) - 1)].loops
    return find(job.pid, database.job_folder(id)) if events.read(Path(loops[0].run)) else None


def begun(database: Database, id: int) -> psutil.Process:
    """The job's process, once it has begun; the queue is looked at."""
    queue.look(database)
    until(lambda: running(database, id), "the start")
    return running(database, id)


def ended(database: Database, id: int, state: str = "done") -> Job:
    """The job when it is not under way any more; this is how it must have ended."""
    until(lambda: not database.job(id).under_way, f"the end of job {id}")
    job = database.job(id)
    assert job.state == state, job.said
    return job


def runner_of(database: Database) -> psutil.Process:
    """The one process that works the queue off."""
    (found,) = [
        process
        for process in psutil.process_iter(["cmdline"])
        if {"rf_app.jobs.runner", str(database.folder)} <= set(process.info["cmdline"] or ())
    ]
    return found


def end_runner(database: Database) -> None:
    """Kill it."""
    runner = runner_of(database)
    runner.kill()
    until(lambda: has_ended(runner))


def kill_all(folder: Path) -> None:
    """Kill every process in whose command the folder stands."""
    for process in psutil.process_iter(["cmdline"]):
        if str(folder) in " ".join(process.info["cmdline"] or ()):
            with suppress(psutil.NoSuchProcess):  # it was ending
                process.kill()
