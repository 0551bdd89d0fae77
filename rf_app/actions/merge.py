"""A fine-tune's difference from its base, or a LoRA, added to a model's weights: a new model.

python -m rf_app merge pocket-2rf my-2rf --fine-tuned my-sd --base pocket-sd
python -m rf_app merge pocket-sd woodcut-sd --lora pocket-woodcut
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.as_job import start_job
from rf_app.actions.progress import Events
from rf_app.actions.reported import reported
from rf_app.jobs.job import Job
from rf_app.plugins import deltas
from rf_app.plugins.deltas import Merge
from rf_app.settings.home import existing

KIND = "merge"  # of its jobs


def start_merge(app: Application, wish: Merge) -> Job:
    """Queue a merge, which publishes into the registry's last folder; raises UserError."""
    app.permission.check("Merging models")
    deltas.check(app.registry, wish)
    ids = {card.id for card in (*app.registry.cards(), *app.loras.cards())}
    sources = {
        # A path as a job finds it, which works in another folder.
        name: str(path.absolute()) if value not in ids and (path := existing(value)) else value
        for name in ("fine_tuned", "base", "lora")
        if (value := getattr(wish, name))
    }
    models = app.registry.folders[-1].absolute()
    wish = replace(wish, **sources)
    return start_job(app, KIND, wish, "Merging", wish.title, wish.output, models / wish.output)


def merge(app: Application, wish: Merge) -> Events[Path]:
    """Add a fine-tune's difference, or a LoRA, to a model; gives the new model's folder."""
    deltas.check(app.registry, wish)
    yield (yield from reported(lambda report: deltas.merge(app.registry, wish, report), "tensors"))


def answer(app: Application, folders: list[Path]) -> dict[str, Any]:
    """The id of the new model, and where it lies."""
    return {"id": folders[0].name, "path": str(folders[0])}
