"""What the trainers of models share: a student that starts as its teacher's U-Net."""

from collections.abc import Callable
from pathlib import Path

import torch
from diffusers import SchedulerMixin
from torch import nn

from rf_app.errors import UserError
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.straightness import straightness
from rf_app.flow.velocity import velocity_field
from rf_app.registry.card import ModelCard
from rf_app.settings.training import OnPairs, Taught
from trainers.common.cards import as_it_ran
from trainers.common.loop import LoopConfig, Loss, Samples, train
from trainers.common.matching import Matching
from trainers.common.models import (
    decode,
    fingerprint,
    flow_scheduler,
    load_frozen,
    publish_unet,
    registry_into,
)
from trainers.common.pixels import psnr
from trainers.common.precision import accelerator_in
from trainers.common.sheets import write_sheet
from trainers.data.store import Batch, Order, Pairs

SHOWN = 8


class Student:
    """A loaded teacher, and the U-Net that learns."""

    def __init__(self, config: Taught) -> None:
        """Raises UserError for what cannot be trained or published."""
        self.config = config
        self.registry = registry_into(config.models)
        self.teacher = self.registry.card(config.teacher)
        self.registry.check_free(config.output, config.overwrite)
        self.accelerator = accelerator_in(config.precision)
        self.pipeline = load_frozen(self.registry, config.teacher)
        self.unet = self.pipeline.unet.requires_grad_(True)

    def learn(
        self,
        run: Path,
        loss: Loss,
        samples: Samples,
        subject: dict[str, object],
        real: nn.Module | None = None,
        **loop: object,
    ) -> None:
        """Train the U-Net in the folder `run`, which is refused where it holds another training.

        subject: what tells trainings apart besides the start; real: the frozen U-Net of a `Matching`, where
        `loss` is of one; loop: what the settings do not say of the loop.
        """
        subject = {"start weights": fingerprint(self.unet)} | subject
        config = LoopConfig.of(self.config, run, subject=subject, **loop)
        model = self.unet if real is None else Matching(self.unet, real)
        train(config, model, loss, samples)

    def publish(
        self,
        scheduler: SchedulerMixin,
        kind: str,
        title: str,
        description: str,
        steps: int,
        guidance: float,
        **found: object,
    ) -> None:
        """Publish the U-Net, with a card that says how it was trained, without the paths of one machine.

        found: what the training made of its settings.
        """
        config = self.config
        card = ModelCard(
            id=config.output,
            title=config.title or title,
            kind=kind,
            description=description,
            resolution=self.teacher.resolution,
            smallest_side=self.teacher.smallest_side,
            largest_side=self.teacher.largest_side,
            steps=steps,
            guidance=guidance,
            license=self.teacher.license,
            lineage=(*self.teacher.lineage, self.teacher.id),
            settings=as_it_ran(config, self.accelerator, **found),
        )
        publish_unet(self.registry, self.unet, scheduler, card, config.overwrite)


class PairsStudent(Student):
    """A student that becomes a flow by the pairs it learns from."""

    def __init__(self, config: OnPairs, batch: int) -> None:
        """batch: pairs of the largest batch. Raises UserError for what cannot be trained or published."""
        super().__init__(config)
        self.scheduler = flow_scheduler(config.teacher, self.pipeline.scheduler, config.start == "matched")
        self.schedule = self.scheduler.schedule
        self.pairs = Pairs(config.pairs, self.pipeline)
        if len(self.pairs) < batch:
            raise UserError(f"{len(self.pairs)} pairs are fewer than a batch of {batch}: make more.")
        self.shown = self.pairs.batch(torch.arange(min(SHOWN, len(self.pairs))), self.accelerator.device)

    def batches(self, size: int, seed: int) -> Callable[[int], Batch]:
        """The batch of each draw, on this process's device."""
        ranks = self.accelerator.process_index, self.accelerator.num_processes
        order = Order(len(self.pairs), size, seed, *ranks)
        return lambda draw: self.pairs.batch(order.at(draw), self.accelerator.device)

    def learn_pairs(self, run: Path, loss: Loss, shown: tuple[int, ...], *about: str, **more: object) -> None:
        """As `learn`. shown: numbers of steps of the samples; about: settings in which trainings differ."""
        subject = {"pairs": {"count": len(self.pairs)} | vars(self.pairs.settings)}
        subject |= {name: getattr(self.config, name) for name in ("start", *about)}
        self.learn(run, loss, self._samples(run, shown), subject, **more)

    def _samples(self, run: Path, steps: tuple[int, ...]) -> Samples:
        """Writes a sheet: the pairs' own pictures, then the model's in each of `steps`, from the same noise.

        Returns how near the pictures in `steps[0]` steps are to the pairs' own, PSNR in dB, higher is nearer;
        and where the last of `steps` are several, how straight the paths are in so many: 0 is straight.
        """

        def samples(_: nn.Module, step: int) -> dict[str, float]:
            velocity = velocity_field(self.unet, self.shown.text, schedule=self.schedule)
            drawn = (euler(velocity, self.shown.x0, uniform_taus(n)).x for n in steps)
            images = [decode(self.pipeline, x).clamp(-1, 1) for x in (self.shown.x1, *drawn)]
            write_sheet(run / "samples" / f"step-{step:06d}.png", images)
            figures = {"psnr": psnr(images[1], images[0]).mean().item()}
            if steps[-1] > 1:
                figures["straightness"] = straightness(velocity, self.shown.x0, steps[-1])
            return figures

        return samples

    @property
    def made(self) -> str:
        """How the pairs were made, for the card."""
        settings = self.pairs.settings
        return (
            f"{len(self.pairs):,} pairs of noise and latent that `{settings.teacher}` made in "
            f"{settings.steps} steps at guidance {settings.guidance:g}"
        )

    def publish_flow(self, **card: object) -> None:
        """As `publish`, with how the pairs were made."""
        pairs = self.pairs.settings
        made = {"count": len(self.pairs)} | vars(pairs) | {"shape": list(pairs.shape)}
        self.publish(self.scheduler, **card, pairs=made)
