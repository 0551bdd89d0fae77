"""A picture made from another one: other words, other strokes, or a part of it drawn anew.

python -m rf_app edit photo.png "a lake at night" --shows "a lake at sunset" --strength 0.8 --out pictures
"""

import base64
from dataclasses import asdict, dataclass, replace
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.compare import best_of_kinds
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.pipeline.start import check_start
from rf_app.plugins.picture import MAX_FILE_BYTES, digest
from rf_app.registry.card import ModelCard
from rf_app.schedulers.solvers import FOLLOWED
from rf_app.settings.picture import Control, Lora, PictureSettings
from rf_app.settings.start import CORRECTED, LEARNED, Start

SOLVER = "euler"
SMEARS = "{} was made to go from pure noise in one step; from a picture it smears. {} keeps what is there."


@dataclass(frozen=True)
class Edit:
    """The new picture's settings, and what it begins from."""

    settings: PictureSettings
    start: Start


def ask(
    image: File,
    prompt: str,
    strength: float = 0.6,
    shows: str | None = None,
    mask: File | None = None,
    model: str = "",
    steps: int | None = None,
    guidance: float | None = None,
    seed: int = 0,
    negative_prompt: str = "",
    width: int | None = None,
    height: int | None = None,
    control: tuple[Control, ...] = (),
    loras: tuple[Lora, ...] = (),
    inversion: str = CORRECTED,
) -> Edit:
    """The wish of a program.

    Args:
        image: The picture to begin from; what does not fit the new picture's shape is cut off.
        prompt: What the new picture shows.
        strength: How much may change, 0 to 1.
        shows: What the old picture shows: its forms stay where they are (default: it is mixed with noise).
        mask: White where it may change, black where every pixel stays (default: it may change everywhere).
        model: Id of the model (default: a rectified flow, else a diffusion model).
        steps: Steps of the whole path, of which the share of strength is taken (default: the model's).
        guidance: Strength of guidance (default: what the model recommends).
        seed: The whole number the noise is drawn from.
        negative_prompt: What to keep out of the picture; it acts with guidance above 1.
        width: Width in pixels (default: the model's own).
        height: Height in pixels (default: the model's own).
        control: Up to 2 pictures to follow, as in generate.
        loras: Up to 8 objects of "id", as upload_lora gives it, and "strength" (-2 to 2, default 1).
        inversion: How the old picture is followed back: corrected, step by step; or learned (iRFDS), which
            looks for the noise that agrees with the whole way, in some 2,000 calls of the model.
    """
    settings = PictureSettings(prompt, model, steps, guidance, seed, negative_prompt)
    settings = replace(settings, width=width, height=height, control=control, loras=loras)
    start = Start(_as_text(image), strength, shows, inversion, _as_text(mask) if mask else "")
    return Edit(settings, start)


def _as_text(file: File) -> str:
    return base64.b64encode(file.read(MAX_FILE_BYTES)).decode("ascii")


def edit(app: Application, wish: Edit) -> Events[Picture]:
    """Make a picture from another one: with other words, from strokes, or a part of it anew."""
    asked = wish.settings
    if wish.start.inversion == LEARNED:  # a training, of minutes on the device that all share
        app.permission.check("Learned inversion")
    settings = app.prepared(replace(asked, model=asked.model or editing_model(app), solver=SOLVER))
    card = app.card(settings)
    if card.kind not in FOLLOWED:
        raise UserError(f"{card.title} cannot begin from a picture: it has no straight path to follow.")
    with app.one_picture:
        start = check_start(wish.start, app.size(settings))
    turn = app.draw(settings, start=start)
    yield Picture((yield from Clock(1).follow(turn, "Drawing")))


def editing_model(app: Application) -> str:
    """The model that is best at it: the straightest with a path of several steps."""
    return next(iter(best_of_kinds(app.registry, ("rectified-flow", "diffusion"))), app.first_model())


def advice(app: Application, card: ModelCard) -> str:
    """What a person should know of a model before it begins from a picture, or nothing."""
    better = app.registry.card(editing_model(app))
    smears = card.kind == "one-step" != better.kind and not card.settings.get("anywhere")
    return SMEARS.format(card.title, better.title) if smears else ""


def answer(app: Application, pictures: list[Picture]) -> tuple[File, dict[str, Any]]:
    """The PNG file, which carries all that makes it again; and its settings, with a digest for each picture
    in them.
    """
    [picture] = pictures
    settings, start = picture.drawn.settings.as_json(), picture.drawn.start
    shown = {
        name: digest(value) if name in ("image", "mask") else value for name, value in start.as_json().items()
    }
    control = [asdict(each) | {"image": digest(each.image)} for each in picture.drawn.settings.control]
    return File(picture.name, picture.png), settings | {"start": shown, "control": control}
