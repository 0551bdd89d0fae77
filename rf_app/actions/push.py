"""A model, LoRA or ControlNet to the Hugging Face Hub, as the one who is logged in there.

python -m rf_app push pocket-instaflow OWNER/NAME
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from huggingface_hub import create_repo, upload_folder

from rf_app.actions.application import Application
from rf_app.actions.as_job import start_job
from rf_app.actions.collection import thing
from rf_app.actions.export import Export, export
from rf_app.actions.progress import Clock, Events, result_in
from rf_app.errors import UserError
from rf_app.jobs.job import Job
from rf_app.plugins.deltas import HUB_NAME

KIND = "push"  # of its jobs


@dataclass(frozen=True)
class Push:
    """What goes where."""

    id: str
    """Id of a model, or lora/ID, or controlnet/ID."""
    repo: str
    """OWNER/NAME on the Hub; it is made where it is not there."""


def start_push(app: Application, wish: Push) -> Job:
    """Queue an upload; raises UserError."""
    app.permission.check("Pushing a model")
    check(app, wish)
    return start_job(app, KIND, wish, "Uploading", f"{wish.id} to {wish.repo}")


def check(app: Application, wish: Push) -> None:
    """Raise UserError for something that is not here, and for what is no name on the Hub."""
    thing(app, wish.id)
    if not HUB_NAME.fullmatch(wish.repo):
        raise UserError(f"{wish.repo!r:.80} is no name on the Hub: expected OWNER/NAME.")


def push(app: Application, wish: Push) -> Events[str]:
    """Upload something to the Hub; gives its address there."""
    check(app, wish)
    with TemporaryDirectory() as name:
        folder = yield from result_in(export(app, Export(wish.id, Path(name))))
        yield Clock(1).at(0, f"Uploading to {wish.repo}")
        with uploading():
            create_repo(wish.repo, exist_ok=True)
            found = upload_folder(repo_id=wish.repo, folder_path=folder)
    yield str(found)


@contextmanager
def uploading() -> Iterator[None]:
    """Raise UserError, with the library's words, where there is no right to write or no network."""
    try:
        yield
    except Exception as error:
        said = str(error)[:200] or type(error).__name__
        raise UserError(f"It could not be uploaded ({said}).") from None


def answer(app: Application, pushed: list[str]) -> dict[str, Any]:
    """Its address."""
    return {"address": pushed[0]}
