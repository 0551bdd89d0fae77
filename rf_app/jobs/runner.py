"""The process that works the queue off: each stage of a job is a process of its own.

    python -m rf_app.jobs.runner FOLDER LOCK

Trainings run one at a time, and file work beside them (`stage.LANES`). Started by `rf_app.jobs.queue.look`,
which hands it a locked file; ends when the queue is empty. It imports no PyTorch, so there is little to kill
it for. If it is killed all the same, the processes go on, and the next runner takes them over.
"""

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from rf_app.jobs import events
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import PACE_KEY, START_KEY, guess
from rf_app.jobs.job import Job
from rf_app.jobs.log import last_words, log_path
from rf_app.jobs.processes import ROOT, end_tree, find, has_ended, memory, trainer_environment
from rf_app.jobs.queue import cut_short, interrupted, look
from rf_app.jobs.stage import LANES, TRAINING
from rf_app.registry.disk import locked

NICE, NICE_TRAINING = 10, 19  # the page comes first
LOOK = 0.3  # seconds between two looks into the database
# Until its pid is written down a process waits, and goes where the runner is killed: none is ever forgotten.
WAIT = 'read go && exec "$@" </dev/null'
STOPPED = (0, 130)  # how a process ends, saved, that heard somebody else's SIGTERM: trainers, actions
GRACE = 120.0  # seconds to finish a step and save, before a process is killed
PATIENCE = 5.0  # seconds for those who look whether a job's folder is locked


@dataclass
class _Attended:
    """A running job and the process of its stage. asked: when it was asked to stop; peak: bytes."""

    job: Job
    process: psutil.Process
    fresh: bool  # nothing of the stage had been done before
    began: float
    asked: float | None = None
    peak: float = 0.0


def work_off(database: Database, grace: float = GRACE) -> None:
    """Run jobs until none is queued; the one runner there is at a time may call this."""
    attended: list[_Attended | None] = []
    for job in database.jobs():  # those of a runner that was killed
        if job.state == "running":
            if cut_short(database, job):
                interrupted(database, job)
            else:
                attended.append(_go_on(database, job, find(job.pid, database.job_folder(job.id))))
    while True:
        jobs = {job.id: job for job in database.jobs()}
        for each in filter(None, attended):
            _hurry(each, jobs.get(each.job.id), grace)
        attended = [_ended(database, each) if each and has_ended(each.process) else each for each in attended]
        attended = [each for each in attended if each]
        for lane in {job.lane for job in jobs.values() if job.state == "queued"}:
            while sum(each.job.lane == lane for each in attended) < LANES[lane]:
                job = database.claim(lane)
                if job is None:
                    break
                attended += filter(None, [_go_on(database, job)])
        if attended:
            _wait(attended)
        elif not any(job.state == "queued" for job in jobs.values()):
            return


def _go_on(database: Database, job: Job | None, process: psutil.Process | None = None) -> _Attended | None:
    """Begin with the next stage of a job that still runs; `process` is under way with it already."""
    while job and job.state == "running":
        stage = job.stages[job.stage]
        if process is None and job.pid and stage.finished:
            job = database.finish_stage(job, 0.0)  # it was killed just after publishing
            continue
        fresh = not any(events.read(Path(loop.run)) for loop in stage.loops)
        try:
            process = process or _start(database, job)
        except (OSError, psutil.Error) as error:
            database.end(job, "failed", f"It could not be started: {error}")
            return None
        return _Attended(job, process, fresh, time.monotonic())
    return None


def _start(database: Database, job: Job) -> psutil.Popen:
    stage, folder = job.stages[job.stage], database.job_folder(job.id)
    folder.mkdir(parents=True, exist_ok=True)
    command = ["sh", "-c", WAIT, "sh", sys.executable, "-m", stage.module, *stage.arguments]
    with locked(folder, PATIENCE) as lock, log_path(folder).open("a", encoding="utf-8") as log:
        print(f"--- {job.stage + 1} of {len(job.stages)}: {stage.title}", file=log, flush=True)
        process = psutil.Popen(
            command,
            cwd=ROOT,
            env=trainer_environment(),
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            pass_fds=[lock],
            start_new_session=True,
        )
    if job.lane == TRAINING:
        process.nice(max(process.nice(), niceness(NICE_TRAINING)))
    database.note_process(job.id, process.pid)
    process.stdin.write(b"go\n")
    process.stdin.close()
    return process


def _wait(attended: list[_Attended]) -> None:
    """Until the next look, or until one of the processes has ended."""
    until = time.monotonic() + LOOK
    while time.monotonic() < until and not any(has_ended(each.process) for each in attended):
        time.sleep(0.05)
    for each in attended:
        each.peak = max(each.peak, memory(each.process))


def _hurry(each: _Attended, job: Job | None, grace: float) -> None:
    """Ask a process to stop where somebody wishes it, and end it where it does not listen."""
    now = time.monotonic()
    if job is None or (each.asked is not None and now - each.asked > grace):
        end_tree(each.process)
    elif job.stop and each.asked is None:
        each.asked = now
        with suppress(psutil.NoSuchProcess):
            each.process.terminate()


def _ended(database: Database, each: _Attended) -> _Attended | None:
    """A stage's process has ended: go on with the next stage, or note how the job ended."""
    job, stage = each.job, each.job.stages[each.job.stage]
    code = each.process.wait() if isinstance(each.process, psutil.Popen) else None
    taken = time.monotonic() - each.began
    if stage.finished and not code:
        if job.kind == TRAINING:
            _measured(database, each, taken)
        return _go_on(database, database.finish_stage(job, taken))
    words = last_words(database.job_folder(job.id))
    if each.asked is not None or code in STOPPED:
        state, words = "stopped", ""
    elif code is None or code < 0:
        how = f"Ended by signal {-code}. " if code else ""
        how += "The system does that where memory runs out. " if code == -9 else ""
        state, words = "interrupted", how + (f"Last words: {words}" if words else "")
    else:
        state = "failed"
    database.end(job, state, words, taken)
    return None


def _measured(database: Database, each: _Attended, taken: float) -> None:
    """Remember what the stage took, for the next estimate."""
    job, loops = each.job, 0.0
    stage = job.stages[job.stage]
    for loop in filter(lambda loop: loop.key, stage.loops):
        found = events.read(Path(loop.run))
        seconds = events.whole(found)
        if seconds is not None:
            loops += seconds
            # Of those there were: a batch is no larger than there are pictures to learn from.
            speed = found[-1].get("samples_per_second") or loop.samples / seconds
            database.measured(loop.key, job.size, 1 / speed)
            database.measured(PACE_KEY, 0.0, 1 / speed / guess(loop, job.size))
    if each.peak:
        database.measured(stage.memory_key, job.size, each.peak)
    if each.fresh and loops:  # and not a part of it, after a pause
        database.measured(START_KEY, 0.0, max(0.0, taken - loops))


def niceness(usual: int) -> int:
    """How far work gives way to everything else: less than usual where $INSTAFLOW_NICE, 0 to 19, says so."""
    said = os.environ.get("INSTAFLOW_NICE", "")
    return min(usual, int(said)) if re.fullmatch(r"1?\d", said) else usual


def main() -> None:
    """Work the queue off, yielding to everything else on this machine."""
    os.nice(niceness(NICE))  # who is nicer already may not take that back
    database = Database(Path(sys.argv[1]))
    work_off(database)
    os.close(int(sys.argv[2]))
    look(database)  # whoever queued a job just now found the lock held and relies on this


if __name__ == "__main__":
    main()
