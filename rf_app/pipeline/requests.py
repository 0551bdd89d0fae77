"""What goes into the worker and what comes out: small typed records, checked before anything is computed."""

from dataclasses import dataclass, replace

from PIL import Image

from rf_app.errors import UserError
from rf_app.plugins.picture import decode_map
from rf_app.registry.card import ModelCard, check_id
from rf_app.schedulers.solvers import solvers

MAX_PROMPT = 2000
MAX_STEPS = 100
MAX_GUIDANCE = 20.0
MAX_SEED = 2**32 - 1
MAX_COUNT = 16
MAX_LORAS = 8
MAX_CONTROLS = 2
MAX_STRENGTH = 2.0


@dataclass(frozen=True)
class Lora:
    """A LoRA to draw with: an id of the LoRAs at hand, or of one that the session uploaded."""

    id: str
    strength: float = 1.0  # -2..2; 0 is the model without it


@dataclass(frozen=True)
class Control:
    """What the picture should follow: a condition map, and the ControlNet that reads it."""

    model: str  # an id of the ControlNets
    image: str  # the map, as `rf_app.plugins.picture.encode_map` has it
    strength: float = 1.0  # 0..2; 0 is the picture without it
    start: float = 0.0  # it acts from this share of the steps on
    end: float = 1.0  # and until this one: a step acts if the whole of it lies between the two


@dataclass(frozen=True)
class GenerateRequest:
    """A wish for pictures. Image i has seed + i (modulo 2^32) and equals the single picture of that seed."""

    prompt: str
    model: str  # an id of the registry
    steps: int | None = None  # None: the card's
    guidance: float | None = None  # None: the card's; up to 1 means none
    seed: int = 0
    count: int = 1
    negative_prompt: str = ""  # of use only with guidance above 1
    solver: str | None = None  # None: the model's own; see rf_app.schedulers.solvers
    loras: tuple[Lora, ...] = ()  # each once
    control: tuple[Control, ...] = ()  # at most two
    session: str = ""  # whose uploads `loras` may name; a secret, so never part of a picture's settings

    def checked(self, card: ModelCard) -> "GenerateRequest":
        """The same with the card's defaults filled in; raises UserError naming the value out of range."""
        prompt = _text("prompt", self.prompt)
        if not prompt:
            raise UserError("The prompt is empty: describe the picture you want.")
        steps = card.steps if self.steps is None else self.steps
        guidance = card.guidance if self.guidance is None else self.guidance
        known = solvers(card.kind)
        solver = known[0] if self.solver is None else self.solver
        if solver not in known:
            raise UserError(f"solver is {solver!r:.40}; {card.id} takes one of {', '.join(known)}.")
        return replace(
            self,
            prompt=prompt,
            negative_prompt=_text("negative prompt", self.negative_prompt),
            steps=_whole("steps", steps, 1, MAX_STEPS),
            guidance=_number("guidance", guidance, 0, MAX_GUIDANCE),
            seed=_whole("seed", self.seed, 0, MAX_SEED),
            count=_whole("count", self.count, 1, MAX_COUNT),
            solver=solver,
            loras=checked_loras(self.loras),
            control=checked_control(self.control),
        )


def checked_loras(loras: tuple[Lora, ...]) -> tuple[Lora, ...]:
    """The same with strengths as float; raises UserError for one out of range, too many, or one twice."""
    if len(loras) > MAX_LORAS:
        raise UserError(f"There are {len(loras)} LoRAs; at most {MAX_LORAS} are accepted at once.")
    ids = [check_id(each.id, "LoRA") for each in loras]
    for id in ids:
        if ids.count(id) > 1:
            raise UserError(f"LoRA {id!r} is there twice: give it once, with one strength.")
    return tuple(
        Lora(each.id, _number(f"LoRA {each.id}: strength", each.strength, -MAX_STRENGTH, MAX_STRENGTH))
        for each in loras
    )


def checked_control(control: tuple[Control, ...]) -> tuple[Control, ...]:
    """The same with numbers as float; raises UserError for one out of range, too many, or what is no map."""
    if len(control) > MAX_CONTROLS:
        raise UserError(f"There are {len(control)} controls; at most {MAX_CONTROLS} are accepted at once.")
    checked = []
    for each in control:
        name = f"ControlNet {check_id(each.model, 'ControlNet')}"
        start, end = (_number(f"{name}: {at}", getattr(each, at), 0, 1) for at in ("start", "end"))
        if start >= end:
            raise UserError(f"{name}: start is {start:g} and end is {end:g}; start must be the smaller.")
        decode_map(each.image)
        strength = _number(f"{name}: strength", each.strength, 0, MAX_STRENGTH)
        checked.append(Control(each.model, each.image, strength, start, end))
    return tuple(checked)


@dataclass(frozen=True)
class Timings:
    """Seconds the worker spent on a request, summed over its images; total counts what lies between, too."""

    text: float
    unet: float
    decode: float
    total: float


@dataclass(frozen=True)
class GenerateResult:
    """images[i] has seeds[i]; request is the checked one.

    unknown_words: those the model has not learned. unread: the end of a prompt that is too long for
    its text encoder, or nothing.
    """

    images: tuple[Image.Image, ...]
    request: GenerateRequest
    seeds: tuple[int, ...]
    timings: Timings
    unknown_words: tuple[str, ...]
    unread: str


def _text(name: str, value: str) -> str:
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
    return value.strip()


def _number(name: str, value: float, low: float, high: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise UserError(f"{name} must be a number in {low:g}..{high:g}, not {value!r:.40}.")
    if not low <= value <= high:  # neither NaN nor infinity is
        raise UserError(f"{name} is {value!r:.40}; it must be in {low:g}..{high:g}.")
    return float(value)


def _whole(name: str, value: int, low: int, high: int) -> int:
    # A page's number field may give 4.0 for 4.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
        raise UserError(f"{name} is {value!r:.40}; it must be a whole number in {low}..{high}.")
    return value
