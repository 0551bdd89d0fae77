"""A model, LoRA or ControlNet to the Hugging Face Hub, as the one who is logged in there.

python -m rf_app push pocket-instaflow OWNER/NAME
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import create_repo, upload_folder

from rf_app.actions.application import Application
from rf_app.actions.export import Export, export
from rf_app.actions.progress import Events
from rf_app.errors import UserError
from rf_app.plugins.deltas import HUB_NAME


@dataclass(frozen=True)
class Push:
    """What goes where."""

    id: str
    """Id of a model, or lora/ID, or controlnet/ID."""
    repo: str
    """OWNER/NAME on the Hub; it is made where it is not there."""


def push(app: Application, wish: Push) -> Events[str]:
    """Upload something to the Hub; gives its address there."""
    app.permission.check("Pushing a model")
    repo = wish.repo.strip()
    if not HUB_NAME.fullmatch(repo):
        raise UserError(f"{repo!r:.80} is no name on the Hub: expected OWNER/NAME.")
    with TemporaryDirectory() as name:
        for each in export(app, Export(wish.id, Path(name))):
            if isinstance(each, Path):
                folder = each
            yield None
        try:
            create_repo(repo, exist_ok=True)
            found = upload_folder(repo_id=repo, folder_path=folder)
        except Exception as error:  # no right to write, no network: the library's words
            raise UserError(f"It could not be pushed ({str(error)[:200] or type(error).__name__}).") from None
    yield str(found)


def answer(app: Application, pushed: list[str]) -> dict[str, Any]:
    """Its address."""
    return {"address": pushed[0]}
