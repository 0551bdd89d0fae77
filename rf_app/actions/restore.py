"""The settings that a saved picture carries, another program's too, or that another tab sent, ready to be
used.
"""

import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.compare import best_of_kinds
from rf_app.actions.foreign import READERS, Foreign, read_foreign
from rf_app.actions.picture import WAY
from rf_app.actions.sizes import Sizes
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_size, check_way, check_whole
from rf_app.pipeline.png import read_png_settings, read_texts
from rf_app.pipeline.start import check_start
from rf_app.registry.card import Card
from rf_app.settings.picture import (
    MAX_LORAS,
    MAX_STEPS,
    CheckedSettings,
    Lora,
    PictureSettings,
    parse_json,
    read_picture_settings,
)
from rf_app.settings.start import START, Start, read_start
from rf_app.settings.translated import TRANSLATED, Translated, read_translated
from rf_app.settings.way import Way, read_way

SAMPLERS = {"dpm++ 2m": "dpm++", "dpmpp_2m": "dpm++"}
"""By what other programs call them; ddim, euler, heun, lcm and tcd are called so everywhere."""
PLAIN_SCHEDULES = ("", "automatic", "normal", "simple", "uniform")
NAMED, LONGEST = 12, 60  # parts of a note, and characters of each


@dataclass(frozen=True)
class Restored:
    """settings: of the picture itself, None where it lies between others or is a translation; way: of a frame
    of an interpolation; start: what the picture began from, if not from noise alone; translated: which one
    was carried over to it, if one was.

    note: what could not be restored, or nothing.
    """

    settings: CheckedSettings | None
    way: Way | None
    note: str
    start: Start | None = None
    translated: Translated | None = None


def restore(app: Application, path: Path) -> Restored:
    """What a picture carries, from here or from another program.

    Raises UserError where it carries nothing that can be read, or its settings make no sense.
    """
    own = read_png_settings(path)
    if own is not None:
        return restore_json(app, own, f"{path.name}: the settings inside the picture")
    found = read_foreign(read_texts(path, READERS))
    if found is None:
        raise UserError(
            "This picture says nothing of how it was made. Drop one as it was saved here, or by A1111, "
            "Forge, ComfyUI, InvokeAI or Fooocus: what changes a picture often removes its settings."
        )
    return _restored(app, found)


def restore_sent(app: Application, text: str) -> Restored:
    """The settings that another tab sent as JSON; raises UserError where they make no sense."""
    source = "The settings sent here"
    return restore_json(app, parse_json(text, source), source)


def restore_json(app: Application, found: dict[str, Any], source: str) -> Restored:
    """Settings of a model, LoRA or ControlNet that is not here give everything else, with a note."""
    if TRANSLATED in found:
        made = read_translated(found[TRANSLATED])
        made = replace(made, steps=check_whole("steps", made.steps, 1, MAX_STEPS))
        return Restored(None, None, "", translated=made)
    way, settings, note = None, None, ""
    if WAY in found:
        way = read_way(found[WAY])
        common, note = _at_hand(app, way.picture)
        way = check_way(replace(way, picture=common), app.card(common))
    start = None
    if "prompt" in found or way is None:
        settings, note = _at_hand(app, read_picture_settings(found, source))
        settings = app.check(settings)
        if START in found:
            start = check_start(read_start(found[START]), app.size(settings))
    return Restored(settings, way, note, start)


def usable(app: Application, found: dict[str, Any], settings: PictureSettings) -> CheckedSettings:
    """The settings with what can be drawn with, of values that may come from anyone, in their place.

    The others are left out without a word: models and LoRAs go. Steps, guidance and solver count only for the
    model that they were chosen for.
    """
    groups = ("model",), ("loras",), ("prompt",), ("negative_prompt",), ("seed",), ("decoder",)
    of_model = ("solver",), ("steps",), ("guidance",), ("width", "height")
    for names in (*groups, *of_model):
        given = {name: found[name] for name in names if found.get(name) is not None}
        if not given or (names in of_model and settings.model != found.get("model")):
            continue
        with suppress(UserError):
            read = read_picture_settings(given, "The form")
            tried, _ = _at_hand(app, replace(settings, **{name: getattr(read, name) for name in given}))
            app.check(tried)
            settings = tried
    return app.check(settings)


def on_another(app: Application, settings: PictureSettings, model: str) -> PictureSettings:
    """The same on a model that they were not made with: in a size that it draws, with its own solver."""
    card = app.registry.card(model)
    try:
        size = check_size(settings.width, settings.height, card)
    except UserError:
        sides = (side or card.resolution for side in (settings.width, settings.height))
        size = dict(zip(("width", "height"), Sizes.of(card).like(*sides), strict=True))
    return replace(settings, model=model, solver=None, **size)


def _at_hand(app: Application, settings: PictureSettings) -> tuple[PictureSettings, str]:
    """The settings without what is not here, and a note that says so."""
    notes = []
    if settings.model not in (card.id for card in app.registry.cards()):
        if settings.model:
            notes.append(
                f"The picture was made with “{settings.model}”, which is not in the model list; the rest is "
                "restored."
            )
        settings = on_another(app, settings, app.first_model())
    loras = {card.id for card in app.loras.cards()} | {each.id for each in app.worker.uploads.of(app.visitor)}
    nets = {card.id for card in app.controlnets.cards()} if settings.control else set()
    gone = [each.id for each in settings.loras if each.id not in loras]
    if gone:
        notes.append(f"It used the LoRA “{gone[0]}”, which is not here; it is left out.")
    gone = [each.model for each in settings.control if each.model not in nets]
    if gone:
        notes.append(f"It followed “{gone[0]}”, a ControlNet that is not here; it is left out.")
    if settings.decoder and settings.decoder not in (card.id for card in app.decoders_for(settings.model)):
        notes.append(f"Its pixels were made by “{settings.decoder}”, which is not here for this model.")
        settings = replace(settings, decoder=None)
    settings = replace(
        settings,
        loras=tuple(each for each in settings.loras if each.id in loras),
        control=tuple(each for each in settings.control if each.model in nets),
    )
    return settings, " ".join(notes)


def _restored(app: Application, found: Foreign) -> Restored:
    """As much of another program's settings as there is something for here; the note names the rest."""
    left: list[str] = []
    model = _by_name(app.registry.cards(), found.model)
    if found.model and not model:
        left.append(f"model {found.model}")
    model = model or next(iter(best_of_kinds(app.registry, ("diffusion",))), app.first_model())
    settings = PictureSettings(found.prompt, model, negative_prompt=found.negative_prompt)

    def take(values: dict[str, Any], called: str) -> None:
        nonlocal settings
        try:
            tried = replace(settings, **values)
            app.check(tried)
            settings = tried
        except UserError:
            left.append(called)

    at_hand = [*app.worker.uploads.of(app.visitor), *app.loras.cards()]
    for name, strength in found.loras[:MAX_LORAS]:
        lora = Lora(_by_name(at_hand, name), _number(strength))
        take({"loras": (*settings.loras, lora)}, f"LoRA {name}")
    if len(found.loras) > MAX_LORAS:
        left.append(f"{len(found.loras) - MAX_LORAS} LoRAs more than {MAX_LORAS}")
    for name in ("steps", "guidance", "seed"):
        if (value := getattr(found, name)) is not None:
            take({name: _number(value)}, f"{name} {value}" if isinstance(value, (int, float, str)) else name)
    if found.sampler:
        solver = SAMPLERS.get(found.sampler.lower(), found.sampler.lower())
        take({"solver": solver}, f"sampler {found.sampler}")
    schedule = found.schedule.lower()
    if schedule not in PLAIN_SCHEDULES:
        left.append(f"{'karras' if schedule == 'k' else schedule} schedule")
    size = [side for side in map(_number, found.size) if isinstance(side, int)]
    if len(size) == 2:
        take(dict(zip(("width", "height"), size, strict=True)), f"size {size[0]}×{size[1]}")
    left = [f"{each:.{LONGEST}}".encode(errors="replace").decode() for each in (*left, *found.others)]
    more = [f"{len(left) - NAMED} more"] if len(left) > NAMED else []
    note = f"Left out: {', '.join(left[:NAMED] + more)}." if left else ""
    return Restored(app.check(settings), None, note)


def _by_name(cards: Sequence[Card], name: str) -> str:
    """The id of what is called so, or was when it was imported; "" for none."""
    wanted = _plain(name)
    names = {each.id: (each.id, each.title, str(each.settings.get("imported", ""))) for each in cards}
    return next((id for id, known in names.items() if wanted and wanted in map(_plain, known)), "")


def _plain(name: str) -> str:
    """A name without its folder and its ending, however its words are joined."""
    bare = re.sub(r"\.(safetensors|ckpt|pt|bin)$", "", re.split(r"[\\/]", name)[-1], flags=re.I)
    return re.sub(r"[\W_]+", "-", bare.lower()).strip("-")


def _number(value: Any) -> Any:
    """The number that is meant; any other value as it is."""
    try:
        found = float(value)
        return int(found) if found.is_integer() else found
    except (ValueError, TypeError, OverflowError):
        return value
