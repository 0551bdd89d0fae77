"""Another title for a model, LoRA or ControlNet; its id stays: pictures and models name it.

python -m rf_app rename my-boats "My boats"
"""

from dataclasses import dataclass
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.collection import thing
from rf_app.actions.progress import Events


@dataclass(frozen=True)
class Rename:
    """What is called how."""

    id: str
    """Id of a model, or lora/ID, controlnet/ID or translation/ID."""
    title: str
    """Its new title."""


def rename(app: Application, wish: Rename) -> Events[str]:
    """Give something another title; gives it as it is now."""
    app.permission.check("Renaming a model")
    found = thing(app, wish.id)
    yield found.store.rename(found.card.id, wish.title)


def answer(app: Application, titles: list[str]) -> dict[str, Any]:
    """The title."""
    return {"title": titles[0]}
