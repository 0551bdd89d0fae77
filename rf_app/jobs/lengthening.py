"""A finished training that goes on: the same run with more steps, published beside what it made before.

The learning rate of every training is a cosine to zero, and Adam's moments are kept. So going on is a warm
restart: from zero the rate rises to where the cosine of the longer training is, and falls again.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs import events, queue
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import START, START_KEY, rate
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.jobs.stage import TRAINING, LoopWork, Plan, Stage
from rf_app.registry.card import check_id
from rf_app.settings.options import command_line
from rf_app.settings.world import ANEW, REMADE

UNITS = {"steps": (1, 1_000_000), "hours": (0.01, 999)}  # a world's are hours: what may be added


@dataclass(frozen=True)
class Length:
    """How long the last part of a training was: so many of a unit, as the option `name` has it."""

    name: str
    unit: str  # of `UNITS`
    done: float


def length(job: Job) -> Length | None:
    """How long a training was that is done, and whose run is still there: only such a one can go on."""
    loops = job.stages[-1].loops if job.stages else ()
    if job.state != "done" or not isinstance(job.wish, Wish) or not loops:
        return None
    run, arguments = Path(loops[-1].run), job.stages[-1].arguments
    if not loops[-1].key:
        hours = "--hours" in arguments and run.is_dir()
        return Length("hours", "hours", float(arguments[arguments.index("--hours") + 1])) if hours else None
    if [loop.key for loop in loops].count(loops[-1].key) > 1:
        return None  # more steps would change what the last part begins with
    found = events.read(run)
    return Length(loops[-1].key.split()[1], "steps", found[-1]["of"]) if found else None


def lengthen(database: Database, id: int, more: float, output: str, title: str = "") -> Job:
    """Queue a training that goes on from the end of another for so much more, and makes `output`.

    Raises UserError for a job that cannot go on, a number out of range, and a name that is taken or none.
    """
    job = database.job(id)
    was = length(job)
    if was is None:
        raise UserError(f"Job {id} cannot go on: only a training that is done can, while its run is there.")
    least, most = UNITS[was.unit]
    if not least <= more <= most or (was.unit == "steps" and more != int(more)):
        raise UserError(f"A training goes on for {least} to {most:,} {was.unit}, not {more:g}.")
    check_id(output)
    more = int(more) if was.unit == "steps" else more
    return queue.start(database, partial(_plan, database, job, was, more, output, title))


def _plan(
    database: Database, job: Job, was: Length, more: float, output: str, title: str, folder: Path
) -> Plan:
    old, hours = job.stages[-1], was.unit == "hours"
    whole = round(was.done + more, 4) if hours else was.done + more
    changes = {was.name: str(whole), "output": output, "title": title or output}

    def moved(word: str) -> str:
        before = f"{database.job_folder(job.id)}/"
        return f"{folder}/{word.removeprefix(before)}" if word.startswith(before) else word

    def longer(loop: LoopWork) -> LoopWork:
        own = replace(loop, run=moved(loop.run))
        if hours:
            return replace(own, seconds=loop.seconds * whole / was.done)
        return replace(own, samples=loop.samples * whole // was.done)

    def to_come(loop: LoopWork) -> float:
        share = 1 if hours and any(part in ANEW for part in Path(loop.run).parts) else more / whole
        return rate(database, loop, job.size)[0] * loop.samples * share

    loops = tuple(map(longer, old.loops if hours else old.loops[-1:]))
    stage = Stage(
        f"{old.title}, {more:,} {was.unit} more",
        old.module,
        tuple(map(moved, _changed(old.arguments, changes))),
        moved(old.product) if hours else moved(str(Path(old.product).with_name(output))),
        loops,
        old.memory,
    )
    setting = f"{old.module.removeprefix('trainers.')}.{was.name}"
    wish = replace(job.wish, output=output, title=title, settings={**job.wish.settings, setting: whole})
    return Plan(
        kind=TRAINING,
        lane=TRAINING,
        output=output,
        title=title,
        wish=wish.as_json(),
        stages=(stage,),
        seconds=sum(map(to_come, loops)) + database.rates(START_KEY).get(0.0, START),
        size=job.size,
        goes_on=database.job_folder(job.id),
        anew=(*ANEW, *REMADE) if hours else (),
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
