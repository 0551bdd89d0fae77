"""An action as a job: in a process of its own that outlives the page, seen in the list of jobs, resumable."""

from collections.abc import Iterator
from dataclasses import MISSING, asdict, fields
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.jobs import queue
from rf_app.jobs.job import Job
from rf_app.jobs.stage import FILES, LoopWork, Plan, Stage

ANSWER = "answer.json"  # in the job's folder, when it is done
SECONDS = 60.0  # the guess


def start_job(
    app: Application,
    name: str,
    wish: Any,
    doing: str,
    title: str,
    output: str = "",
    product: Path | None = None,
    unfinished: Path | None = None,
) -> Job:
    """Queue the action `name` with a wish; raises UserError naming what is wrong with it, and for strangers.

    doing: what it does, for people; title: its name in the lists, "" for that of what it makes. output: the
    id of that; product: where that will lie; unfinished: where what it has done waits.
    """
    app.permission.check("Work on models")
    models = app.registry.folders[-1].absolute()

    def plan(folder: Path) -> Plan:
        stage = Stage(
            title=doing,
            module="rf_app",
            arguments=(name.replace("_", "-"), *_words(wish), f"--registry={models}", f"--events={folder}"),
            product=str(product or folder / ANSWER),
            loops=(LoopWork("", str(folder), 1, SECONDS),),
            unfinished=str(unfinished or ""),
        )
        return Plan(name, FILES, output, title, asdict(wish), (stage,), SECONDS)

    return queue.start(app.jobs, plan)


def _words(wish: Any) -> Iterator[str]:
    """A flat wish as the command line says it; what has to be given is given without its name."""
    for each in fields(wish):
        value = getattr(wish, each.name)
        if each.default is MISSING:
            yield str(value)
        elif value != each.default:
            flag = each.name.replace("_", "-")
            yield f"--{flag}" if value is True else f"--no-{flag}" if value is False else f"--{flag}={value}"
