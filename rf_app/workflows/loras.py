"""LoRAs as the page, pictures and programs have them: settings in JSON, rows of a panel, uploads, saving."""

import shutil
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from rf_app.errors import UserError
from rf_app.pipeline.requests import Lora
from rf_app.pipeline.worker import Worker
from rf_app.plugins.uploads import Upload
from rf_app.registry.card import as_id
from rf_app.registry.disk import disk_full_named
from rf_app.registry.loras import UPLOAD, LoraCard


def read_loras(found: Any) -> tuple[Lora, ...]:
    """The LoRAs in JSON that may come from anyone: a list of objects of "id", "strength" and "on", or of ids.

    One with "on" false is left out. Raises UserError where it has no such form. Values still have to pass
    `GenerateRequest.checked`.
    """
    if not isinstance(found, list):
        raise UserError('loras must be a list of {"id": …, "strength": …}.')
    loras = []
    for each in found:
        each = {"id": each} if isinstance(each, str) else each
        if not isinstance(each, dict) or not isinstance(each.get("id"), str):
            raise UserError(f'{each!r:.80} is no LoRA; give {{"id": …, "strength": …}}.')
        if each.get("on", True):
            loras.append(Lora(each["id"], each.get("strength", 1.0)))
    return tuple(loras)


def lora_settings(loras: Sequence[Lora]) -> list[dict[str, Any]]:
    """What a picture carries of its LoRAs."""
    return [asdict(each) for each in loras]


class LoraDesk:
    """What visitors do with LoRAs, on one worker's."""

    def __init__(self, worker: Worker):
        """The worker may be shared with other workflows."""
        self.worker = worker

    def choices(self, session: str) -> list[tuple[str, str]]:
        """(title, id) of all at hand, the session's own uploads first."""
        own = [(f"{upload.title} (uploaded)", upload.id) for upload in self.worker.uploads.of(session)]
        return own + [(card.title, card.id) for card in self.worker.loras.cards()]

    def rows(self, loras: Sequence[Lora], session: str) -> list[dict[str, Any]]:
        """One row of a panel for each; raises UserError for one that is not at hand."""
        return [self._row(lora, session) for lora in loras]

    def gone(self, loras: Sequence[Lora], session: str) -> list[Lora]:
        """Those that are not at hand."""
        here = {id for _, id in self.choices(session)}
        return [lora for lora in loras if lora.id not in here]

    def upload(self, file: Path, name: str, model: str, session: str) -> Upload:
        """Keep a file for the session.

        Raises UserError where it is no LoRA for the model, or there is no room, and `DiskFull`.
        """
        with disk_full_named(Path(gettempdir())), TemporaryDirectory() as folder:
            own = Path(folder) / "lora.safetensors"
            try:
                # Gradio gives equal uploads one path: another visitor's call may remove it while this waits.
                shutil.copyfile(file, own)
            except FileNotFoundError:
                raise UserError(f"{name} is gone from this computer: please upload it again.") from None
            found = self.worker.inspect_lora(own, model)
            return self.worker.uploads.add(session, own, name, found.trigger)

    def remove(self, id: str, session: str) -> None:
        """Delete one of the session's uploads; any other id is left alone."""
        self.worker.uploads.remove(session, id)

    def leave(self, session: str) -> None:
        """The session's page was closed: what it uploaded goes with it."""
        self.worker.uploads.leave(session)

    def save(self, id: str, session: str) -> LoraCard:
        """Put one of the session's uploads among the LoRAs for all, under an id made from its title.

        Raises UserError if there is one of that id or the folder cannot be written to, and `DiskFull`.
        """
        upload = self.worker.uploads.get(session, id)
        own = as_id(upload.title) or f"lora-{id.removeprefix(UPLOAD)}"
        card = LoraCard(own, upload.title, "Uploaded.", trigger=upload.trigger)
        self.worker.loras.save(upload.path, card)
        return card

    def _row(self, lora: Lora, session: str) -> dict[str, Any]:
        uploaded = lora.id.startswith(UPLOAD)
        found = self.worker.uploads.get(session, lora.id) if uploaded else self.worker.loras.card(lora.id)
        return {
            "id": lora.id,
            "title": found.title,
            "trigger": found.trigger,
            "strength": lora.strength,
            "on": True,
            "uploaded": uploaded,
        }
