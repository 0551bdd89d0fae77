"""A finished training that goes on: the same run with more steps, published beside what it made before.

The learning rate of every training is a cosine to zero, and Adam's moments are kept. So going on is a warm
restart: from zero the rate rises to where the cosine of the longer training is, and falls again.
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs import events, queue
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import START, START_KEY, rate
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.jobs.stage import TRAINING, Plan, Stage
from rf_app.registry.card import check_id
from rf_app.settings.options import command_line

MOST = 1_000_000  # steps more


def can_go_on(job: Job) -> bool:
    """Whether a job is a training that is done, and its run is still there."""
    return job.state == "done" and isinstance(job.wish, Wish) and bool(steps_done(job))


def steps_done(job: Job) -> int:
    """The steps of the last part of a job, 0 where there is no run of it."""
    loops = job.stages[-1].loops if job.stages else ()
    found = events.read(Path(loops[-1].run)) if loops and loops[-1].key else ()
    return found[-1]["of"] if found else 0


def lengthen(database: Database, id: int, steps: int, output: str, title: str = "") -> Job:
    """Queue a training that goes on from the end of another for so many steps, and makes `output`.

    Raises UserError for a job that cannot go on, a number out of range, and a name that is taken or none.
    """
    job = database.job(id)
    if not can_go_on(job):
        raise UserError(f"Job {id} cannot go on: only a training that is done can, while its run is there.")
    if not 1 <= steps <= MOST:
        raise UserError(f"A training goes on for 1 to {MOST:,} steps, not {steps}.")
    check_id(output)
    return queue.start(database, partial(_plan, database, job, steps, output, title))


def _plan(database: Database, job: Job, more: int, output: str, title: str, folder: Path) -> Plan:
    old, done = job.stages[-1], steps_done(job)
    loop, trainer = old.loops[-1], old.module.removeprefix("trainers.")
    name, steps = loop.key.split()[1], done + more
    changes = {name: str(steps), "output": output, "title": title or output}

    def moved(word: str) -> str:
        before = f"{database.job_folder(job.id)}/"
        return f"{folder}/{word.removeprefix(before)}" if word.startswith(before) else word

    own = replace(loop, run=moved(loop.run), samples=loop.samples * steps // done)
    stage = Stage(
        f"{old.title}, {more:,} steps more",
        old.module,
        tuple(map(moved, _changed(old.arguments, changes))),
        moved(str(Path(old.product).with_name(output))),
        (own,),
        old.memory,
    )
    wish = replace(
        job.wish, output=output, title=title, settings={**job.wish.settings, f"{trainer}.{name}": steps}
    )
    seconds = rate(database, own, job.size)[0] * own.samples * more / steps
    return Plan(
        kind=TRAINING,
        lane=TRAINING,
        output=output,
        title=title,
        wish=wish.as_json(),
        stages=(stage,),
        seconds=seconds + database.rates(START_KEY).get(0.0, START),
        size=job.size,
        goes_on=database.job_folder(job.id),
    )


def _changed(arguments: Sequence[str], changes: dict[str, str]) -> list[str]:
    """A command's arguments with other values of some options, which it has or not."""
    words = list(arguments)
    for name in changes:
        flag = f"--{name.replace('_', '-')}"
        for place, word in enumerate(words):
            if word == flag or word.startswith(f"{flag}="):
                del words[place : place + 1 + (word == flag)]
                break
    return words + command_line(changes)
