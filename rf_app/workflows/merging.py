"""A merge as an action, and as a job: see `rf_app.plugins.deltas`, which does the work."""

from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.stage import FILES, LoopWork, Plan, Stage
from rf_app.plugins.deltas import Options, check, merge
from rf_app.registry.folders import Registry
from rf_app.workflows.background import Progress
from rf_app.workflows.report import reported

KIND = "merge"
SECONDS = 60.0  # the guess


def merge_model(registry: Registry, options: Options) -> Iterator[Progress | Path | None]:
    """Add a fine-tune's difference, or a LoRA, to a model; its folder comes last. Raises UserError."""
    check(registry, options)
    yield (yield from reported(lambda report: merge(registry, options, report), "tensors"))


def start(database: Database, registry: Registry, options: Options) -> Job:
    """Queue a merge, which publishes into the registry's last folder; raises UserError."""
    check(registry, options)
    return queue.start(database, partial(_plan, registry, options))


def _plan(registry: Registry, options: Options, folder: Path) -> Plan:
    models = registry.folders[-1].absolute()
    ids = {card.id for card in registry.cards()}
    sources = {
        name: value if value in ids else _absolute(value)
        for name in ("fine_tuned", "base", "lora")
        if (value := getattr(options, name))
    }
    words = {"model": options.model, "output": options.output} | sources
    arguments = [word for name, value in words.items() for word in (f"--{name.replace('_', '-')}", value)]
    arguments += [f"--strength={options.strength}", f"--title={options.title}"]
    arguments += ["--models", str(models), "--events", str(folder)]
    return Plan(
        kind=KIND,
        lane=FILES,
        output=options.output,
        title=options.title,
        wish=words | {"strength": options.strength, "title": options.title},
        stages=(
            Stage(
                title="Merging",
                module="rf_app.workflows",
                arguments=(KIND, *arguments),
                product=str(models / options.output),
                loops=(LoopWork("", str(folder), 1, SECONDS),),
            ),
        ),
        seconds=SECONDS,
    )


def _absolute(source: str) -> str:
    """A path as a job finds it, which works in another folder; what is none as it is."""
    with suppress(ValueError, OSError, RuntimeError):  # no path, or of a user who is none
        path = Path(source).expanduser()
        return str(path.absolute()) if path.exists() else source
    return source
