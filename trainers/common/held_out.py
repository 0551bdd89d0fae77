"""Pictures that models make of held-out prompts of the pocket world, from the same noise for all of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from trainers.common.models import decode, drawn
from trainers.common.pixels import at_once
from trainers.common.sight import logits
from trainers.pocket.world import HELD_OUT

FAMILY = ("pocket-sd:25", "pocket-2rf:4", "pocket-instaflow:1")


@dataclass(frozen=True, kw_only=True)
class Measuring:
    """What every command that measures takes."""

    model: tuple[str, ...]
    """Models, each id:steps; the first is the one that the others are compared with."""
    prompts: int = 100
    """Number of held-out prompts."""
    seed: int = 0
    """Number of the first held-out prompt, and of its noise."""
    json: Path | None = None
    """File for the figures."""
    write_card: bool = False
    """Put the figures into the card of what is measured."""
    models: Path | None = None
    """Folder of models besides the bundled ones, with loras/ and controlnets/ beside it (default: the
    user's)."""
    judge: Path = BUNDLED
    """Folder of the judge."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if not 2 <= self.prompts <= 100_000:
            raise UserError(f"--prompts must be 2 to 100000, not {self.prompts}.")
        if self.seed < 0:
            raise UserError(f"--seed must not be negative, not {self.seed}.")


@dataclass(frozen=True)
class Sampled:
    """A model and the number of steps it is measured at."""

    card: ModelCard
    steps: int

    @property
    def name(self) -> str:
        """As the tables and cards have it."""
        return f"{self.card.id} {self.steps} step{'s' * (self.steps > 1)}"


def sampled(registry: Registry, models: Sequence[str]) -> list[Sampled]:
    """The models of a command line, each "id" or "id:steps". Raises UserError for what is neither."""
    found = []
    for each in models:
        id, _, steps = each.partition(":")
        if steps and not (steps.isdecimal() and 1 <= int(steps) <= 100):
            raise UserError(
                f"--model {each!r}: expected a model's id, or id:steps of 1 to 100, as in pocket-sd:25."
            )
        card = registry.card(id)
        found.append(Sampled(card, int(steps) if steps else card.steps))
    return found


def one_size(cards: Sequence[ModelCard]) -> int:
    """Pixels a side of all models' pictures. Raises UserError where they differ, which figures cannot."""
    sizes = {card.id: card.resolution for card in cards}
    if len({*sizes.values()}) > 1:
        said = ", ".join(f"{id} {size}" for id, size in sizes.items())
        raise UserError(f"--model: models of one size are measured together, not of several ({said} pixels).")
    return cards[0].resolution


class HeldOutPrompts:
    """Prompts number `first` to `first + count` of those no training has seen."""

    def __init__(self, world: ModuleType, count: int, first: int = 0) -> None:
        """world: what describes their scenes."""
        self.seeds = range(HELD_OUT + first, HELD_OUT + first + count)
        described = [world.describe(seed) for seed in self.seeds]
        self.captions = [caption.text for _, caption in described]
        self.stated = [
            {name: getattr(scene, name) for name in caption.stated} for scene, caption in described
        ]

    @torch.no_grad()
    def pictures(
        self,
        pipeline: StableDiffusionPipeline,
        which: Sampled,
        prompts: Sequence[str],
        name: str,
        unet_for: Callable[[range], Callable] | None = None,
    ) -> Tensor:
        """The picture of each prompt, float [N, 3, H, W] in -1..1, on the CPU.

        unet_for: the U-Net to call for the prompts of some numbers (default: the pipeline's).
        """
        made, batch = [], at_once(which.card.resolution)
        for start in tqdm(range(0, len(prompts), batch), desc=f"{which.name}, {name}", mininterval=2):
            numbers = range(start, min(start + batch, len(prompts)))
            unet = unet_for(numbers) if unet_for else None
            given = [prompts[i] for i in numbers], [self.seeds[i] for i in numbers]
            latents = drawn(pipeline, *given, which.card.guidance, which.steps, unet)
            made.append(decode(pipeline, latents).float().clamp(-1, 1).cpu())
        return torch.cat(made)

    def fidelity(self, judge: Judge, images: Tensor) -> float:
        """The share of the stated attributes that the judge sees in an image for each prompt."""
        return fidelity(logits(judge, images), self.stated, judge.kinds).mean
