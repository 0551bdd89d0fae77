"""What people do with jobs: start, stop, resume, move, delete. None of it trains.

One process works the queue off, `rf_app.jobs.runner`. It holds a lock on a file, which the system lets go of
whenever that process ends, however it ends. So whoever looks (a page, a command) can tell if one is there,
put right what a kill has left behind, and start a new one. No page has to stay for a job to go on.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from rf_app.errors import UserError
from rf_app.jobs.database import Database, Job
from rf_app.jobs.estimate import ModelSize, Needs, check_disk, estimate, size_of
from rf_app.jobs.log import last_words
from rf_app.jobs.plan import Stage, Wish, check_prompts, stages
from rf_app.jobs.processes import ROOT, find
from rf_app.settings.recipes import recipe

if TYPE_CHECKING:  # it imports PyTorch, which the runner does without
    from rf_app.registry.folders import Registry

NAMES = {
    "images": "captioned pictures",
    "pairs": "a folder of pairs",
    "prompts": "prompts",
    "style": "a style",
}
RESUMABLE = ("stopped", "interrupted", "failed")


def look(database: Database) -> list[Job]:
    """All jobs, as they truly are, and a runner at work if there is something to run.

    A job that is noted as running though neither a runner nor its process lives is interrupted from now on,
    unless that process had finished its stage: then the next runner goes on with the next.
    """
    found = database.jobs()
    if not any(job.under_way for job in found):
        return found
    lock = os.open(database.folder / "runner.lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        for job in database.jobs():
            if job.state == "running" and cut_short(job):
                interrupted(database, job)
        found = database.jobs()
        if any(job.under_way for job in found):
            _start_runner(database, lock)
    except BlockingIOError:
        pass  # a runner is there
    finally:
        os.close(lock)
    return found


def cut_short(job: Job) -> bool:
    """Whether a running job's process is gone without what it was to make."""
    return find(job.pid, job.pid_created) is None and not Path(job.stages[job.stage].product).exists()


def interrupted(database: Database, job: Job) -> None:
    """Note that a job's process is gone, with its last words."""
    words = last_words(database.job_folder(job.id)) or "It was ended from outside before it said anything."
    database.change(job.id, ("running",), state="interrupted", said=words)


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


def needs(database: Database, wish: Wish, registry: Registry) -> Needs:
    """What a wish would take; raises UserError naming what is wrong with it."""
    return estimate(database, _stages(wish, registry, database.folder / "new"), _size(wish, registry))


def start(database: Database, wish: Wish, registry: Registry) -> Job:
    """Put a job at the end of the queue, which publishes into the last folder; see that it is worked off.

    Raises UserError naming what is wrong, and leaves nothing: a setting, a taken id, a disk without room.
    """
    check(database, wish, registry)
    size = _size(wish, registry)

    def prepare(folder: Path) -> tuple[tuple[Stage, ...], float]:
        planned = _stages(wish, registry, folder)
        found = estimate(database, planned, size)
        check_disk(database.folder, found.disk)
        lines = check_prompts(wish.prompts)
        folder.mkdir(parents=True, exist_ok=True)
        if lines:
            (folder / "prompts.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
        return planned, found.seconds

    id = database.add(wish, size.work, prepare)
    look(database)
    return database.job(id)


def check(database: Database, wish: Wish, registry: Registry) -> None:
    """Raises UserError where a wish lacks what it needs, or what it would make is there or about to be."""
    found = recipe(wish.recipe)
    if found.needs and not getattr(wish, found.needs):
        raise UserError(f"“{found.title}” needs {NAMES[found.needs]}.")
    if wish.style:
        from rf_app.registry.loras import Loras  # imports PyTorch, as the registry given has

        Loras.beside(registry).card(wish.style)
    for name in ("images", "pairs"):
        given = getattr(wish, name)
        if given and not Path(given).is_dir():
            raise UserError(f"{given}: there is no such folder, to take {NAMES[name]} from.")
    products = {Path(stage.product) for stage in _stages(wish, registry, database.folder / "new")}
    for product in products:
        roots = registry.folders if product.parent == _models(registry) else [product.parent]
        for root in roots:
            if (root / product.name).exists():
                raise UserError(f"There is already {product.name!r} in {root}: choose another name.")
    for job in database.jobs():
        if job.under_way and products & {Path(stage.product) for stage in job.stages}:
            raise UserError(f"Job {job.id} is about to make {wish.output!r}: choose another name.")


def check_unused(database: Database, id: str) -> None:
    """Raises UserError where a job that is not over begins with a model, or makes it."""
    for job in database.jobs():
        if job.under_way and any(id in stage.arguments for stage in job.stages):
            raise UserError(f"Job {job.id} needs {id!r}: stop it first, or wait until it has ended.")


def _models(registry: Registry) -> Path:
    return registry.folders[-1].absolute()


def _stages(wish: Wish, registry: Registry, folder: Path) -> tuple[Stage, ...]:
    return stages(wish, registry.card(wish.teacher), folder, _models(registry))


def _size(wish: Wish, registry: Registry) -> ModelSize:
    return size_of(registry.pieces(wish.teacher)["unet"])


def stop(database: Database, id: int) -> None:
    """Ask a running job to save and stop, take a queued one out of the queue; raises UserError otherwise."""
    if database.change(id, ("queued",), state="stopped", said="Taken out of the queue."):
        return
    if not database.change(id, ("running",), stop=1):
        raise UserError(f"Job {id} is {database.job(id).state}; only a running or queued one can be stopped.")
    look(database)


def resume(database: Database, id: int) -> None:
    """Put a job that did not finish at the end of the queue; it goes on from its last checkpoint."""
    if not database.back_in_line(id, RESUMABLE):
        state = database.job(id).state
        raise UserError(f"Job {id} is {state}; only one that is {' or '.join(RESUMABLE)} can be resumed.")
    look(database)


def move(database: Database, id: int, up: bool) -> None:
    """Let a queued job change places with the one before it, or after it."""
    line = [job.id for job in database.jobs() if job.state == "queued"]
    if id not in line:
        raise UserError(f"Job {id} is {database.job(id).state}; only a queued one can be moved.")
    other = line.index(id) + (-1 if up else 1)
    if 0 <= other < len(line):
        database.swap(id, line[other])


def delete(database: Database, id: int) -> None:
    """Forget a job and remove its folder: log, pairs, checkpoints, samples. What it published stays."""
    job = database.job(id)
    if not database.remove(id, unless=("running",)):
        raise UserError(f"Job {id} is {job.state}: stop it first.")
    shutil.rmtree(database.job_folder(id), ignore_errors=True)
    pictures = Path(job.wish.images)
    if pictures.parent == database.pictures and job.wish.images not in {
        each.wish.images for each in database.jobs()
    }:
        shutil.rmtree(pictures, ignore_errors=True)
