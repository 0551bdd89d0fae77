"""LoRAs as a visitor has them: those for all and the own uploads; uploaded, kept for all, taken away."""

import shutil
from collections.abc import Sequence
from dataclasses import fields, replace
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from rf_app.actions.application import KIND_TITLES, LOOKED_AT, Application
from rf_app.errors import UserError
from rf_app.plugins.lora import MAX_FILE_BYTES, too_large
from rf_app.plugins.lora_header import preview_in
from rf_app.plugins.uploads import MAX_BYTES, MAX_TOTAL_BYTES, Upload
from rf_app.registry.card import as_id
from rf_app.registry.disk import disk_full_named
from rf_app.registry.loras import MAKES, NAMELESS, UPLOAD, LoraCard, made_for, sampling_in
from rf_app.registry.permission import Permission
from rf_app.settings.picture import MAX_LORAS, Lora

STRANGER_FILE_BYTES = 256 * 2**20
NAMED = 8  # of what is not used
BUDGET = 1.0  # of strength, which styles share; as in ui/parts/loras.js


def choices(app: Application) -> list[tuple[str, str]]:
    """(title, id) of all at hand, the visitor's own uploads first."""
    own = [(f"{upload.title} (uploaded)", upload.id) for upload in app.worker.uploads.of(app.visitor)]
    return own + [(card.title, card.id) for card in app.loras.cards()]


def rows(app: Application, loras: Sequence[Lora]) -> list[dict[str, Any]]:
    """One row of a panel for each; raises UserError for one that is not at hand."""
    return [_row(app, lora) for lora in loras]


def added(app: Application, shown: Sequence[dict[str, Any]], lora: Lora) -> list[dict[str, Any]]:
    """The rows of a panel, with one more for a LoRA that is not among them yet.

    Styles share one budget of strength, as two at full strength make confetti: a new one has its share, and
    the others give way, if need be. One that brings a sampler counts for nothing. Raises UserError for too
    many.
    """
    if lora.id in [row["id"] for row in shown]:
        return list(shown)
    if len(shown) >= MAX_LORAS:
        raise UserError(f"{MAX_LORAS} LoRAs are there already: remove one first.")
    new = _row(app, lora)
    styles = [] if new["sampler"] else [row for row in shown if row["on"] and not row["sampler"]]
    if styles:
        share, used = BUDGET / (len(styles) + 1), sum(abs(row["strength"]) for row in styles)
        new["strength"] = _notch(min(max(new["strength"], -share), share))
        room = BUDGET - abs(new["strength"])
        if used > room:
            styles = [row | {"strength": _notch(row["strength"] * room / used)} for row in styles]
    changed = {row["id"]: row for row in styles}
    return [*(changed.get(row["id"], row) for row in shown), new]


def _notch(strength: float) -> float:
    """The nearest place that the page's sliders have."""
    return round(strength * 20) / 20


def upload(app: Application, file: Path, name: str, model: str, kind: str = "") -> Upload:
    """Keep a file for the visitor's session.

    kind: what it makes of a diffusion model, where it does not say it itself. Raises UserError where it is no
    LoRA for the model, or there is no room, or too many wait to be looked at, and `DiskFull`.
    """
    if not app.looking.acquire(blocking=False):  # it may come past the queue
        raise UserError(f"{LOOKED_AT} uploaded files are being looked at: try again in a moment.")
    try:
        return _uploaded(app, file, name, model, kind)
    finally:
        app.looking.release()


def _uploaded(app: Application, file: Path, name: str, model: str, kind: str) -> Upload:
    with disk_full_named(Path(gettempdir()), name), TemporaryDirectory() as folder:
        own = Path(folder) / "lora.safetensors"
        try:
            shutil.copyfile(file, own)  # what Gradio keeps may be cleared away while this waits
        except FileNotFoundError:
            raise UserError(f"{name} is gone from this computer: please upload it again.") from None
        most = file_limit(app.permission)
        if own.stat().st_size > most:
            raise too_large(own.stat().st_size, most)
        found = app.worker.inspect_lora(own, model)
        said = found.said | sampling_in(name) | (made_for(kind) if kind else {})
        room = MAX_TOTAL_BYTES if app.permission else MAX_BYTES
        return app.worker.uploads.add(app.visitor, own, name, room, unused=found.unused, **said)


def tell(app: Application, id: str, kind: str) -> None:
    """Say what one of the visitor's uploads makes of a diffusion model, whose file does not say it; "" for
    nothing. Raises UserError for another kind, and for an upload that is gone.
    """
    app.worker.uploads.tell(app.visitor, id, **made_for(kind))


def file_limit(permission: Permission) -> int:
    """How many bytes a visitor's file may have."""
    return MAX_FILE_BYTES if permission else STRANGER_FILE_BYTES


def keep(app: Application, id: str) -> LoraCard:
    """Put one of the visitor's uploads among the LoRAs for all, under an id made from its title.

    Raises UserError if there is one of that id or the folder cannot be written to, and `DiskFull`.
    """
    app.permission.check("Keeping a LoRA")
    upload = app.worker.uploads.get(app.visitor, id)
    own = as_id(upload.title) or f"lora-{id.removeprefix(UPLOAD)}"
    card = LoraCard(**{each.name: getattr(upload, each.name) for each in fields(LoraCard)})
    card = replace(card, id=own, description=f"Uploaded. {not_used(upload.unused)}".strip())
    app.loras.save(upload.path, card)
    return card


def recommended(app: Application, id: str) -> Lora:
    """A LoRA at the strength that it recommends; raises UserError for one that is not at hand."""
    return Lora(id, known(app, id).strength)


def known(app: Application, id: str) -> LoraCard:
    """What is known of a LoRA at hand; raises UserError for one that is not."""
    uploaded = id.startswith(UPLOAD)
    return app.worker.uploads.get(app.visitor, id) if uploaded else app.loras.card(id)


def not_used(names: Sequence[str]) -> str:
    """What of a file finds no place in the model, in a sentence; "" where all of it does."""
    more = f" and {len(names) - NAMED:,} more" if len(names) > NAMED else ""
    return f"Not used of its file: {', '.join(names[:NAMED])}{more}." if names else ""


def _row(app: Application, lora: Lora) -> dict[str, Any]:
    found = known(app, lora.id)
    uploaded = isinstance(found, Upload)
    asked = [["", "a style"], *([kind, KIND_TITLES[kind]] for kind in MAKES)]
    with app.one_picture:
        preview = preview_in(found.path if uploaded else app.loras.file(lora.id))
    return {
        "id": lora.id,
        "title": found.title,
        "trigger": found.trigger,
        "strength": lora.strength,
        "on": True,
        "sampler": bool(found.kind),
        "uploaded": uploaded,
        "preview": preview,
        "note": not_used(found.unused) if uploaded else "",
        "kind": found.kind,
        "kinds": asked if uploaded and NAMELESS.fullmatch(found.title) else [],  # to choose from
    }
