"""How several models go from the same noise to their pictures: one after the other, and in words.

Every model's flow is followed in the same number of Euler steps. A one-step model knows only the way from
pure noise, so it takes its one step.

python -m rf_app trajectory "a lake at night" --models pocket-sd pocket-2rf --json
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.attempt import Attempt, attempt
from rf_app.actions.compare import best_of_kinds, in_force
from rf_app.actions.film_strip import film_strip
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.pipeline.pace import calls
from rf_app.pipeline.png import as_png
from rf_app.pipeline.trajectory import Recorder, Trajectory
from rf_app.schedulers.solvers import FOLLOWED
from rf_app.settings.picture import Control, Lora, PictureSettings

STEPS = 25
FRAMES = 6  # of a strip, after the noise
CLOSE = 0.1  # of the way: a single step that misses by less gives nearly the same picture
ALIKE = 1.2  # S within this factor is no difference to speak of


@dataclass(frozen=True)
class TrajectorySettings:
    """A picture, and the models whose ways to it are compared."""

    prompt: str
    """What the picture shows."""
    models: tuple[str, ...] | None = None
    """List of model ids (default: one diffusion, one rectified-flow and one one-step model)."""
    steps: int = STEPS
    """Euler steps of the solve, 1 to 100; one-step models always take 1."""
    seed: int = 0
    """Seed of the noise that all models start from."""
    loras: tuple[Lora, ...] = ()
    """For all of them, as in generate."""
    control: tuple[Control, ...] = ()
    """For all of them, as in generate."""
    width: int | None = None
    """Of all pictures, as in generate."""
    height: int | None = None
    """Likewise."""


@dataclass(frozen=True)
class Followed:
    """A model's picture and its way there, with frames of a film, the noise first; or the attempt's error."""

    title: str
    attempt: Attempt
    trajectory: Trajectory | None = None
    images: tuple[Image.Image, ...] = ()
    repeatable: bool = True  # `settings` make the last frame again, but for rounding

    @property
    def settings(self) -> dict[str, Any]:
        """What makes the strip's last picture again; of a diffusion model nearly, with its own solver."""
        return {name: value for name, value in self.attempt.settings.as_json().items() if name != "solver"}

    @property
    def strip(self) -> File:
        """The film strip as a PNG, "trajectory-pocket-sd-7.png", with its settings, and the tau of each frame
        after the noise.
        """
        png = as_png(film_strip(self.images), self.settings | {"film_strip_taus": self.trajectory.taus})
        settings = self.attempt.settings
        return File(f"trajectory-{settings.model}-{settings.seed}.png", png)

    def as_json(self) -> dict[str, Any]:
        """What a program gets beside the strip."""
        if self.trajectory is None:
            return {"model": self.attempt.settings.model, "error": self.attempt.error}
        return self.settings | {
            "straightness": self.trajectory.straightness,
            "one_step_miss": self.trajectory.miss,
            "curve": self.trajectory.curve,
            "path": self.trajectory.path,
            "unknown_words": self.attempt.picture.drawn.unknown_words,
        }


def trajectory(app: Application, wish: TrajectorySettings) -> Events[Followed]:
    """Follow models on their way from the same noise to a picture, and measure how straight they go.

    One after the other, in the order given. A model that fails says why and the others go on.
    """
    models = best_of_kinds(app.registry, FOLLOWED) if wish.models is None else wish.models
    if not models:
        raise UserError("No model is chosen: choose one or more.")
    wishes, failed = [], []
    for id in dict.fromkeys(models):
        shared = {name: getattr(wish, name) for name in ("seed", "loras", "control", "width", "height")}
        settings = PictureSettings(wish.prompt, id, wish.steps, **shared)
        try:
            settings, card = app.prepared(settings), app.registry.card(id)
            if card.kind not in FOLLOWED:
                raise UserError(
                    f"{card.title} was made for steps of its own: it has no straight path to follow."
                )
            if card.kind == "diffusion" and app.worker.few_step_loras(wish.loras, app.visitor):
                raise UserError(
                    f"With a few-step LoRA {card.title} jumps to the picture: there is no path to follow."
                )
        except UserError as error:
            yield Followed(id, Attempt(settings, error=app.permission.told(error)))
            continue
        try:
            settings = in_force(app, settings)
        except UserError as error:
            failed.append(Followed(id, Attempt(settings, error=app.permission.told(error))))
            continue
        wishes.append((card, replace(settings, steps=1) if card.kind == "one-step" else settings))
    errors = {each.attempt.error for each in failed}
    if not wishes and len(errors) == 1:  # it is wrong for all
        raise UserError(errors.pop())
    yield from failed
    costs = [calls(settings) for _, settings in wishes]
    clock = Clock(sum(costs))
    for (card, settings), cost in zip(wishes, costs, strict=True):
        recorder = Recorder(FRAMES)
        turn = app.draw(settings, observe=recorder)
        made = yield from attempt(app, settings, clock.follow(turn, card.title, cost))
        way = recorder.trajectory if made.picture else None
        yield Followed(card.title, made, way, recorder.images, card.kind != "diffusion")


def answer(app: Application, followed: list[Followed]) -> tuple[list[File], dict[str, Any]]:
    """For each model a PNG film strip of the pictures it foresees on the way, the last one being the result;
    and JSON with a summary in words and, for each model, its straightness (0 is straight), how far from the
    end a single step would land (in lengths of the path), the straightness curve over time, and the path's
    points on a plane; or the error of a model that failed.
    """
    strips = [each.strip for each in followed if each.trajectory]
    return strips, {"summary": in_words(followed), "models": [each.as_json() for each in followed]}


def in_words(followed: Sequence[Followed]) -> str:
    """What the figures say, in a few sentences; "" without any."""
    found = [(each.title, each.trajectory) for each in followed if each.trajectory]
    many = sorted(
        ((title, way) for title, way in found if way.steps > 1),
        key=lambda each: each[1].straightness,
        reverse=True,
    )
    said = []
    for title, way in many:
        most = many[0][1]
        landing = _landing(way.miss, way.steps)
        factor = most.straightness / way.straightness if way.straightness else float("inf")
        figure = f"S = {number(way.straightness)}"
        if way is most:
            verb = "stays close to a straight line" if way.miss < CLOSE else "bends"
            said.append(f"{title} {verb} ({figure}): {landing}.")
        elif factor < ALIKE:
            said.append(f"{title} is about as straight ({figure}): {landing}.")
        else:
            said.append(f"{title} is {number(factor)} times straighter ({figure}): {landing}.")
    said += [
        f"{title} takes a single step, a straight line by construction."
        for title, way in found
        if way.steps == 1
    ]
    return " ".join(said)


def _landing(miss: float, steps: int) -> str:
    if miss < CLOSE:
        return f"one step lands where {steps} do, to within {max(miss, 0.01):.0%} of the way"
    return f"one step would miss by {miss:.0%} of the way, and its estimate goes on changing"


def number(value: float) -> str:
    """Two or three digits that say something: 812, 14, 1.6, 0.031; rounding errors are 0."""
    return f"{value:,.0f}" if value >= 10 else f"{value:.2g}" if value > 1e-6 else "0"
