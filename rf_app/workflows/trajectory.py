"""How several models go from the same noise to their pictures: one after the other, and in words.

Every model's flow is followed in the same number of Euler steps. A one-step model knows only the way from
pure noise, so it takes its one step.
"""

import io
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from PIL import Image

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.png import save_png
from rf_app.pipeline.trajectory import TrajectoryRequest, TrajectoryResult
from rf_app.pipeline.worker import Worker
from rf_app.registry.card import ModelCard
from rf_app.workflows.background import Clock, Emit, IsCancelled, Progress

log = logging.getLogger(__name__)

CLOSE = 0.1  # of the way: a single step that misses by less gives nearly the same picture
GAP = 4  # pixels between the frames of a strip
ALIKE = 1.2  # S within this factor is no difference to speak of


@dataclass(frozen=True)
class Followed:
    """A model's trajectory, or the problem that kept it from having one."""

    model: str
    title: str
    result: TrajectoryResult | None
    problem: str = ""
    repeatable: bool = True  # `settings` make the strip's last picture again, but for rounding

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the strip's last picture again; of a diffusion model nearly, with its own solver."""
        request = self.result.request
        return {
            "prompt": request.prompt,
            "model": request.model,
            "steps": request.steps,
            "guidance": request.guidance,
            "seed": request.seed,
        }

    @property
    def strip(self) -> bytes:
        """The film strip as a PNG file that carries its settings and the tau of each frame."""
        frames = self.result.images
        width, height = frames[0].size
        strip = Image.new("RGB", (len(frames) * (width + GAP) - GAP, height), "white")
        for i, frame in enumerate(frames):
            strip.paste(frame, (i * (width + GAP), 0))
        buffer = io.BytesIO()
        save_png(strip, buffer, self.settings | {"film_strip_taus": self.result.image_taus})
        return buffer.getvalue()

    @property
    def strip_name(self) -> str:
        """A file name: "trajectory-pocket-sd-7.png"."""
        return f"trajectory-{self.model}-{self.result.request.seed}.png"

    def as_json(self) -> dict[str, Any]:
        """What a program gets beside the strip."""
        if self.result is None:
            return {"model": self.model, "error": self.problem}
        return self.settings | {
            "straightness": self.result.straightness,
            "one_step_miss": self.result.miss,
            "curve": self.result.curve,
            "path": self.result.path,
            "unknown_words": self.result.unknown_words,
        }


def follow(
    worker: Worker,
    prompt: str,
    models: Sequence[str],
    steps: int,
    seed: int,
    emit: Emit[Progress | Followed],
    cancelled: IsCancelled,
) -> None:
    """Emit progress after each step and each model's `Followed` as soon as it is there, in the order given.

    A model that cannot be followed emits its problem, and the others go on. Raises UserError for what is
    wrong for all of them, and `Cancelled`.
    """
    if not models:
        raise UserError("No model is chosen: choose one or more.")
    wishes: list[tuple[ModelCard, TrajectoryRequest]] = []
    for id in dict.fromkeys(models):
        try:
            card = worker.registry.card(id)
        except UserError as error:
            emit(Followed(id, id, None, str(error)))
            continue
        wish = TrajectoryRequest(prompt, id, steps, seed=seed).checked(card)
        wishes.append((card, replace(wish, steps=1) if card.kind == "one-step" else wish))

    def report(card: ModelCard, before: int, cost: int, step: int, of: int) -> None:
        emit(clock.at(before + cost * step, f"{card.title}, step {step} of {of}"))

    clock = Clock(sum(_cost(wish) * wish.steps for _, wish in wishes))
    before = 0
    for card, wish in wishes:
        try:
            result = worker.trajectory(wish, partial(report, card, before, _cost(wish)), cancelled)
            emit(Followed(card.id, card.title, result, repeatable=card.kind != "diffusion"))
        except Cancelled:
            raise
        except UserError as error:
            emit(Followed(card.id, card.title, None, str(error)))
        except Exception as error:  # a defect, or a device without memory: the next model may do better
            log.exception("%s failed", card.id)
            emit(Followed(card.id, card.title, None, f"{card.id} failed ({type(error).__name__})."))
        before += _cost(wish) * wish.steps


def _cost(wish: TrajectoryRequest) -> int:
    """Of one step, in calls of the U-Net: guidance calls it for two."""
    return 2 if wish.guidance > 1 else 1


def in_words(followed: Sequence[Followed]) -> str:
    """What the figures say, in a few sentences; "" without any."""
    results = [each for each in followed if each.result]
    many = sorted(
        (each for each in results if each.result.request.steps > 1),
        key=lambda each: each.result.straightness,
        reverse=True,
    )
    said = []
    for each in many:
        result, most = each.result, many[0].result
        landing = _landing(result.miss, result.request.steps)
        factor = most.straightness / result.straightness if result.straightness else float("inf")
        figure = f"S = {number(result.straightness)}"
        if each is many[0]:
            verb = "stays close to a straight line" if result.miss < CLOSE else "bends"
            said.append(f"{each.title} {verb} ({figure}): {landing}.")
        elif factor < ALIKE:
            said.append(f"{each.title} is about as straight ({figure}): {landing}.")
        else:
            said.append(f"{each.title} is {number(factor)} times straighter ({figure}): {landing}.")
    said += [
        f"{each.title} takes a single step, a straight line by construction."
        for each in results
        if each.result.request.steps == 1
    ]
    return " ".join(said)


def _landing(miss: float, steps: int) -> str:
    if miss < CLOSE:
        return f"one step lands where {steps} do, to within {max(miss, 0.01):.0%} of the way"
    return f"one step would miss by {miss:.0%} of the way, and its estimate goes on changing"


def number(value: float) -> str:
    """Two or three digits that say something: 812, 14, 1.6, 0.031; rounding errors are 0."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value > 1e-6 else "0"
