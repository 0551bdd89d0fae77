"""Bring in a model, a LoRA, a ControlNet or a tiny decoder: a folder, a single file, or what is on the Hub.

    python -m rf_app import-model Lykon/dreamshaper-7
    python -m rf_app import-model ~/Downloads/dreamshaper.safetensors --id dreamshaper

A folder's weights stay where they are, behind links; a single file of a model is taken apart. What has
arrived waits in a hidden folder, `.imports/ID` among the models, until it is whole and has been checked. A
run that was stopped, killed or cut off goes on from there. Only safetensors and JSON are taken.
"""

import os
import shutil
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.as_job import start_job
from rf_app.actions.fetching import fetch, name_on_hub
from rf_app.actions.gathering import refer
from rf_app.actions.progress import Events
from rf_app.actions.receiving import Arrival, Parcel, check_file, receive
from rf_app.actions.reported import Report, reported
from rf_app.errors import UserError
from rf_app.jobs.database import RESUMABLE
from rf_app.jobs.job import Job
from rf_app.registry.card import KINDS, as_id, check_id
from rf_app.registry.catalogue import entry_of
from rf_app.registry.disk import disk_full_named, link_or_copy, locked, writable
from rf_app.registry.recognition import called_in
from rf_app.settings.home import existing

KIND = "import_model"  # of its jobs
STAGING = ".imports"
PATIENCE = 2.0  # seconds for a run before, which is just being ended
MAX_TITLE = 80  # characters


@dataclass(frozen=True)
class ImportModel:
    """What to bring in."""

    source: str
    """A folder, a .safetensors file, OWNER/NAME or OWNER/NAME/FILE on the Hub, or an address there."""
    id: str = ""
    """Its id here (default: from the source's name)."""
    title: str = ""
    """How it is called (default: what its card says, or the source's name)."""
    kind: str = ""
    """Of a model, or what a LoRA makes of one: one of `rf_app.registry.card.KINDS` (default: what its card or
    its files say).
    """
    copy: bool = False
    """Copy the weights of a folder, rather than use them where they lie."""


def id_of(source: str) -> str:
    """An id made from a source's name: "Lykon/DreamShaper 7" gives "dreamshaper-7"."""
    return as_id(called_in(source)) or "model"


def checked(app: Application, wish: ImportModel) -> ImportModel:
    """The same with every default filled in; raises UserError for what cannot be brought in."""
    here = existing(wish.source.strip())
    # A link keeps its name: that of its target, as in the Hub's cache, may say nothing.
    named = here and os.path.normpath(here.parent.resolve() / here.name)
    source = named or name_on_hub(wish.source.strip())
    if wish.kind and wish.kind not in KINDS:
        raise UserError(f"kind is {wish.kind!r:.40}; expected one of {', '.join(KINDS)}.")
    entry = entry_of(source)
    wish = replace(
        wish,
        source=source,
        id=check_id(wish.id or (entry.id if entry else id_of(source))),
        title=" ".join((wish.title or (entry.title if entry else "")).split())[:MAX_TITLE],
        kind=wish.kind or (entry.kind if entry else ""),
    )
    for store in app.stores:
        if any((root / wish.id).exists() for root in store.folders):
            raise UserError(f"There is already a {store.CARD.NAME} {wish.id!r}: choose another id.")
    return wish


def start_import(app: Application, wish: ImportModel) -> Job:
    """Queue an import; raises UserError for what cannot be brought in."""
    app.permission.check("Importing a model")
    wish = checked(app, wish)
    for job in app.jobs.jobs():
        if job.kind == KIND and job.output == wish.id and (job.under_way or job.state in RESUMABLE):
            raise UserError(
                f"{wish.id!r} is among the imports already, as job {job.id}: resume or drop it, or give "
                "another id."
            )
    waiting = app.registry.folders[-1].absolute() / STAGING / wish.id
    return start_job(app, KIND, wish, "Importing", wish.title, wish.id, unfinished=waiting)


def import_model(app: Application, wish: ImportModel) -> Events[Arrival]:
    """Bring something in: gather its files, check them, and publish it; gives what it is now.

    Raises UserError for what cannot be used or cannot be fetched; what has arrived stays for the next try.
    """
    wish = checked(app, wish)
    yield (yield from reported(lambda report: _bring_in(app, wish, report), "MB", 1e6))


def answer(app: Application, arrived: list[Arrival]) -> dict[str, Any]:
    """Its id, what it is (a model, a LoRA, a ControlNet or a decoder), and where it lies."""
    return {"id": arrived[0].folder.name, "what": arrived[0].what, "path": str(arrived[0].folder)}


def _bring_in(app: Application, wish: ImportModel, report: Report) -> Arrival:
    models = app.registry.folders[-1]
    staging = models / STAGING / wish.id
    with writable(models), disk_full_named(staging):
        files = staging / "files"
        files.mkdir(parents=True, exist_ok=True)
        try:
            with locked(staging, PATIENCE):
                path, place = Path(wish.source), None if wish.copy else refer
                real = path.resolve()
                check = partial(check_file, app, wish.source)
                if not path.is_absolute():
                    path, place = fetch(wish.source, staging / "hub", report, check), link_or_copy
                elif any(real.is_relative_to(root.resolve()) for each in app.stores for root in each.folders):
                    place = link_or_copy  # what stands in a store may be deleted there
                parcel = Parcel(wish.source, path, wish.id, wish.title, wish.kind, place)
                arrival = receive(app, parcel, files, report)
                shutil.rmtree(staging)
        except BlockingIOError:
            raise UserError(f"{wish.id!r} is being imported already.") from None
    return arrival
