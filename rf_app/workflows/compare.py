"""The same words and the same noise on several models: what each draws, and how long it takes.

requests = [GenerateRequest("a lake", model, seed=7) for model in default_models(registry, 2)]
compare(studio, requests, emit=print, cancelled=lambda: False)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rf_app.errors import UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.workflows.attempt import Attempt, attempt
from rf_app.workflows.background import Clock, Emit, IsCancelled
from rf_app.workflows.generate import FAVOURITE, Studio

MIN_SIDES, MAX_SIDES = 2, 8


@dataclass(frozen=True)
class SideProgress:
    """Side `index` is being drawn: calls of the U-Net done, of so many, and the time it still takes."""

    index: int
    done: int
    of: int
    seconds_left: float | None = None


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


def compare(
    studio: Studio, requests: Sequence[GenerateRequest], emit: Emit, cancelled: IsCancelled
) -> tuple[Attempt, ...]:
    """Draw one picture for each request, quickest first; emit SideProgress and SideDone as they come.

    Before it is timed a model takes one step with the same words, so that none pays for being loaded or for
    the text. A side that fails says why and the others go on. Raises UserError if none can even begin, and
    `Cancelled`.
    """
    if not MIN_SIDES <= len(requests) <= MAX_SIDES:
        raise UserError(f"A comparison takes {MIN_SIDES} to {MAX_SIDES} models, not {len(requests)}.")
    attempts = [_checked(studio, request) for request in requests]
    errors = {each.error for each in attempts}
    if len(errors) == 1 and "" not in errors:
        raise UserError(errors.pop())
    able = [i for i, each in enumerate(attempts) if not each.error]
    for i in set(range(len(attempts))) - set(able):
        emit(SideDone(i, attempts[i]))
    warm = set()
    for i in sorted(able, key=lambda i: calls(attempts[i].request)):
        request = attempts[i].request
        emit(SideProgress(i, 0, request.steps))
        key = request.model, request.negative_prompt, request.guidance > 1
        if key not in warm:
            warm.add(key)
            attempts[i] = attempt(studio, replace(request, steps=1), cancelled=cancelled)
        if not attempts[i].error:
            clock = Clock(1)

            def step(done: int, of: int, i: int = i, clock: Clock = clock) -> None:
                emit(SideProgress(i, done, of, clock.seconds_left(done / of)))

            attempts[i] = attempt(studio, request, step, cancelled)
        emit(SideDone(i, attempts[i]))
    return tuple(attempts)


def calls(request: GenerateRequest) -> int:
    """How much work a checked request is, in evaluations of the U-Net on one picture."""
    return request.steps * (2 if request.guidance > 1 else 1) * (2 if request.solver == "heun" else 1)


def speed_up(attempts: Sequence[Attempt]) -> SpeedUp | None:
    """Between the slowest and the quickest picture; None unless there are two."""
    seconds = {i: each.timings.total for i, each in enumerate(attempts) if each.timings}
    if len(seconds) < 2:
        return None
    quickest, slowest = min(seconds, key=seconds.get), max(seconds, key=seconds.get)
    return SpeedUp(quickest, slowest, seconds[slowest] / seconds[quickest])


def _checked(studio: Studio, request: GenerateRequest) -> Attempt:
    if not request.model:
        return Attempt(request, error="No model is chosen: choose one of the list.")
    try:
        return Attempt(request.checked(studio.registry.card(request.model)))
    except UserError as error:
        return Attempt(request, error=str(error))
