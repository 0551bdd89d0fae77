"""What the judge says of translated drawings, beside those that SDEdit makes of the same ones."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from torch import Tensor

from rf_app.flow.path import interpolate, last_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.metrics.judge import Judge
from rf_app.metrics.style import StyleAxis
from rf_app.registry.encoding import encoded
from rf_app.schedulers.noise_schedule import schedule_of
from trainers.common.changes import changed, kept, reworded
from trainers.common.findings import markdown
from trainers.common.models import decode, encode, noise_of
from trainers.common.pixels import at_once, to_tensor
from trainers.common.sight import seen, style
from trainers.data.domains import DrawnDomain
from trainers.data.images import with_trigger

STRENGTHS = (0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)  # of SDEdit
SDEDIT_STEPS = 8  # of the whole path


@dataclass(frozen=True)
class Shares:
    """Shares of pictures: with the new value or style, with all other attributes as before, with both."""

    changed: float
    kept: float
    both: float


@dataclass(frozen=True)
class Row:
    """The figures of one way from source to target; of folders the judge sees nothing."""

    name: str
    steps: int = 0
    cost: float | None = None  # E |Z1 - Z0|^2
    straightness: float | None = None
    shares: Shares | None = None

    @property
    def way(self) -> str:
        """Name and steps."""
        return f"{self.name}, {self.steps} step{'s' * (self.steps > 1)}" if self.steps else self.name

    def figures(self) -> dict[str, float]:
        """Those there are, to four digits, for a card."""
        found = {"cost": self.cost, "straightness": self.straightness}
        found |= asdict(self.shares) if self.shares else {}
        return {name: float(f"{value:.4g}") for name, value in found.items() if value is not None}


class HeldOutDrawings:
    """Drawings of the source's kind that nothing has learned from, and what the judge sees in them.

    A style counts as changed past the middle of the way from plain statistics to styled ones. The judge knows
    plain drawings alone, so in a style it finds less as before than there is.
    """

    def __init__(self, judge: Judge, source: DrawnDomain, target: DrawnDomain) -> None:
        """target: of the same seeds where it is a style."""
        self.judge, self.source, self.target = judge, source, target
        everything = range(len(source))
        self.drawings = to_tensor(source.pixels(everything))
        self.before = seen(judge, self.drawings)
        if source.attribute is None:
            self.plain = style(judge, self.drawings)
            self.axis = StyleAxis(self.plain, style(judge, to_tensor(target.pixels(everything))))

    def shares(self, images: Tensor) -> Shares:
        """Of what became of the drawings, [N, 3, H, W] in -1..1."""
        attributes = [self.source.attribute] * len(images)
        after = seen(self.judge, images)
        if self.source.attribute is None:
            moved = zip(self.plain.split(1), style(self.judge, images).split(1), strict=True)
            new = [self.axis.shift(*pair) > 0.5 for pair in moved]
        else:
            new = changed(after, attributes, [self.target.name] * len(images))
        old = kept(self.before, after, attributes)
        both = [a and b for a, b in zip(new, old, strict=True)]
        return Shares(*(float(np.mean(each)) for each in (new, old, both)))

    @torch.no_grad()
    def mapped(self, pipeline: StableDiffusionPipeline, carry: Callable[[Tensor, range], Tensor]) -> Tensor:
        """Pictures [N, 3, H, W] of what `carry` makes of latents; it is told the numbers of the drawings."""
        made, batch = [], at_once(self.source.size)
        for i in range(0, len(self.drawings), batch):
            some = range(i, min(i + batch, len(self.drawings)))
            pixels = self.drawings[i : i + batch].to(pipeline.device)
            x = encoded(pipeline.vae, pixels)
            made.append(decode(pipeline, carry(x, some)).float().clamp(-1, 1).cpu())
        return torch.cat(made)

    def captions(self) -> list[str]:
        """What each drawing should show then, in words that name the target."""
        world, target = self.source.world, self.target.name
        told = []
        for seed in self.source.seeds:
            own = world.describe(seed)[1].text
            attribute = self.source.attribute
            told.append(with_trigger(reworded(world, seed, attribute, target) if attribute else own, target))
        return told


def sdedit(
    held: HeldOutDrawings, pipeline: StableDiffusionPipeline, guidance: float, texts: Sequence[str]
) -> tuple[float, Shares]:
    """SDEdit (arXiv 2108.01073) under a text for each drawing: the strength that is right most often."""
    schedule, null = schedule_of(pipeline.scheduler), encode(pipeline, [""])
    found: list[tuple[float, Shares]] = []
    for strength in STRENGTHS:
        taus = last_taus(SDEDIT_STEPS, strength)

        def carry(x: Tensor, some: range, taus: list[float] = taus) -> Tensor:
            text = encode(pipeline, [texts[i] for i in some])
            noise = noise_of([held.source.seeds[i] for i in some], x.shape[1:]).to(x)
            forth = velocity_field(pipeline.unet, text, null, max(guidance, 1.0), schedule)
            return euler(forth, interpolate(noise, x, taus[0]), taus).x

        found.append((strength, held.shares(held.mapped(pipeline, carry))))
    return max(found, key=lambda each: each[1].both)


def table(rows: Sequence[Row]) -> str:
    """The rows as Markdown."""
    cells = []
    for row in rows:
        own = ["" if value is None else f"{value:.1f}" for value in (row.cost, row.straightness)]
        seen = [f"{value:.1%}" for value in asdict(row.shares).values()] if row.shares else [""] * 3
        cells.append((row.name, row.steps or "", *own, *seen))
    return markdown(("", "steps", "cost", "straightness", "changed", "kept", "both"), cells)
