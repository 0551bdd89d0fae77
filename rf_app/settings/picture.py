"""The one record of settings for a picture, and its JSON form.

The page, the API, the command line, a PNG's metadata and the jobs all speak of a picture in these words.
What a person wishes is `PictureSettings`: steps, guidance and solver may be left to the model. What a
picture was made with is `CheckedSettings`: `rf_app.pipeline.checking.check` has put everything in force and
in range.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, TypeVar

from rf_app.errors import UserError

MAX_PROMPT = 2000  # characters
MAX_STEPS = 100
MAX_GUIDANCE = 20.0
MAX_SEED = 2**32 - 1
MAX_LORAS = 8
MAX_CONTROLS = 2
MAX_STRENGTH = 2.0
MAX_JSON_CHARACTERS = 4 * 2**20  # the maps of its controls among them

Part = TypeVar("Part", "Lora", "Control", "Side")


@dataclass(frozen=True)
class Lora:
    """A LoRA to draw with."""

    id: str
    """Id of a LoRA at hand, or of one that the same session uploaded."""
    strength: float = 1.0
    """-2 to 2; 0 is the model without it."""


@dataclass(frozen=True)
class Control:
    """A picture that another should follow, and the ControlNet that reads it."""

    model: str
    """Id of a ControlNet."""
    image: str
    """The picture, in base64."""
    preprocessor: str = ""
    """How it becomes a condition map: canny, scribble, depth, openpose, none for a finished map, or the
    ControlNet's own way where nothing is said."""
    low: float = 100.0
    """Canny's low threshold, 0 to 500."""
    high: float = 200.0
    """Canny's high threshold, 0 to 500."""
    strength: float = 1.0
    """0 to 2; 0 is the picture without it."""
    start: float = 0.0
    """It acts from this share of the steps on, 0 to 1."""
    end: float = 1.0
    """And until this one: in the steps that lie between the two, or in the nearest where none does."""


@dataclass(frozen=True)
class Side:
    """A model that is compared, with settings of its own; as those of `PictureSettings`."""

    model: str
    """Id of the model."""
    steps: int | None = None
    guidance: float | None = None
    solver: str | None = None
    negative_prompt: str = ""


@dataclass(frozen=True)
class PictureSettings:
    """A wish for one picture."""

    prompt: str
    """What the picture shows. Of {red|blue} the seed chooses one, of {2$$a|b|c} two, of __animal__ a line of
    wildcards/animal.txt in the user's folder. Models of Stable Diffusion's size read (word:1.3) 1.3 times as
    strongly."""
    model: str = ""
    """Id of the model (default: the quick one-step model)."""
    steps: int | None = None
    """Steps, 1 to 100 (default: what the model recommends)."""
    guidance: float | None = None
    """Guidance scale, 0 to 20; up to 1 means none (default: what the model recommends)."""
    seed: int = 0
    """The whole number the noise is drawn from, 0 to 4294967295."""
    negative_prompt: str = ""
    """What to keep out of the picture; it acts with guidance above 1."""
    solver: str | None = None
    """dpm++, ddim or euler of diffusion models, euler or heun of others (default: the first)."""
    control: tuple[Control, ...] = ()
    """Up to 2 pictures to follow, in base64, each with the id of a ControlNet."""
    loras: tuple[Lora, ...] = ()
    """Up to 8 LoRAs, each with its id, as upload_lora gives it, and a strength (-2 to 2, default 1)."""
    width: int | None = None
    """Pixels, in steps of 8, in the range that the model knows (default: the model's own size)."""
    height: int | None = None
    """Pixels, likewise."""
    decoder: str | None = None
    """Id of a tiny decoder, which turns what the model drew into pixels sooner (default: the model's own)."""

    def as_json(self) -> dict[str, Any]:
        """All that makes the picture again; LoRAs and controls only where there are any."""
        settings = {name: value for name, value in asdict(self).items() if value != () and value is not None}
        return settings | {name: list(settings[name]) for name in ("control", "loras") if name in settings}


@dataclass(frozen=True)
class CheckedSettings(PictureSettings):
    """Settings in force: nothing is left open, everything is in range, and controls are condition maps.

    Width and height are None where they are the model's own, or numbers both.
    """

    steps: int = 1
    guidance: float = 1.0
    solver: str = "euler"
    engine: str | None = None
    """What computes it, of ENGINES, which the machine has and nobody wishes for; None for float32."""


FIELDS: dict[str, type | tuple[type, ...]] = {
    "prompt": str,
    "negative_prompt": str,
    "model": str,
    "seed": int,
    "steps": int,
    "guidance": (int, float),
    "solver": str,
    "width": int,
    "height": int,
    "decoder": str,
    "loras": list,
    "control": list,
}
"""What is read of a picture's settings, and its JSON type; a picture may carry more."""


def parse_json(text: str, source: str) -> dict[str, Any]:
    """The object in a JSON text that may come from anyone; raises UserError, beginning with `source`."""
    try:
        if len(text) > MAX_JSON_CHARACTERS:
            raise ValueError
        found = json.loads(text)
        if not isinstance(found, dict):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise UserError(f"{source} are not readable.") from None
    return found


def read_picture_settings(found: dict[str, Any], source: str) -> PictureSettings:
    """The settings in an object that may come from anyone, FIELDS of it, as `as_json` gives them.

    Raises UserError, beginning with `source`, for a value of another type. Values still have to be checked.
    """
    values = {name: found[name] for name in FIELDS if found.get(name) is not None}
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, FIELDS[name]):
            raise UserError(f"{source}: {name} is {value!r:.40}, which cannot be used.")
        if isinstance(value, str) and len(value) > MAX_PROMPT:
            raise UserError(f"{source}: {name} has {len(value):,} characters; at most {MAX_PROMPT:,}.")
    control = read_controls(values.get("control", []))
    maps = tuple(replace(each, preprocessor=each.preprocessor or "none") for each in control)
    loras = read_loras(values.get("loras", []))
    return PictureSettings(**{"prompt": ""} | values | {"loras": loras, "control": maps})


def read_loras(found: Any) -> tuple[Lora, ...]:
    """The LoRAs in JSON that may come from anyone: a list of ids, or of objects of "id", "strength" and "on".

    One with "on" false is left out. Raises UserError where it has no such form.
    """
    return _read(found, Lora, "loras", "LoRA", ("id",))


def read_controls(found: Any) -> tuple[Control, ...]:
    """The controls in JSON that may come from anyone: a list of objects of `Control`'s fields; as
    `read_loras`.
    """
    return _read(found, Control, "control", "control", ("model", "image"))


def read_sides(found: Any) -> tuple[Side, ...]:
    """The sides in JSON that may come from anyone: a list of ids, or of objects of `Side`'s fields; as
    `read_loras`.
    """
    return _read(found, Side, "models", "model", ("model",))


def read_models(found: Any) -> tuple[str, ...]:
    """The ids in JSON that may come from anyone; raises UserError where it is no list of ids."""
    if not isinstance(found, (list, tuple)) or not all(isinstance(each, str) for each in found):
        raise UserError("models must be a list of model ids.")
    return tuple(found)


def _read(found: Any, kind: type[Part], name: str, title: str, needed: Sequence[str]) -> tuple[Part, ...]:
    known = [field.name for field in fields(kind)]
    shape = "{" + ", ".join(f'"{each}": …' for each in needed) + "}"
    if not isinstance(found, (list, tuple)):
        raise UserError(f"{name} must be a list of {shape}.")
    parts = []
    for each in found:
        each = {needed[0]: each} if isinstance(each, str) else each
        if not isinstance(each, dict) or not all(isinstance(each.get(need), str) for need in needed):
            raise UserError(
                f"{each!r:.80} is no {title}; give {shape}, and if you like "
                f"{', '.join(known[len(needed) :])}."
            )
        if each.get("on", True):
            parts.append(kind(**{key: each[key] for key in known if key in each}))
    return tuple(parts)
