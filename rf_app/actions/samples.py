"""A sample picture of each thing at hand, drawn once and kept beside the models."""

from collections.abc import Generator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.collection import LORA, Thing
from rf_app.actions.examples import DRAWINGS, examples
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Clock, Events, Progress, result_in
from rf_app.actions.translate import Translate, base_of, translate
from rf_app.errors import UserError
from rf_app.pipeline.pace import SMALL
from rf_app.pipeline.png import read_png_settings
from rf_app.plugins.picture import encode_map, read_picture
from rf_app.registry.card import ModelCard
from rf_app.registry.decoders import DecoderCard
from rf_app.registry.disk import stamp, writable, write_atomically
from rf_app.registry.loras import LoraCard
from rf_app.registry.translations import ONE_STEP, TranslationCard
from rf_app.settings.picture import Control, Lora, PictureSettings
from rf_app.settings.translated import TRANSLATED, Translated

FOLDER = ".samples"
PROMPT = "A photograph of a snowy mountain near a beautiful lake under sunshine."
SEED = 7


def sample_settings(app: Application, thing: Thing) -> PictureSettings:
    """What its sample shows: a model as it is, a style at full strength, a drawing that is followed, a
    decoder's pixels.

    The last two on the model that they were trained on, if it is here.
    """
    card = thing.card
    if isinstance(card, ModelCard):
        return PictureSettings(PROMPT, card.id, seed=SEED)
    if isinstance(card, DecoderCard):
        able = [each.id for each in app.registry.cards() if card in app.decoders_for(each.id)]
        return PictureSettings(PROMPT, next(iter(able), app.first_model()), seed=SEED, decoder=card.id)
    here = {each.id: each.kind for each in app.registry.cards()}
    model = card.base_model if card.base_model in here else app.first_model()
    if isinstance(card, LoraCard) and card.kind and here[model] != "diffusion":
        model = next((id for id, kind in here.items() if kind == "diffusion"), model)
    if thing.kind == LORA:
        prompt = ", ".join(filter(None, (PROMPT.rstrip("."), card.trigger)))
        return PictureSettings(prompt, model, seed=SEED, loras=(Lora(card.id, card.strength),))
    drawing = examples(DRAWINGS)[0]
    image = encode_map(read_picture(drawing.path.read_bytes()))
    return PictureSettings(
        drawing.prompt, model, seed=drawing.seed, control=(Control(card.id, image, preprocessor="scribble"),)
    )


def sample_at_hand(app: Application, thing: Thing) -> Path | None:
    """The sample of something as it is now, if it has been drawn."""
    with suppress(OSError):
        path = _path(app, thing)
        return path if path.is_file() else None
    return None


def is_quick(app: Application, thing: Thing) -> bool:
    """Whether its sample takes so little that nobody need ask for it."""
    if app.on_loan:
        return False
    if isinstance(thing.card, TranslationCard):
        try:
            model = base_of(app, thing.card)
        except UserError:  # it cannot translate at all
            return False
    else:
        model = app.registry.card(sample_settings(app, thing).model)
    return app.worker.device.type != "cpu" or model.resolution <= SMALL


def draw_sample(app: Application, thing: Thing) -> Events[Path]:
    """Draw the sample now; raises UserError where it cannot be drawn or the folder is read-only."""
    path = _path(app, thing)
    png = yield from _drawn(app, thing)
    for old in path.parent.glob("*.png"):
        old.unlink(missing_ok=True)
    with writable(path.parents[1]):
        write_atomically(path, lambda temporary: temporary.write_bytes(png))
    yield path


def _drawn(app: Application, thing: Thing) -> Generator[Progress | None, None, bytes]:
    if isinstance(thing.card, TranslationCard):
        given = examples()[0].path
        made = yield from result_in(
            translate(app, Translate(File(given.name, given), thing.card.id, frames=0))
        )
        return made.png
    turn = app.draw(app.prepared(sample_settings(app, thing)))
    drawn = yield from Clock(1).follow(turn, "Drawing a sample")
    return Picture(drawn).png


def opening_settings(app: Application, thing: Thing, sample: Path | None) -> dict[str, Any]:
    """What opens it in another tab: its sample's settings, or those it would have."""
    with suppress(UserError):
        found = read_png_settings(sample) if sample else None
        if found:
            return found
    if isinstance(thing.card, TranslationCard):
        return {TRANSLATED: Translated(thing.card.id, "").as_json()}
    return replace(sample_settings(app, thing), control=()).as_json()


def thumbnail(sample: Path, side: int) -> Image.Image:
    """The picture, at most so many pixels a side."""
    image = Image.open(sample).convert("RGB")
    image.thumbnail((side, side))
    return image


def _path(app: Application, thing: Thing) -> Path:
    """It changes with the weights, and not with the card."""
    folder = thing.folder
    whole = isinstance(thing.card, ModelCard | TranslationCard)
    weights = folder / ONE_STEP if whole else _weights(folder)
    _, inode, time = stamp(weights)
    own = f"{thing.kind}-{thing.card.id}" if "/" in thing.key else thing.card.id
    return app.registry.folders[-1] / FOLDER / own / f"{inode:x}-{time:x}.png"


def _weights(folder: Path) -> Path:
    return next(iter(sorted(folder.glob("*.safetensors"))), folder)
