"""What people do with jobs: start, stop, resume, move, delete. None of it is the work itself.

One process works the queue off, `rf_app.jobs.runner`. It holds a lock on a file, which the system lets go of
whenever that process ends, however it ends. So whoever looks (a page, a command) can tell if one is there,
put right what a kill has left behind, and start a new one. No page has to stay for a job to go on.
"""

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.log import LOG, last_words
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import ROOT, end_tree, find
from rf_app.jobs.stage import Plan, check_arguments, check_texts
from rf_app.registry.disk import DiskFull, link_or_copy


def look(database: Database) -> list[Job]:
    """All jobs, as they truly are, and a runner at work if there is something to run.

    A job that is noted as running though neither a runner nor its process lives is interrupted from now on,
    unless that process had finished its stage, or none had begun: then the next runner goes on. On a full
    disk nothing is noted or begun, and the jobs are seen all the same.
    """
    found = database.jobs()
    if not any(job.under_way for job in found):
        return found
    with suppress(OSError), _runner_lock(database) as lock:  # another holds it, or there is no room for one
        found = [
            interrupted(database, job) if job.state == "running" and cut_short(database, job) else job
            for job in database.jobs()
        ]
        if any(job.under_way for job in found):
            _start_runner(database, lock)
    return found


@contextmanager
def _runner_lock(database: Database) -> Iterator[int]:
    """Hold what a runner holds; raises BlockingIOError where one does."""
    lock = os.open(database.folder / "runner.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield lock
    finally:
        os.close(lock)


def cut_short(database: Database, job: Job) -> bool:
    """Whether a running job's process is gone without what it was to make."""
    gone = job.begun and find(job.pid, database.job_folder(job.id)) is None
    return gone and not job.stages[job.stage].finished


def interrupted(database: Database, job: Job) -> Job:
    """Note that a job's process is gone, with its last words; stopped, if somebody had asked for that."""
    words = last_words(database.job_folder(job.id)) or "It was ended from outside before it said anything."
    state, said = ("stopped", "") if job.stop else ("interrupted", words)
    with suppress(DiskFull):  # noted when there is room
        database.end(job, state, said)
    return replace(job, state=state, said=said)


def _start_runner(database: Database, lock: int) -> None:
    """Start the runner and hand the lock over: there is no moment at which two could start."""
    with (database.folder / "runner.log").open("ab") as log:
        runner = subprocess.Popen(
            [sys.executable, "-m", "rf_app.jobs.runner", str(database.folder), str(lock)],
            cwd=ROOT,
            pass_fds=[lock],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it outlives whoever started it
        )
    threading.Thread(target=runner.wait, daemon=True).start()  # so that no zombie stays of it


def start(database: Database, make: Callable[[Path], Plan]) -> Job:
    """Put a job at the end of its lane's queue, as make(its folder) plans it; see that it is worked off.

    Raises UserError naming what is wrong, and leaves nothing: a text that no command takes, a name that is
    taken or about to be.
    """
    made = None

    def checked(folder: Path, others: list[Job]) -> Plan:
        nonlocal made
        plan = make(folder)
        check_texts({"output": plan.output, "title": plan.title} | dict(plan.wish))
        check_arguments(plan.stages)
        check_free({stage.product for stage in plan.stages}, others)
        made = folder
        if plan.goes_on:
            left = shutil.ignore_patterns(LOG, *plan.anew)
            shutil.copytree(plan.goes_on, folder, ignore=left, copy_function=_taken_along)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in plan.files.items():
            (folder / name).write_text(text, encoding="utf-8")
        return plan

    try:
        job = database.add(checked)
    except UserError:
        if made:
            shutil.rmtree(made, ignore_errors=True)
        raise
    look(database)
    return job


def _taken_along(source: str, target: str) -> None:
    """Checkpoints and pairs as links, since they are replaced and never changed; events are appended to."""
    (shutil.copyfile if source.endswith(".jsonl") else link_or_copy)(Path(source), Path(target))


def check_free(products: set[str], jobs: list[Job]) -> None:
    """Raises UserError where what a job would make is there, or about to be."""
    for product in map(Path, products):
        if product.exists():
            raise UserError(f"There is already {product.name!r} in {product.parent}: choose another name.")
    for job in jobs:
        if job.under_way and products & {stage.product for stage in job.stages}:
            raise UserError(f"Job {job.id} is about to make {job.output!r}: choose another name.")


def check_unused(database: Database, id: str) -> None:
    """Raises UserError where a job that is not over begins with a model, or makes it."""
    for job in database.jobs():
        words = {word for stage in job.stages for word in stage.arguments}
        if job.under_way and id in words | {word.partition("=")[2] for word in words}:  # --model=ID
            raise UserError(f"Job {job.id} needs {id!r}: stop it first, or wait until it has ended.")


def stop(database: Database, id: int) -> None:
    """Ask a running job to save and stop, take a queued one out of the queue; raises UserError otherwise."""
    database.stop(id)
    look(database)


def resume(database: Database, id: int) -> None:
    """Put a job that did not finish at the end of the queue; it goes on where it was."""
    database.resume(id)
    look(database)


def delete(database: Database, id: int) -> None:
    """Forget a job and remove its folder, and what it has left unfinished. What it published stays.

    Files go first: that makes room, which a full disk needs before the job can be forgotten.
    """
    job = database.job(id)
    if job.state == "running" and not cut_short(database, job):
        raise UserError(f"Job {id} is running: stop it first.")
    if job.state == "queued":
        with suppress(DiskFull):  # which keeps a runner, too, from beginning it
            database.stop(id)
    if process := find(job.pid, database.job_folder(id)):  # of a damaged one
        end_tree(process)
    used = {folder for each in database.jobs() if each.id != id for folder in beside(database, each)}
    for folder in {database.job_folder(id), *beside(database, job)} - used:
        shutil.rmtree(folder, ignore_errors=True)
    database.remove(id)


def beside(database: Database, job: Job) -> set[Path]:
    """The folders outside a job's own that go with it: uploaded pictures, and what is unfinished."""
    found = {Path(stage.unfinished) for stage in job.stages if stage.unfinished}
    if isinstance(job.wish, Wish) and Path(job.wish.images).parent == database.pictures:
        found.add(Path(job.wish.images))
    return found
