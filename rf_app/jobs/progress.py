"""How far a job is, what it still takes, and its curves: read from the events its processes leave."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rf_app.jobs import events
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import START, START_KEY, guess, rate
from rf_app.jobs.job import Job
from rf_app.jobs.stage import Stage

POINTS = 120  # of a curve; more are averaged
NOT_FIGURES = {"step", "of", "loss", "lr", "seconds_left", "samples_per_second", "text"}


@dataclass(frozen=True)
class Curve:
    """A figure over the steps of a loop. title: the loop's, or its stage's; points: (step, value), at most
    `POINTS`.
    """

    stage: Stage
    title: str
    name: str  # "loss", or what the trainer calls it
    of: int  # steps in all
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class Progress:
    """share: 0..1 of the whole job; seconds_left: None before anything can be told."""

    share: float
    seconds_left: float | None
    text: str
    samples_per_second: float | None
    curves: tuple[Curve, ...]  # the latest loop's first
    sheets: tuple[Path, ...]  # of the latest loop that has any, oldest first


def progress(database: Database, job: Job) -> Progress:
    """Where a job stands now."""
    start = database.rates(START_KEY).get(0.0, START)
    begun = job.stages[: job.stage + job.begun]
    heard = {loop.run: events.read(Path(loop.run)) for stage in begun for loop in stage.loops}
    wholes = {run: whole for run, found in heard.items() if (whole := events.whole(found)) is not None}
    pace = _pace(job, wholes)
    done = left = 0.0
    latest: events.Event = {}
    title = ""
    curves: list[Curve] = []
    sheets: tuple[Path, ...] = ()
    for number, stage in enumerate(job.stages):
        own = [heard.get(loop.run, ()) for loop in stage.loops]
        loaded = number < job.stage or any(own)
        done, left = (done + start, left) if loaded else (done, left + start)
        for loop, found in zip(stage.loops, own, strict=True):
            share = 1.0 if number < job.stage else found[-1]["step"] / found[-1]["of"] if found else 0.0
            whole = wholes.get(loop.run)
            if whole is None:
                whole = loop.samples * rate(database, loop, job.size, pace)[0]
            done, left = done + whole * share, left + whole * (1 - share)
            if found:
                latest, title = (found[-1], loop.title) if number == job.stage else ({}, "")
                curves = _curves(stage, loop.title or stage.title, found) + curves
                sheets = tuple(events.sheets(Path(loop.run))) or sheets
    return Progress(
        share=1.0 if job.state == "done" else done / max(done + left, 1e-9),
        seconds_left=left if job.under_way else None,
        text=_text(job, latest, title),
        samples_per_second=latest.get("samples_per_second"),
        curves=tuple(curves),
        sheets=sheets,
    )


def _pace(job: Job, wholes: dict[str, float]) -> float | None:
    """How much longer than guessed the loops take of which something is known."""
    known = [loop for stage in job.stages for loop in stage.loops if loop.key and loop.run in wholes]
    guessed = sum(loop.samples * guess(loop, job.size) for loop in known)
    return sum(wholes[loop.run] for loop in known) / guessed if guessed else None


def _text(job: Job, latest: events.Event, title: str) -> str:
    if not job.stages:
        return "Damaged"
    if job.stage >= len(job.stages):
        return "Finished"
    if "text" in latest:
        return str(latest["text"])
    title = title or job.stages[job.stage].title
    many = f" ({job.stage + 1} of {len(job.stages)})" if len(job.stages) > 1 else ""
    steps = f", {latest['step']:,} of {latest['of']:,}" if latest else ""
    return f"{title}{many}{steps}"


def _curves(stage: Stage, title: str, found: Sequence[events.Event]) -> list[Curve]:
    names = ["loss"] if any("loss" in event for event in found) else []
    names += sorted({name for event in found for name in event} - NOT_FIGURES)
    return [
        Curve(
            stage, title, name, found[-1]["of"], _points([(e["step"], e[name]) for e in found if name in e])
        )
        for name in names
    ]


def _points(points: list[tuple[float, float]]) -> tuple[tuple[float, float], ...]:
    """At most `POINTS` of them, each the mean of its neighbours; the last stays where it is."""
    width = -(-len(points) // POINTS)
    groups = [points[max(0, end - width) : end] for end in range(len(points), 0, -width)][::-1]
    return tuple((group[-1][0], sum(y for _, y in group) / len(group)) for group in groups)
