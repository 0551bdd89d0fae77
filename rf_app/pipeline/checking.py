"""From a wish to settings in force: a model's own values filled in, everything in range, pictures made
maps.
"""

from collections.abc import Sized
from dataclasses import replace
from typing import Any

from rf_app.errors import UserError
from rf_app.plugins.picture import decode_map
from rf_app.registry.card import SIDE_STEP, ModelCard, check_id
from rf_app.schedulers.solvers import MOST_STEPS, solvers
from rf_app.settings.picture import (
    MAX_CONTROLS,
    MAX_GUIDANCE,
    MAX_LORAS,
    MAX_PROMPT,
    MAX_SEED,
    MAX_STEPS,
    MAX_STRENGTH,
    CheckedSettings,
    Control,
    Lora,
    PictureSettings,
)
from rf_app.settings.text import visible
from rf_app.settings.way import MAX_KEY_FRAMES, NOISE, TEXT, KeyFrame, Way


def check(settings: PictureSettings, card: ModelCard) -> CheckedSettings:
    """The settings in force on the model of `card`; raises UserError naming the value out of range."""
    prompt = check_text("prompt", settings.prompt)
    if not prompt:
        raise UserError("The prompt is empty: describe the picture you want.")
    known = solvers(card.kind)
    solver = settings.solver or known[0]
    if solver not in known:
        raise UserError(f"solver is {solver!r:.40}; {card.id} takes one of {', '.join(known)}.")
    guidance = card.guidance if settings.guidance is None else settings.guidance
    steps = card.steps if settings.steps is None else settings.steps
    return CheckedSettings(
        prompt=prompt,
        model=card.id,
        steps=check_whole("steps", steps, 1, MOST_STEPS.get(card.kind, MAX_STEPS)),
        guidance=check_number("guidance", guidance, 0, MAX_GUIDANCE),
        seed=check_whole("seed", settings.seed, 0, MAX_SEED),
        negative_prompt=check_text("negative prompt", settings.negative_prompt),
        solver=solver,
        control=_controls(settings.control),
        loras=_loras(settings.loras),
        **check_size(settings.width, settings.height, card),
        decoder=check_id(settings.decoder, "decoder") if settings.decoder else None,
    )


def check_size(width: Any, height: Any, card: ModelCard) -> dict[str, int | None]:
    """The sides in force by their names, both None where they are the model's own.

    Raises UserError naming the value that the model cannot draw.
    """
    sides = {"width": width, "height": height}
    sides = {name: card.resolution if value is None else value for name, value in sides.items()}
    if all(value == card.resolution for value in sides.values()):
        return dict.fromkeys(sides)
    for name, value in sides.items():
        sides[name] = check_whole(name, value, *card.sides)
        if sides[name] % SIDE_STEP:
            raise UserError(f"{name} is {value}; {card.id} draws sides in steps of {SIDE_STEP} pixels.")
    area = sides["width"] * sides["height"]
    if area > card.most_pixels:
        longest = card.sides[1]
        raise UserError(
            f"{sides['width']}×{sides['height']} has {area:,} pixels; {card.id} draws at most "
            f"{card.most_pixels:,}, as {longest}×{card.most_pixels // longest} has."
        )
    return sides


def check_way(way: Way, card: ModelCard) -> Way:
    """The same with its pictures' settings in force; raises UserError naming the value out of range."""
    count = len(way.key_frames)
    if way.square and count != 4:
        raise UserError(f"A square has 4 key frames, one in each corner, not {count}.")
    if not 2 <= count <= MAX_KEY_FRAMES:
        raise UserError(f"The number of key frames is {count}; 2 to {MAX_KEY_FRAMES} are accepted.")
    if len(way.position) not in (1, 2) or not all(_is_share(value) for value in way.position):
        raise UserError(
            f"position is {way.position!r:.60}; it must be one number in 0..1, or two in a square."
        )
    for name, value, known in (("noise", way.noise, NOISE), ("text", way.text, TEXT)):
        if value not in known:
            raise UserError(f"{name} is {value!r:.40}; it must be one of {', '.join(known)}.")
    pictures = []
    for number, key in enumerate(way.key_frames, 1):
        try:
            pictures.append(check(replace(way.picture, prompt=key.prompt, seed=key.seed), card))
        except UserError as error:
            raise UserError(f"Key frame {number}: {error}") from None
    keys = tuple(KeyFrame(picture.prompt, picture.seed) for picture in pictures)
    return replace(way, key_frames=keys, position=tuple(map(float, way.position)), picture=pictures[0])


def check_whole(name: str, value: Any, low: int, high: int) -> int:
    """The whole number, also of a page's field that gives 4.0 for 4; raises UserError for any other value."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        said = "empty" if value is None else f"{value!r:.40}"
        raise UserError(f"{name} is {said}; it must be a whole number in {low}..{high}.")
    return value


def check_count(name: str, parts: Sized, most: int) -> None:
    """Raise UserError for more than so many."""
    if len(parts) > most:
        raise UserError(f"There are {len(parts)} {name}; at most {most} are accepted at once.")


def _loras(loras: tuple[Lora, ...]) -> tuple[Lora, ...]:
    check_count("LoRAs", loras, MAX_LORAS)
    ids = [check_id(each.id, "LoRA") for each in loras]
    for id in ids:
        if ids.count(id) > 1:
            raise UserError(f"LoRA {id!r} is there twice: give it once, with one strength.")
    return tuple(
        Lora(each.id, check_number(f"LoRA {each.id}: strength", each.strength, -MAX_STRENGTH, MAX_STRENGTH))
        for each in loras
    )


def _controls(control: tuple[Control, ...]) -> tuple[Control, ...]:
    check_count("controls", control, MAX_CONTROLS)
    checked = []
    for each in control:
        name = f"ControlNet {check_id(each.model, 'ControlNet')}"
        start, end = (check_number(f"{name}: {at}", getattr(each, at), 0, 1) for at in ("start", "end"))
        if start >= end:
            raise UserError(f"{name}: start is {start:g} and end is {end:g}; start must be the smaller.")
        decode_map(each.image)
        strength = check_number(f"{name}: strength", each.strength, 0, MAX_STRENGTH)
        checked.append(Control(each.model, each.image, "none", strength=strength, start=start, end=end))
    return tuple(checked)


def check_text(name: str, value: Any) -> str:
    """The text as a person sees it; raises UserError for what is none, or too long."""
    if not isinstance(value, str):
        raise UserError(f"The {name} must be text, not {value!r:.40}.")
    if len(value) > MAX_PROMPT:
        raise UserError(f"The {name} has {len(value):,} characters; at most {MAX_PROMPT:,} are accepted.")
    try:
        value.encode("utf-8")
    except UnicodeEncodeError:
        raise UserError(
            f"The {name} holds half a surrogate pair, which is not text: please type it again."
        ) from None
    return visible(value).strip()


def check_number(name: str, value: Any, low: float, high: float) -> float:
    """The number; raises UserError for any other value."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{name} must be a number in {low:g}..{high:g}, not {value!r:.40}.")
    if not low <= value <= high:  # neither NaN nor infinity is
        raise UserError(f"{name} is {value!r:.40}; it must be in {low:g}..{high:g}.")
    return float(value)


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value <= 1
