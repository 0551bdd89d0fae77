"""What the models can do and what it costs: the figures of their cards, and a small measurement on the spot.

A measurement draws the first N of the held-out prompts one by one, so that other visitors are served in
between, and lets the judge look at each picture as it comes. Prompts and noise are those of
`trainers.evaluate`. Only pocket models can be measured: the judge knows nothing else.

python -m rf_app measure pocket-instaflow --prompts 128 --json
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from rf_app.actions.application import Application
from rf_app.actions.caption import active
from rf_app.actions.progress import Clock, Events
from rf_app.actions.words import duration
from rf_app.errors import UserError
from rf_app.metrics import frechet
from rf_app.metrics.fidelity import Fidelity, fidelity
from rf_app.metrics.judge import Judge
from rf_app.metrics.sample import Sample
from rf_app.registry.card import ModelCard
from rf_app.settings.picture import Lora, PictureSettings


@dataclass(frozen=True)
class Measure:
    """A small measurement."""

    model: str
    """Id of a pocket model."""
    prompts: int = 64
    """Pictures to draw: 32, 64, 128 or 256."""
    steps: int | None = None
    """Steps, 1 to 100 (default: what the model recommends)."""
    loras: tuple[Lora, ...] = ()
    """To draw with, as in generate."""


@dataclass(frozen=True)
class Figures:
    """One measured row of a card: fidelity in 0..1, seconds for one picture, prompts it was measured on."""

    model: str
    title: str
    steps: int
    guidance: float
    fid: float
    fidelity: float
    seconds: float
    prompts: int


@dataclass(frozen=True)
class Measured:
    """A small measurement. drawings_fid: what as many real drawings get, the best there is at this size."""

    model: str
    title: str
    steps: int
    guidance: float
    prompts: int
    fidelity: Fidelity
    fid: float
    drawings_fid: float
    seconds: float  # median of one picture, from text to pixels


def figures(cards: Sequence[ModelCard]) -> list[Figures]:
    """The rows of all cards that carry any, by model in the order given and by steps.

    A card is a text file: rows that are not as `trainers.evaluate --write-card` writes them are left out.
    """
    return [row for card in cards for row in sorted(_rows(card), key=lambda row: row.steps)]


def _rows(card: ModelCard) -> list[Figures]:
    return [row for name, values in card.measured.items() if (row := _row(card, name, values))]


def _row(card: ModelCard, name: Any, values: Any) -> Figures | None:
    match = re.fullmatch(r"(\d{1,3}) steps?", str(name))
    if not match:
        return None
    try:
        figures = values["guidance"], values["fid"], values["fidelity"]["mean"], values["seconds_per_image"]
        figures += (card.measured["measured_on"]["prompts"],)
    except (KeyError, TypeError):
        return None
    row = Figures(card.id, card.title, int(match[1]), *figures)
    told = all(type(figure) in (int, float) for figure in figures)
    return row if told and row.steps and row.seconds > 0 else None


def measure(app: Application, wish: Measure) -> Events[Measured]:
    """Draw held-out prompts with a pocket model, and let the judge look at the pictures."""
    sample = Sample.load()
    if wish.prompts not in sample.drawings_fid:
        sizes = ", ".join(map(str, sample.drawings_fid))
        raise UserError(f"prompts is {wish.prompts!r:.40}; it must be one of {sizes}.")
    card = app.registry.card(wish.model)
    if card.resolution != sample.size:
        raise UserError(
            f"{card.title} draws {card.resolution}×{card.resolution} pictures; only pocket models can be "
            f"measured ({sample.size}×{sample.size}), because the judge knows only their world."
        )
    judge = Judge.load()
    chosen = sample.prompts[: wish.prompts]
    stated = [each.stated for each in chosen]
    clock, text = Clock(wish.prompts), "The first picture"
    features: list[Tensor] = []
    seconds: list[float] = []
    for done, each in enumerate(chosen, 1):
        turn = app.draw(
            PictureSettings(each.prompt, wish.model, wish.steps, seed=each.seed, loras=wish.loras)
        )
        drawn = yield from clock.follow(turn, text)
        seconds.append(drawn.timings.total)
        features.append(_seen(judge, drawn.image))
        share = _fidelity(judge, features, stated).mean
        text = f"{done} of {wish.prompts} pictures, fidelity so far {share:.1%}"
    yield Measured(
        model=wish.model,
        title=", ".join((card.title, *active(app, drawn.settings))),
        steps=drawn.settings.steps,
        guidance=drawn.settings.guidance,
        prompts=wish.prompts,
        fidelity=_fidelity(judge, features, stated),
        fid=frechet.distance(frechet.fit(torch.cat(features).numpy()), sample.drawings),
        drawings_fid=sample.drawings_fid[wish.prompts],
        seconds=statistics.median(seconds),
    )


def answer(app: Application, measured: list[Measured]) -> dict[str, Any]:
    """Fidelity, FID beside that of as many real drawings, and the seconds of one picture."""
    return asdict(measured[0])


@torch.inference_mode()
def _seen(judge: Judge, image: Image.Image) -> Tensor:
    """The judge's features [1, D] of a picture; on the CPU, where they take two milliseconds."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    return judge.features(pixels.float() / 127.5 - 1)


@torch.inference_mode()
def _fidelity(judge: Judge, features: Sequence[Tensor], stated: Sequence[dict[str, str]]) -> Fidelity:
    return fidelity(judge.classify(torch.cat(list(features))), stated[: len(features)], judge.kinds)


def in_words(rows: Sequence[Figures]) -> str:
    """What the cards' figures say, in a sentence or two; "" without any."""
    if not rows:
        return ""
    best = max(rows, key=lambda row: (row.fidelity, -row.seconds))
    quick = min(rows, key=lambda row: row.seconds)
    said = (
        f"{best.title} at {_count(best.steps)} shows {best.fidelity:.1%} of what the prompt states, "
        f"in {duration(best.seconds)}."
    )
    if quick != best:
        said += (
            f" {quick.title} at {_count(quick.steps)} shows {quick.fidelity:.1%}, "
            f"{best.seconds / quick.seconds:.1f} times quicker: {duration(quick.seconds)}."
        )
    return said


def _count(steps: int) -> str:
    return "one step" if steps == 1 else f"{steps} steps"
