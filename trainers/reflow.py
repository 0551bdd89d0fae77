"""Text-conditioned reflow: straighten a model's flow on pairs of its own sampling (2-RF; repeat for k-RF).

    python -m trainers.reflow --teacher pocket-sd --pairs pairs/pocket-sd --output pocket-2rf

Minimises E ||(x1 - x0) - v(X_tau, tau | text)||^2 on the straight path between a pair's noise and latent
(InstaFlow, arXiv 2309.06380, equation 5). Ctrl-C stops; the same command resumes and gives the same weights.
"""

import math
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule, x1_from_velocity
from rf_app.flow.path import interpolate, uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from trainers.common import LoopConfig, command, train
from trainers.common.models import (
    decode,
    encode,
    fingerprint,
    flow_scheduler,
    load_frozen,
    publish_unet,
    registry_into,
    taken_up,
)
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.data.shards import PairSettings
from trainers.data.store import Batch, Order, Pairs

Start = Literal["matched", "raw"]
Density = Literal["uniform", "u-shaped"]
LossName = Literal["velocity", "huber"]

HUBER = 1e-3  # Rectified Diffusion, arXiv 2410.07303
SHARPNESS = 4.0  # of the U-shaped density
DROP_TEXT = 0.05  # keeps the empty text meaningful, so that guidance still works
GUIDANCE = 1.5  # recommended for the result, as in InstaFlow: it brings back what the regression softens
SHOWN = 8
PEAK = 2.0  # pictures lie in -1..1


@dataclass(frozen=True)
class ReflowConfig:
    """Settings of a reflow; the defaults suit the pocket models."""

    teacher: str
    """Model id whose weights are the start."""
    pairs: Path
    """Folder of pairs, from trainers.pairs."""
    output: str
    """Id of the model to publish."""
    title: str = ""
    """Its name in the model list (default: what it is)."""
    run: Path | None = None
    """Run folder for checkpoints, events and samples (default: reflow/OUTPUT under the user's runs)."""
    models: Path | None = None
    """Folder of models to publish into (default: the user's)."""
    overwrite: bool = False
    """Replace a model of that id."""
    start: Start = "matched"
    """How the teacher's U-Net is taken up: "matched", as a flow at the same signal-to-noise ratio (it goes on
    predicting epsilon), or "raw", its weights alone (it learns to predict velocity, as InstaFlow did)."""
    loss: LossName = "velocity"
    """"velocity": squared error of v; "huber": Huber error of the predicted data (Rectified Diffusion)."""
    density: Density = "uniform"
    """Density of tau: "uniform", or "u-shaped", more at both ends (2-RF++, arXiv 2405.20320)."""
    steps: int = 5_000
    """Optimizer steps."""
    batch: int = 48
    """Pairs in a step of each process."""
    learning_rate: float = 4e-4
    """Peak learning rate (InstaFlow took 1e-6 for SD 1.5)."""
    ema: float = 0.999
    """Decay of the moving average."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    seed: int = 0
    """Seed of every draw."""


def draw_tau(density: Density, count: int, generator: torch.Generator) -> Tensor:
    """Times [count] in 0..1.

    "u-shaped" is proportional to e^{4 tau} + e^{4 (1 - tau)}: an exponential, mirrored half of the time.
    """
    u = torch.rand(count, generator=generator)
    if density == "uniform":
        return u
    tau = torch.log1p(u * math.expm1(SHARPNESS)) / SHARPNESS
    mirrored = torch.rand(count, generator=generator) < 0.5
    return torch.where(mirrored, 1 - tau, tau)


def reflow_loss(
    unet: nn.Module, batch: Batch, tau: Tensor, schedule: NoiseSchedule | None, loss: LossName = "velocity"
) -> Tensor:
    """The loss of one batch at times tau [B]: a scalar, a mean over all numbers."""
    x = interpolate(batch.x0, batch.x1, tau)
    v = velocity_field(unet, batch.text, schedule=schedule)(x, tau)
    if loss == "velocity":
        return (v - (batch.x1 - batch.x0)).square().mean()
    error = x1_from_velocity(x, v, tau) - batch.x1
    return ((error.square() + HUBER**2).sqrt() - HUBER).mean()


def drop_text(text: Tensor, null: Tensor, generator: torch.Generator) -> Tensor:
    """Embeddings [B, L, D] with a few replaced by the empty text's [1, L, D]."""
    dropped = torch.rand(len(text), generator=generator) < DROP_TEXT
    return torch.where(dropped.to(text.device)[:, None, None], null, text)


def flow_samples(
    pipeline: StableDiffusionPipeline,
    shown: Batch,
    schedule: NoiseSchedule | None,
    run: Path,
    steps: tuple[int, ...],
) -> Callable[[nn.Module, int], dict[str, float]]:
    """Writes a sheet: the pairs' own pictures, then the model's in each of `steps`, from the same noise.

    Returns how near the pictures in `steps[0]` steps are to the pairs' own: PSNR in dB, higher is nearer.
    """

    def samples(model: nn.Module, step: int) -> dict[str, float]:
        velocity = velocity_field(model, shown.text, schedule=schedule)
        latents = [shown.x1, *(euler(velocity, shown.x0, uniform_taus(n)).x for n in steps)]
        images = [decode(pipeline, x).clamp(-1, 1) for x in latents]
        write_sheet(run / "samples" / f"step-{step:06d}.png", images)
        error = (images[1] - images[0]).square().mean().item()
        return {"psnr": 10 * math.log10(PEAK**2 / max(error, 1e-10))}

    return samples


def check_pairs(settings: PairSettings, pairs: Pairs, batch: int) -> None:
    """Raises UserError where there are fewer pairs than a batch takes."""
    if len(pairs) < batch:
        raise UserError(
            f"{len(pairs)} pairs of {settings.teacher} are fewer than a batch of {batch}: make more."
        )


def subject(unet: nn.Module, pairs: Pairs) -> dict[str, object]:
    """What a run is about, for its loop: these weights trained on these pairs."""
    return {"start weights": fingerprint(unet), "pairs": {"count": len(pairs)} | vars(pairs.settings)}


def main(config: ReflowConfig) -> None:
    """Train and publish."""
    registry = registry_into(config.models)
    teacher = registry.card(config.teacher)
    registry.check_free(config.output, config.overwrite)
    run = config.run or default_run(f"reflow/{config.output}")
    loop = LoopConfig(
        run,
        config.steps,
        config.learning_rate,
        warmup=min(100, config.steps // 10),
        ema=config.ema,
        seed=config.seed,
        checkpoint_every=config.checkpoint_every,
        batch=config.batch,
    )
    accelerator = Accelerator()
    pipeline = load_frozen(registry, config.teacher)
    pairs = Pairs(config.pairs, pipeline)
    check_pairs(pairs.settings, pairs, config.batch)
    settings = {"start": config.start, "loss": config.loss, "density": config.density}
    loop = replace(loop, subject=subject(pipeline.unet, pairs) | settings)
    schedule = taken_up(pipeline, config.start == "matched")
    null = encode(pipeline, [""])
    order = Order(len(pairs), config.batch, config.seed, accelerator.process_index, accelerator.num_processes)

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
        batch = pairs.batch(order.at(step), accelerator.device)
        tau = draw_tau(config.density, config.batch, generator).to(accelerator.device)
        batch = Batch(batch.x0, batch.x1, drop_text(batch.text, null, generator))
        return reflow_loss(model, batch, tau, schedule, config.loss)

    shown = pairs.batch(torch.arange(min(SHOWN, len(pairs))), accelerator.device)
    samples = flow_samples(pipeline, shown, schedule, run, steps=(1, 4))
    unet = train(loop, pipeline.unet.requires_grad_(True), loss, samples)
    scheduler = flow_scheduler(pipeline, config.start == "matched")
    card = reflow_card(config, teacher, times_rectified(registry, teacher), pairs)
    publish_unet(registry, unet, scheduler, card, config.overwrite)


def times_rectified(registry: Registry, teacher: ModelCard) -> int:
    """How often a flow trained from `teacher` was rectified: 2 where there was none before, as Liu counts.

    Ancestors that are gone are not counted, nor are flows that only had something merged into their weights.
    """
    line = [teacher]
    for ancestor in teacher.lineage:
        with suppress(UserError):
            line.append(registry.card(ancestor))
    return 2 + sum(
        card.kind == "rectified-flow" and not {"merged", "lora"} & card.settings.keys() for card in line
    )


def reflow_card(config: ReflowConfig, teacher: ModelCard, times: int, pairs: Pairs) -> ModelCard:
    """The card of the `times`-rectified flow that was trained from `teacher`."""
    return ModelCard(
        id=config.output,
        title=config.title or f"{times}-rectified flow of {(*teacher.lineage, teacher.id)[0]}",
        kind="rectified-flow",
        description=(
            f"Reflow of `{config.teacher}` on {len(pairs):,} pairs of noise and latent that "
            f"`{pairs.settings.teacher}` made in {pairs.settings.steps} steps at guidance "
            f"{pairs.settings.guidance:g}. Its paths are nearly straight: few Euler steps do."
        ),
        resolution=teacher.resolution,
        steps=8,
        guidance=GUIDANCE,
        license=teacher.license,
        lineage=(*teacher.lineage, teacher.id),
        settings=training_settings(config, pairs),
    )


def training_settings(config: object, pairs: Pairs) -> dict[str, object]:
    """What the card says of the training: the options, without the paths of one machine, and the pairs'."""
    own = {
        name: value
        for name, value in vars(config).items()
        if name not in ("title", "run", "models", "overwrite", "pairs")
    }
    made = {"count": len(pairs)} | vars(pairs.settings) | {"shape": list(pairs.settings.shape)}
    return own | {"pairs": made}


if __name__ == "__main__":
    command.run(main, ReflowConfig)
