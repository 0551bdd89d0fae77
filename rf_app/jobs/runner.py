"""The process that works the queue off: one job at a time, each stage of it a trainer's process of its own.

    python -m rf_app.jobs.runner FOLDER LOCK

Started by `rf_app.jobs.queue.look`, which hands it a locked file; ends when the queue is empty. It imports
no PyTorch, so there is little to kill it for. If it is killed all the same, the trainer goes on, and the next
runner takes that process over.
"""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil

from rf_app.jobs import events
from rf_app.jobs.database import Database, Job
from rf_app.jobs.estimate import START_KEY
from rf_app.jobs.log import last_words, log_path
from rf_app.jobs.plan import Stage
from rf_app.jobs.processes import ROOT, end_tree, find, memory, trainer_environment, wait_in
from rf_app.jobs.queue import cut_short, interrupted, look

NICE = 19  # the page comes first
LOOK = 0.3  # seconds between two looks at the process and at the wish to stop
# Until its pid is written down a trainer waits, and goes where the runner is killed: none is ever forgotten.
WAIT = 'read go && exec "$@" </dev/null'
GRACE = 120.0  # seconds to finish a step and save, before a trainer is killed


def work_off(database: Database, grace: float = GRACE) -> None:
    """Run jobs until none is queued; the one runner there is at a time may call this."""
    for job in database.jobs():
        if job.state == "running":
            _take_over(database, job, grace)
    while job := database.claim():
        _run(database, job, grace)


def _take_over(database: Database, job: Job, grace: float) -> None:
    """A job of a runner that was killed: go on with its process if that lives, or with what it has made."""
    if cut_short(job):
        interrupted(database, job)
    else:
        _run(database, job, grace, find(job.pid, job.pid_created))


def _run(database: Database, job: Job, grace: float, process: psutil.Process | None = None) -> None:
    """Run the stages that are left; `process` is under way with the first of them."""
    for number in range(job.stage, len(job.stages)):
        stage = job.stages[number]
        begun = job.pid is not None and number == job.stage
        if process is None and begun and Path(stage.product).exists():  # it was killed just after publishing
            database.change(job.id, stage=number + 1, pid=None)
            continue
        process = process or _start(database, job, stage, number)
        state, said = _attend(database, job, stage, process, grace)
        process = None
        if state:
            database.change(job.id, state=state, said=said, ended=time.time())
            return
        database.change(job.id, stage=number + 1, pid=None)
    database.change(job.id, state="done", ended=time.time())


def _start(database: Database, job: Job, stage: Stage, number: int) -> psutil.Popen:
    folder = database.job_folder(job.id)
    folder.mkdir(parents=True, exist_ok=True)
    command = ["sh", "-c", WAIT, "sh", sys.executable, "-m", stage.module, *stage.arguments]
    with log_path(folder).open("a", encoding="utf-8") as log:
        print(f"--- {number + 1} of {len(job.stages)}: {stage.title}", file=log, flush=True)
        process = psutil.Popen(
            command,
            cwd=ROOT,
            env=trainer_environment(stage.bfloat16),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    database.change(job.id, pid=process.pid, pid_created=process.create_time())
    process.stdin.write(b"go\n")
    process.stdin.close()
    return process


def _attend(
    database: Database, job: Job, stage: Stage, process: psutil.Process, grace: float
) -> tuple[str, str]:
    """Stay with a stage's process to its end: the job's new state and last words, or "" where it goes on."""
    asked, began, peak, busy = None, time.monotonic(), 0.0, database.job(job.id).busy
    fresh = not any(events.read(Path(loop.run)) for loop in stage.loops)
    while not wait_in(LOOK, process):
        peak = max(peak, memory(process))
        now = time.monotonic()
        if asked is None and database.job(job.id).stop:
            asked = now
            process.terminate()
        elif asked is not None and now - asked > grace:
            end_tree(process)
    code = process.wait() if isinstance(process, psutil.Popen) else None
    taken = time.monotonic() - began
    database.change(job.id, busy=busy + taken)
    if Path(stage.product).exists() and not code:
        _measured(database, job, stage, taken, peak, fresh)
        return "", ""
    words = last_words(database.job_folder(job.id))
    if asked is not None:
        return "stopped", ""
    if code == 0:
        return "stopped", ""  # somebody else's SIGTERM
    if code is None or code < 0:
        how = f"Ended by signal {-code}. " if code else ""
        how += "The system does that where memory runs out. " if code == -9 else ""
        return "interrupted", how + (f"Last words: {words}" if words else "")
    return "failed", words


def _measured(database: Database, job: Job, stage: Stage, taken: float, peak: float, fresh: bool) -> None:
    """Remember what the stage took, for the next estimate."""
    loops = 0.0
    for loop in stage.loops:
        seconds = events.whole(events.read(Path(loop.run)))
        if seconds is not None:
            loops += seconds
            database.measured(loop.key, job.size, seconds / loop.samples)
    if peak:
        database.measured(f"memory {stage.module}", job.size, peak)
    if fresh and loops:  # and not a part of it, after a pause
        database.measured(START_KEY, 0.0, max(0.0, taken - loops))


def main() -> None:
    """Work the queue off, yielding to everything else on this machine."""
    psutil.Process().nice(NICE)
    database = Database(Path(sys.argv[1]))
    work_off(database)
    os.close(int(sys.argv[2]))
    look(database)  # whoever queued a job just now found the lock held and relies on this


if __name__ == "__main__":
    main()
