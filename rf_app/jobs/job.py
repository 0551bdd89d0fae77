"""One job, as its row in the database has it.

A row of another version, or one that somebody has spoiled, is a job too: its state is "damaged", it says why,
and all that can be done with it is to delete it. It never makes another job's command fail.
"""

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

from rf_app.errors import UserError
from rf_app.jobs.plan import Wish
from rf_app.jobs.stage import LANES, TRAINING, Stage, check_texts

STATES = ("queued", "running", "done", "stopped", "interrupted", "failed")


@dataclass(frozen=True)
class Job:
    """One row. seconds: the estimate at its start; size: see `estimate.ModelSize.work`.

    busy: the seconds its processes have taken, without pauses.
    """

    id: int
    kind: str = ""  # "training", or the name of an action
    lane: str = ""
    output: str = ""  # id of what it makes
    title: str = ""  # its name in the lists
    wish: Wish | dict = field(default_factory=dict)  # a training's; the plain one of another kind
    stages: tuple[Stage, ...] = ()
    seconds: float = 0.0
    size: float = 0.0
    state: str = "damaged"  # that, or one of STATES
    place: int = 0  # in the queue, the lowest first
    stage: int = 0  # the number of stages that have finished
    stop: bool = False  # somebody asked for it
    begun: bool = False  # a process has been at the next one
    pid: int | None = None  # of that process; None after a pause
    created: float = 0.0
    began: float | None = None
    ended: float | None = None
    busy: float = 0.0
    said: str = ""  # the last words, of a job that did not end well

    @property
    def under_way(self) -> bool:
        """Whether there is something to run."""
        return self.state in ("running", "queued")

    @property
    def name(self) -> str:
        """What it is called in the lists."""
        return self.title or self.output


def from_row(row: Mapping[str, Any]) -> Job:
    """The job of a row; columns that are not known are left alone."""
    try:
        stages = tuple(map(Stage.from_json, json.loads(row["stages"])))
        wish = json.loads(row["wish"])
        if row["kind"] == TRAINING:
            wish = Wish(**wish)
        own = {each.name: row[each.name] for each in fields(Job)}
        own |= {name: bool(row[name]) for name in ("stop", "begun")}
        job = Job(**own | {"wish": wish, "stages": stages})
        parts = [job, *stages, *(loop for stage in stages for loop in stage.loops)]
        for part in [*parts, wish] if isinstance(wish, Wish) else parts:
            _check(part)
        if job.state not in STATES or job.lane not in LANES:
            raise ValueError(f"its state is {job.state!a:.40}, its lane {job.lane!a:.40}")
        if not 0 <= job.stage <= len(stages) or (job.stage == len(stages)) != (job.state == "done"):
            raise ValueError(f"it is {job.state} after {job.stage} of {len(stages)} stages")
        return job
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        why = f"it lacks {error}" if isinstance(error, KeyError) else str(error).strip(".")
        return _damaged(row, why)


def _damaged(row: Mapping[str, Any], why: str) -> Job:
    known = {}
    for name in ("kind", "output", "title", "pid"):
        with suppress(UserError, TypeError, KeyError):
            _check(Job(row["id"], **{name: row[name]}), name)
            known[name] = row[name]
    said = f"This job was written by another version of this program, or is damaged: {why:.200}."
    return Job(row["id"], **known, said=said)


def _check(record: Any, *names: str) -> None:
    """Raises TypeError or UserError where a field of a dataclass is not what its annotation says."""
    hints = get_type_hints(type(record))
    for name in names or hints:
        value, hint = getattr(record, name), hints[name]
        kind = get_origin(hint) or hint
        kind = {UnionType: hint, float: (int, float)}.get(kind, kind)
        inner = get_args(hint)[0] if kind is tuple else object
        if not isinstance(value, kind) or (
            kind is tuple and not all(isinstance(each, inner) for each in value)
        ):
            raise TypeError(f"{name} is {value!a:.60}")
        check_texts({name: value})
