"""Trainings as jobs: what one would take, whether it can be, and its plan."""

import os
from functools import partial
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.estimate import NEW, ModelSize, Needs, check_disk, estimate, size_of
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish, check_prompts, stages
from rf_app.jobs.stage import TRAINING, Plan, Stage, check_texts
from rf_app.registry.loras import Loras
from rf_app.registry.models import Registry
from rf_app.settings.recipes import recipe

NAMES = {
    "images": "captioned pictures",
    "pairs": "a folder of pairs",
    "prompts": "prompts",
    "style": "a style",
}


def needs(database: Database, wish: Wish, registry: Registry) -> Needs:
    """What a wish would take; raises UserError naming what is wrong with it."""
    return estimate(database, _stages(wish, registry, database.folder / "new"), _size(wish, registry))


def planned(database: Database, wish: Wish, registry: Registry) -> tuple[Stage, ...]:
    """The commands of a wish, not queued; raises UserError naming what is wrong with it."""
    check(database, wish, registry)
    return _stages(wish, registry, database.folder / "new")


def start(database: Database, wish: Wish, registry: Registry) -> Job:
    """Queue a training, which publishes into the registry's last folder.

    Raises UserError naming what is wrong, and leaves nothing: a setting, a taken id, a disk without room.
    """
    check(database, wish, registry)
    return queue.start(database, partial(_plan, database, wish, registry))


def _plan(database: Database, wish: Wish, registry: Registry, folder: Path) -> Plan:
    planned, size = _stages(wish, registry, folder), _size(wish, registry)
    found = estimate(database, planned, size)
    check_disk(database.folder, found.disk)
    lines = check_prompts(wish.prompts)
    return Plan(
        kind=TRAINING,
        lane=TRAINING,
        output=wish.output,
        title=wish.title,
        wish=wish.as_json(),
        stages=planned,
        seconds=found.seconds,
        size=size.work,
        files={"prompts.txt": "\n".join(lines) + "\n"} if lines else {},
    )


def check(database: Database, wish: Wish, registry: Registry) -> None:
    """Raises UserError where a wish lacks what it needs, or what it would make is there or about to be."""
    check_texts(wish.as_json())
    found = recipe(wish.recipe)
    if found.needs and not getattr(wish, found.needs):
        raise UserError(f"“{found.title}” needs {NAMES[found.needs]}.")
    if wish.style:
        Loras.beside(registry).card(wish.style)
    for name in ("images", "pairs"):
        given = getattr(wish, name)
        if given and not os.path.isdir(given):  # noqa: PTH112 (one that may not be asked for is none to this one)
            raise UserError(f"{given}: there is no such folder, to take {NAMES[name]} from.")
    products = {stage.product for stage in _stages(wish, registry, database.folder / "new")}
    models = _models(registry)
    if found.makes == "models":
        products.add(str(models / wish.output))
    elsewhere = {
        str(root.absolute() / Path(product).name)
        for product in products
        for root in registry.folders
        if Path(product).parent == models
    }
    jobs = database.jobs()
    queue.check_free(products | elsewhere, jobs)
    for job in jobs:  # whose last stage may make something else, as a world's does
        if job.under_way and job.output == wish.output and isinstance(job.wish, Wish):
            raise UserError(f"Job {job.id} is about to make {wish.output!r}: choose another name.")


def _models(registry: Registry) -> Path:
    return registry.folders[-1].absolute()


def _stages(wish: Wish, registry: Registry, folder: Path) -> tuple[Stage, ...]:
    teacher = registry.card(wish.teacher) if recipe(wish.recipe).teachers else None
    return stages(wish, teacher, folder, _models(registry))


def _size(wish: Wish, registry: Registry) -> ModelSize:
    if not recipe(wish.recipe).teachers:
        return NEW
    return size_of(registry.pieces(wish.teacher)["unet"])
