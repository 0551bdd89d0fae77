"""The settings that a saved picture carries, or that another tab sent, ready to be used here."""

from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.picture import WAY
from rf_app.errors import UserError
from rf_app.pipeline.checking import check, check_way
from rf_app.pipeline.png import read_png_settings
from rf_app.settings.picture import CheckedSettings, PictureSettings, parse_json, read_picture_settings
from rf_app.settings.way import Way, read_way


@dataclass(frozen=True)
class Restored:
    """settings: of the picture itself, None where it lies between others; way: of a frame of an
    interpolation.

    note: what could not be restored, or nothing.
    """

    settings: CheckedSettings | None
    way: Way | None
    note: str


def restore(app: Application, path: Path) -> Restored:
    """What a PNG carries; raises UserError where it carries nothing of ours or its settings make no sense."""
    found = read_png_settings(path)
    if found is None:
        raise UserError(
            "This picture carries no InstaFlow settings. Drop a PNG that was saved here, unchanged."
        )
    return restore_json(app, found, f"{path.name}: the settings inside the picture")


def restore_sent(app: Application, text: str) -> Restored:
    """The settings that another tab sent as JSON; raises UserError where they make no sense."""
    source = "The settings sent here"
    return restore_json(app, parse_json(text, source), source)


def restore_json(app: Application, found: dict[str, Any], source: str) -> Restored:
    """Settings of a model, LoRA or ControlNet that is not here give everything else, with a note."""
    way, settings, note = None, None, ""
    if WAY in found:
        way = read_way(found[WAY])
        common, note = _at_hand(app, way.picture)
        way = check_way(replace(way, picture=common), app.card(common))
    if "prompt" in found or way is None:
        settings, note = _at_hand(app, read_picture_settings(found, source))
        settings = check(settings, app.card(settings))
    return Restored(settings, way, note)


def usable(app: Application, found: dict[str, Any], settings: PictureSettings) -> CheckedSettings:
    """The settings with what can be drawn with, of values that may come from anyone, in their place.

    The others are left out without a word: models and LoRAs go. Steps, guidance and solver count only for the
    model that they were chosen for.
    """
    of_model = ("solver", "steps", "guidance")
    for name in ("model", "loras", "prompt", "negative_prompt", "seed", *of_model):
        if found.get(name) is None or (name in of_model and settings.model != found.get("model")):
            continue
        with suppress(UserError):
            value = getattr(read_picture_settings({name: found[name]}, "The form"), name)
            tried, _ = _at_hand(app, replace(settings, **{name: value}))
            check(tried, app.card(tried))
            settings = tried
    return check(settings, app.card(settings))


def _at_hand(app: Application, settings: PictureSettings) -> tuple[PictureSettings, str]:
    """The settings without what is not here, and a note that says so."""
    notes = []
    if settings.model not in (card.id for card in app.registry.cards()):
        notes.append(
            f"The picture was made with “{settings.model}”, which is not in the model list; the rest is "
            "restored."
        )
        settings = replace(settings, model=app.first_model(), solver=None)
    loras = {card.id for card in app.loras.cards()} | {each.id for each in app.worker.uploads.of(app.visitor)}
    nets = {card.id for card in app.controlnets.cards()} if settings.control else set()
    gone = [each.id for each in settings.loras if each.id not in loras]
    if gone:
        notes.append(f"It used the LoRA “{gone[0]}”, which is not here; it is left out.")
    gone = [each.model for each in settings.control if each.model not in nets]
    if gone:
        notes.append(f"It followed “{gone[0]}”, a ControlNet that is not here; it is left out.")
    settings = replace(
        settings,
        loras=tuple(each for each in settings.loras if each.id in loras),
        control=tuple(each for each in settings.control if each.model in nets),
    )
    return settings, " ".join(notes)
