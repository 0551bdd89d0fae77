"""A model, LoRA or ControlNet taken away for good. What came with the program, or what others need, stays.

python -m rf_app delete my-boats
"""

from dataclasses import dataclass
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.collection import Thing, thing
from rf_app.actions.progress import Events
from rf_app.jobs.queue import check_unused


@dataclass(frozen=True)
class Delete:
    """What goes."""

    id: str
    """Id of a model, or lora/ID, controlnet/ID or translation/ID."""


def deletable(app: Application, id: str) -> Thing:
    """What could be deleted; raises UserError saying why it cannot."""
    app.permission.check("Deleting a model")
    found = thing(app, id)
    check_unused(app.jobs, found.card.id)
    found.store.check_deletable(found.card.id)
    return found


def delete(app: Application, wish: Delete) -> Events[str]:
    """Delete something in one step, then free its place on the disk."""
    found = deletable(app, wish.id)
    found.store.delete(found.card.id)
    yield found.card.id


def answer(app: Application, gone: list[str]) -> dict[str, Any]:
    """What is gone."""
    return {"deleted": gone[0]}
