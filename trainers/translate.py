"""Translate one kind of picture into another by transport, unpaired: day to night, plain to woodcut.

    python -m trainers.translate --source day --target night --output day-to-night
    python -m trainers.translate --source plain --target woodcut --output to-woodcut
    python -m trainers.translate --source photos/summer --target photos/winter --output to-winter

Rectified flow joins any two distributions (arXiv 2209.03003): here x0 are latents of the one kind, where
elsewhere it is noise. The first flow learns from latents of both kinds, paired anew in every batch; the
second from where the first carries the source's, which makes it straighter and no costlier; and from where
that one carries them a single step is learned. Those two are published. The losses are those of
`trainers.reflow` and `trainers.distill`. Printed in the end, and on the card: cost and straightness of each
flow, on pictures of the source that were held out, and what the judge sees in translated drawings
(`trainers.common.translated`), beside SDEdit, told the target's word, or a whole caption, which no
translation is told. Ctrl-C stops; the same command resumes, and with more --steps and --overwrite a finished
training goes on: the first flow from its end, what stands on it anew.
"""

import copy
import hashlib
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.coupling import matched
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.straightness import straightness, transport_cost
from rf_app.flow.velocity import Velocity, velocity_field
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.registry.disk import write_atomically
from rf_app.registry.translations import FLOW, ONE_STEP, TranslationCard, Translations
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.translation import Translate
from trainers.common import LoopConfig, checkpoints, command, train
from trainers.common.cards import as_it_ran
from trainers.common.loop import Loss, Samples
from trainers.common.models import decode, encode, fingerprint, load_frozen, registry_into
from trainers.common.objectives import distillation_loss, draw_tau, one_step, reflow_loss
from trainers.common.pixels import at_once
from trainers.common.precision import accelerator_in
from trainers.common.runs import begin_anew, default_run
from trainers.common.sheets import write_sheet
from trainers.common.translated import SDEDIT_STEPS, HeldOutDrawings, Row, sdedit, table
from trainers.data.domains import Domain, DrawnDomain, domains, drawn
from trainers.data.images import latents_of
from trainers.data.store import Batch, Order
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.world import HELD_OUT

DISTILLED = "distilled"
STAGES = "1-rectified", "2-rectified", DISTILLED
STEPS = 16  # of Euler, in which a flow carries pictures over
MEASURED, MEASURED_STEPS = 64, 25  # for cost and straightness
POOL = 8  # times the batch: what it is paired in
SHOWN = 8


class Translation:
    """Latents of both kinds, and the U-Net that becomes one flow after the other, then a single step."""

    def __init__(self, config: Translate) -> None:
        """Raises UserError for what cannot be trained or published."""
        self.config, registry = config, registry_into(config.models)
        self.base = registry.card(config.base)
        self.store = Translations.default(config.translations)
        self.store.check_free(config.output, config.overwrite)
        self.run = config.run or default_run(f"translate/{config.output}")
        self.accelerator = accelerator_in(config.precision)
        self.pipeline = load_frozen(registry, config.base)
        self.judge = Judge.load(config.judge or BUNDLED)
        self.world = world_of(self.judge.kinds)
        kinds = self.judge.kinds, self.base.resolution, config.drawings
        self.source, self.target = domains(config.source, config.target, self.world, *kinds)
        with self.accelerator.main_process_first():
            x0, self.x1 = self._latents(self.source), self._latents(self.target)
        held = min(MEASURED, len(x0) // 10 + 1)
        self.x0, self.held = x0[:-held], x0[-held:]
        self.others = self.x1[torch.arange(held) % len(self.x1)]
        self.null = encode(self.pipeline, [""])
        self.unet = self.pipeline.unet.requires_grad_(True)

    def _latents(self, domain: Domain) -> Tensor:
        said = f"{domain.digest()} {fingerprint(self.pipeline.vae)}"
        path = self.run / f"latents-{hashlib.sha256(said.encode()).hexdigest()[:12]}.safetensors"
        latents = latents_of(self.pipeline.vae, domain.pixels, len(domain), path)
        return latents.to(self.accelerator.device)

    def held_out_drawings(self) -> HeldOutDrawings | None:
        """Those that the judge looks at; None where the source is a folder."""
        if not isinstance(self.source, DrawnDomain):
            return None
        about = self.source.attribute, self.world, self.base.resolution, self.config.measured, HELD_OUT
        names = self.config.source, self.config.target
        return HeldOutDrawings(self.judge, *(drawn(name, *about) for name in names))

    def velocity(self) -> Velocity:
        """Of the U-Net as it is."""
        return velocity_field(self.unet, self.null)

    @torch.no_grad()
    def carried(self, x: Tensor, steps: int = STEPS) -> Tensor:
        """Where it carries latents [N, C, h, w] of the source."""
        parts = x.split(at_once(self.base.resolution))
        return torch.cat([euler(self.velocity(), part, uniform_taus(steps)).x for part in parts])

    def ends(self, following: str) -> Tensor:
        """Where it carries all that is learned from; kept in the folder of the training that follows."""
        path = self.run / following / f"ends-{fingerprint(self.unet)}.safetensors"
        with self.accelerator.main_process_first():
            if not path.exists():
                found = {"ends": self.carried(self.x0).cpu()}
                write_atomically(path, lambda temporary: save_file(found, temporary))
        return load_file(path)["ends"].to(self.x0.device)

    def paired_anew(self, draw: int, generator: torch.Generator) -> Batch:
        """Some of a pool of pictures of both kinds at random, which optimal transport pairs."""
        size = self.config.batch
        picks = (torch.randint(len(x), (POOL * size,), generator=generator) for x in (self.x0, self.x1))
        x0, x1 = (x[some.to(x.device)] for x, some in zip((self.x0, self.x1), picks, strict=True))
        ends = matched(x0.flatten(1), x1.flatten(1)).view_as(x1)
        return Batch(x0[:size], ends[:size], self.null)

    def paired_with(self, ends: Tensor) -> Callable[[int, torch.Generator], Batch]:
        """Pictures of the source, each with its own end."""
        ranks = self.accelerator.process_index, self.accelerator.num_processes
        order = Order(len(ends), self.config.batch, self.config.seed, *ranks)

        def batch(draw: int, generator: torch.Generator) -> Batch:
            picks = order.at(draw).to(ends.device)
            return Batch(self.x0[picks], ends[picks], self.null)

        return batch

    def learn(self, name: str, loss: Loss) -> None:
        """Train the U-Net on from where it is, in a folder of the run.

        But for its last layer: each flow begins with no change at all. So the first loss is what there is to
        learn, by which the loop knows a diverging one; a flow that is straight already would begin with none.
        """
        folder = self.run / name
        goes_on = checkpoints.steps_done(folder) < self.config.steps
        for last in self.unet.conv_out.parameters():
            nn.init.zeros_(last)
        subject = {"start weights": fingerprint(self.unet)}
        subject |= {"source": self.source.digest(), "target": self.target.digest()}
        train(LoopConfig.of(self.config, folder, subject=subject), self.unet, loss, self._samples(folder))
        if goes_on:
            later = STAGES[STAGES.index(name) + 1 :]
            begin_anew([self.run / each for each in later], self.accelerator)

    def _samples(self, folder: Path) -> Samples:
        """Writes a sheet: pictures of the source, below them where they get in one step and in `STEPS`."""

        def samples(_: nn.Module, step: int) -> None:
            x = self.held[:SHOWN]
            ways = (x, self.carried(x, 1), self.carried(x))
            sheet = folder / "samples" / f"step-{step:06d}.png"
            write_sheet(sheet, [self.pictures(each) for each in ways], "given")

        return samples

    @torch.no_grad()
    def pictures(self, x: Tensor) -> Tensor:
        """Of latents, in about -1..1."""
        return decode(self.pipeline, x).float().clamp(-1, 1)

    def row(self, name: str, steps: int, held: HeldOutDrawings | None) -> Row:
        """Its figures in so many steps."""
        cost = float(transport_cost(self.held, self.carried(self.held, steps)))
        curved = None if steps == 1 else straightness(self.velocity(), self.held, MEASURED_STEPS)
        shares = None
        if held:
            shares = held.shares(held.mapped(self.pipeline, lambda x, _: self.carried(x, steps)))
        return Row(name, steps, cost, curved, shares)

    def publish(self, flow: nn.Module, rows: list[Row]) -> None:
        """Publish the flow for several steps, the U-Net as it is for one, and the figures."""
        config, names = self.config, (Path(self.config.source).name, Path(self.config.target).name)
        card = TranslationCard(
            id=config.output,
            title=config.title or "{} to {}".format(*names).capitalize(),
            source=names[0],
            target=names[1],
            description="From pictures of the one kind to the other, in the latents of "
            f"`{config.base}`: a flow between them, rectified once more, and what was distilled from it.",
            license=self.base.license,
            base_model=self.base.id,
            settings=as_it_ran(config, self.accelerator) | {"source": names[0], "target": names[1]},
            measured={row.way: row.figures() for row in rows},
        )

        def build(folder: Path) -> None:
            for name, unet in ((ONE_STEP, self.unet), (FLOW, flow)):
                unet.half().to(memory_format=torch.contiguous_format).save_pretrained(folder / name)

        where = self.store.publish(config.output, build, card, config.overwrite)
        print(f"published {config.output} in {where}", flush=True)


def main(config: Translate) -> None:
    """Train one flow after the other and the step, measure, publish."""
    way = Translation(config)
    held = way.held_out_drawings()
    rows = [Row("pairs at random", cost=float(transport_cost(way.held, way.others)))]
    pairs = way.paired_anew

    def rectify(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        tau = draw_tau("uniform", config.batch, generator).to(way.null.device)
        return reflow_loss(model, pairs(draw, generator), tau, None)

    def distil(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        batch = pairs(draw, generator)
        return distillation_loss(one_step(model, batch, None), batch)

    for name, following in pairwise(STAGES):
        way.learn(name, rectify)
        rows += [way.row(name, steps, held) for steps in (STEPS, 1)]
        pairs = way.paired_with(way.ends(following))
    flow = copy.deepcopy(way.unet).cpu()
    way.learn(DISTILLED, distil)
    rows.append(way.row(DISTILLED, 1, held))
    if way.accelerator.is_main_process:
        rows += beside(way, held) if held else []
        print(table(rows), flush=True)
        way.publish(flow, rows)


def beside(way: Translation, held: HeldOutDrawings) -> list[Row]:
    """SDEdit by the model that was the start, told the target's word alone, and told all; none by one that
    has no path that could be followed.
    """
    pipeline = load_frozen(registry_into(way.config.models), way.base.id)
    try:
        schedule_of(pipeline.scheduler)
    except UserError:
        return []
    told = {"the word": [held.target.name] * len(held.drawings), "all": held.captions()}
    rows = []
    for name, texts in told.items():
        strength, shares = sdedit(held, pipeline, way.base.guidance, texts)
        rows.append(Row(f"SDEdit told {name}, strength {strength:g}", SDEDIT_STEPS, shares=shares))
    return rows


if __name__ == "__main__":
    command.run(main, Translate)
