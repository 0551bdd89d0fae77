"""A picture carried over from one kind to another, as a translation has learned it: day to night, say.

python -m rf_app translate photo.png --translation day-to-night --steps 4 --out pictures
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from PIL import Image, ImageOps

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.film_strip import film_strip
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_whole
from rf_app.pipeline.png import as_png
from rf_app.plugins.picture import MAX_FILE_BYTES, digest, encode_map, read_picture
from rf_app.registry.card import ModelCard
from rf_app.registry.translations import TranslationCard
from rf_app.settings.picture import MAX_STEPS, PictureSettings
from rf_app.settings.translated import TRANSLATED, Translated

FRAMES, MOST_FRAMES = 6, 16
NONE = "There is no translation yet: make one on the Train tab, “From one kind of picture to another”."


@dataclass(frozen=True)
class Translate:
    """A picture, and what it is carried over by."""

    image: File
    """The picture; what goes beyond the middle square is cut off."""
    translation: str = ""
    """Id of the translation (default: the first at hand)."""
    steps: int = 1
    """Euler steps, 1 to 100: one is taken by what was distilled, more by the flow behind it."""
    frames: int = FRAMES
    """Pictures of the way from the picture to its translation, 2 to 16, or 0 for none."""


@dataclass(frozen=True)
class Made:
    """A translated picture; way: pictures from the one that was given to it."""

    card: TranslationCard
    asked: Translated
    image: Image.Image
    way: tuple[Image.Image, ...]

    @property
    def settings(self) -> dict[str, Any]:
        """All that the PNG carries; as its words it has the translation's title."""
        named = PictureSettings(self.card.title, self.card.base_model)
        return named.as_json() | {TRANSLATED: self.asked.as_json()}

    @property
    def name(self) -> str:
        """Its file's."""
        return f"translated-{self.asked.translation}-{digest(self.asked.image)[:8]}.png"

    @cached_property
    def png(self) -> bytes:
        """The PNG file, settings included."""
        return as_png(self.image, self.settings)

    @property
    def strip(self) -> File:
        """The way as one PNG, with the same settings."""
        return File(f"way-{self.name}", as_png(film_strip(self.way), self.settings))


def translate(app: Application, wish: Translate) -> Events[Made]:
    """Carry a picture over to another kind, from day to night say, as a translation at hand does it."""
    steps = check_whole("steps", wish.steps, 1, MAX_STEPS)
    frames = 0 if wish.frames == 0 else check_whole("frames", wish.frames, 2, MOST_FRAMES)
    card = app.translations.card(wish.translation or first(app))
    side = base_of(app, card).resolution
    content = wish.image.read(MAX_FILE_BYTES)
    with app.one_picture:
        image = ImageOps.fit(read_picture(content), (side, side), Image.Resampling.LANCZOS)
    turn = app.worker.translate(card.id, image, steps, frames, app.line)
    made = yield from Clock(1).follow(turn, "Translating")
    yield Made(card, Translated(card.id, encode_map(image), steps), made.image, made.way)


def first(app: Application) -> str:
    """The id of the first translation that can be used; raises UserError where there is none."""
    models = {card.id for card in app.registry.cards()}
    cards = app.translations.cards()
    usable = [card.id for card in cards if card.base_model in models] + [card.id for card in cards]
    if not usable:
        raise UserError(NONE)
    return usable[0]


def base_of(app: Application, card: TranslationCard) -> ModelCard:
    """The model that lends a translation its autoencoder; raises UserError where it is not here."""
    if card.base_model not in {each.id for each in app.registry.cards()}:
        raise UserError(
            f"{card.title} translates in the latents of {card.base_model!r}, a model that is not here."
        )
    return app.registry.card(card.base_model)


def answer(app: Application, found: list[Made]) -> tuple[list[File], dict[str, Any]]:
    """The PNG file, which carries all that makes it again, and a PNG strip of the way there; and the
    translation, its source and target, the steps, and a digest of the picture that was given.
    """
    [made] = found
    said = {"translation": made.card.id, "source": made.card.source, "target": made.card.target}
    said |= {"model": made.card.base_model, "steps": made.asked.steps, "image": digest(made.asked.image)}
    return [File(made.name, made.png), *([made.strip] if made.way else [])], said
