"""The same words and the same noise on several models: what each draws, and how long it takes.

python -m rf_app compare "a lake at night" --models pocket-sd pocket-instaflow --out pictures
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from rf_app.actions.application import FAVOURITE, Application
from rf_app.actions.asking import File
from rf_app.actions.attempt import Attempt, attempt
from rf_app.actions.progress import Clock, Events, Progress
from rf_app.errors import UserError
from rf_app.pipeline.pace import calls
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.settings.picture import CheckedSettings, Control, Lora, PictureSettings, Side

MIN_SIDES, MAX_SIDES = 2, 8


@dataclass(frozen=True)
class Compare:
    """What all pictures have in common, and what each model has of its own."""

    prompt: str
    """What the pictures show."""
    models: tuple[str | Side, ...] | None = None
    """2 to 8 ids, or objects of model, steps, guidance, solver and negative_prompt (default: diffusion and
    one-step)."""
    seed: int = 0
    """The whole number the noise is drawn from."""
    loras: tuple[Lora, ...] = ()
    """For all of them, as in generate."""
    control: tuple[Control, ...] = ()
    """For all of them, as in generate."""
    width: int | None = None
    """Of all pictures, as in generate."""
    height: int | None = None
    """Likewise."""


@dataclass(frozen=True)
class SideBegun:
    """It is the turn of side `index`."""

    index: int


@dataclass(frozen=True)
class SideProgress(Progress):
    """How far the picture of side `index` is, in steps."""

    index: int


@dataclass(frozen=True)
class SideDone:
    """Side `index` has its picture, or the reason why it has none."""

    index: int
    attempt: Attempt


@dataclass(frozen=True)
class SpeedUp:
    """The quickest of the pictures took 1/factor of the slowest's time; indices of the two sides."""

    quickest: int
    slowest: int
    factor: float


class SideClock(Clock):
    """Makes SideProgress."""

    def __init__(self, index: int, steps: int):
        """index: the side's."""
        super().__init__(steps)
        self._index = index

    def at(self, done: float, text: str) -> SideProgress:
        """The progress now."""
        return SideProgress(**vars(super().at(done, text)), index=self._index)


def compare(app: Application, wish: Compare) -> Events[SideBegun | SideDone]:
    """Draw the same words from the same noise with several models, and measure how long each takes.

    The quickest is drawn first. A side that fails says why and the others go on.
    """
    sides = default_models(app.registry, MIN_SIDES) if wish.models is None else wish.models
    if not MIN_SIDES <= len(sides) <= MAX_SIDES:
        raise UserError(f"A comparison takes {MIN_SIDES} to {MAX_SIDES} models, not {len(sides)}.")
    attempts = []
    for side in sides:
        own = vars(Side(side) if isinstance(side, str) else side)
        shared = {name: getattr(wish, name) for name in ("seed", "loras", "control", "width", "height")}
        attempts.append(_checked(app, PictureSettings(wish.prompt, **own, **shared)))
        yield None
    errors = {each.error for each in attempts}
    if len(errors) == 1 and "" not in errors:
        raise UserError(errors.pop())
    for i, each in enumerate(attempts):
        if each.error:
            yield SideDone(i, each)
    able = [(i, each.settings) for i, each in enumerate(attempts) if not each.error]
    warm = set()
    for i, settings in sorted(able, key=lambda side: calls(side[1])):
        yield SideBegun(i)
        made = None
        key = settings.model, settings.negative_prompt, settings.guidance > 1
        if key not in warm:
            # It is not timed: nobody pays for being loaded, or for the text.
            warm.add(key)
            # PeRFlow takes a step in each of its windows of time.
            turn = app.draw(settings if settings.solver == "perflow" else replace(settings, steps=1))
            clock = SideClock(i, settings.steps)
            made = yield from attempt(app, settings, clock.follow(turn, settings.model, parts=0))
        if not made or not made.error:
            turn = app.draw(settings)
            clock = SideClock(i, settings.steps)
            made = yield from attempt(app, settings, clock.follow(turn, settings.model, settings.steps))
        yield SideDone(i, made)


def answer(app: Application, found: list[SideBegun | SideDone]) -> tuple[list[File], dict[str, Any]]:
    """The PNG files, and the speed-up with settings, seconds, and the file's index or the error of each."""
    done = sorted((each for each in found if isinstance(each, SideDone)), key=lambda each: each.index)
    attempts = [each.attempt for each in done]
    files: list[File] = []
    results = []
    for side, each in enumerate(attempts, 1):
        if each.picture:
            made = {"file": len(files), "seconds": asdict(each.picture.drawn.timings)}
            name = f"{side}-{each.settings.model}-{each.picture.name}"  # they lie in one folder
            files.append(File(name, each.picture.png))
            results.append(each.picture.settings | made)
        else:
            results.append({"model": each.settings.model, "error": each.error})
    measured = speed_up(attempts)
    return files, {"speed_up": asdict(measured) if measured else None, "results": results}


def best_of_kinds(registry: Registry, kinds: Sequence[str]) -> list[str]:
    """One model of each kind that has any, in the order of `kinds`: the bundled before a user's own."""
    cards = sorted(registry.cards(), key=lambda card: card.id != FAVOURITE)  # stable: else as the folders are
    first: dict[str, ModelCard] = {}
    for card in cards:
        first.setdefault(card.kind, card)
    return [first[kind].id for kind in kinds if kind in first]


def default_models(registry: Registry, count: int) -> list[str]:
    """Models to compare: the teacher and its one-step student, then what else there is, again if need be."""
    ids = best_of_kinds(registry, ("diffusion", "one-step", "rectified-flow"))
    ids += [card.id for card in registry.cards() if card.id not in ids]
    return [ids[i % len(ids)] for i in range(count)] if ids else []


def speed_up(attempts: Sequence[Attempt]) -> SpeedUp | None:
    """Between the slowest and the quickest picture; None unless there are two."""
    seconds = {i: each.picture.drawn.timings.total for i, each in enumerate(attempts) if each.picture}
    if len(seconds) < 2:
        return None
    quickest, slowest = min(seconds, key=seconds.get), max(seconds, key=seconds.get)
    return SpeedUp(quickest, slowest, seconds[slowest] / seconds[quickest])


def in_force(app: Application, settings: PictureSettings) -> CheckedSettings:
    """The settings in force on their model, which are prepared; raises UserError as `check` does.

    LoRAs for fewer steps are for diffusion models: any other goes without them.
    """
    if app.registry.card(settings.model).kind != "diffusion":
        few = app.worker.few_step_loras(settings.loras, app.visitor)
        settings = replace(settings, loras=tuple(each for each in settings.loras if each.id not in few))
    return app.check(settings)


def _checked(app: Application, settings: PictureSettings) -> Attempt:
    if not settings.model:
        return Attempt(settings, error="No model is chosen: choose one of the list.")
    try:
        return Attempt(in_force(app, app.prepared(settings)))
    except UserError as error:
        return Attempt(settings, error=app.permission.told(error))
