"""A picture at twice its side, its details drawn anew by Stable Diffusion XL's refiner.

InstaFlow's authors refine its 512x512 pictures to 1024x1024 so (https://github.com/gnobitab/InstaFlow).

python -m rf_app refine "a mountain lake" --model instaflow --seed 5
"""

from dataclasses import dataclass
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.generate import details
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_number, check_whole
from rf_app.registry.refiner import check_refiner
from rf_app.settings.picture import MAX_STEPS, PictureSettings

PARTS = 10  # of the work, one of them being the picture itself


@dataclass(frozen=True)
class Refine:
    """A picture, which is drawn first, and how it is refined: with its own prompts and seed."""

    settings: PictureSettings
    strength: float = 0.3
    """How much of it may change, 0 to 1: the share of the refiner's steps that are taken, one at least."""
    refiner_steps: int = 25
    """The refiner's steps from pure noise on, 1 to 100."""


def refine(app: Application, wish: Refine) -> Events[Picture]:
    """Draw a picture and refine it to twice its side, where Stable Diffusion XL's refiner is at hand."""
    check_refiner()
    steps = check_whole("refiner_steps", wish.refiner_steps, 1, MAX_STEPS)
    strength = check_number("strength", wish.strength, 0, 1)
    if int(steps * strength) < 1:
        raise UserError(f"strength is {strength:g} of {steps} refiner_steps, which leaves none; raise one.")
    clock = Clock(PARTS)
    drawn = yield from clock.follow(app.draw(app.prepared(wish.settings)), "Drawing")
    yield clock.at(1, "Refining")
    turn = app.worker.refine(drawn, strength, steps, app.line)
    refined = yield from clock.follow(turn, "Refining", PARTS - 1)
    yield Picture(refined, {"strength": strength, "steps": steps})


def answer(app: Application, pictures: list[Picture]) -> tuple[File, dict[str, Any]]:
    """The PNG file, which carries the settings of the picture and how it was refined; and those, seconds,
    words that the model does not know, and the end of a prompt that is too long for it.
    """
    [picture] = pictures
    return File(picture.name, picture.png), details(app, pictures) | {"refined": picture.refined}
