"""One-step distillation: a U-Net that takes noise to the teacher's latent in a single Euler step.

    python -m trainers.distill --teacher pocket-2rf --pairs pairs/pocket-2rf --output pocket-instaflow

Minimises D(x1, x0 + v(x0, tau = 0 | text)) on pairs (InstaFlow, arXiv 2309.06380, equation 6), first with the
squared error of latents, then with LPIPS between the decoded pictures. From a 2-RF, on pairs of its own, this
is InstaFlow; from the diffusion teacher, on the teacher's pairs, it is the ablation.
Ctrl-C stops; the same command resumes and gives the same weights.
"""

from dataclasses import dataclass
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.velocity import velocity_field
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.perceptual import Perceptual
from rf_app.registry.card import ModelCard
from trainers.common import LoopConfig, command, train
from trainers.common.models import (
    decode,
    flow_scheduler,
    load_frozen,
    publish_unet,
    registry_into,
    taken_up,
)
from trainers.common.runs import default_run
from trainers.data.store import Batch, Order, Pairs
from trainers.reflow import SHOWN, Start, check_pairs, flow_samples, subject, training_settings


@dataclass(frozen=True)
class DistillConfig:
    """Settings of a distillation; the defaults suit the pocket models."""

    teacher: str
    """Model id whose weights are the start."""
    pairs: Path
    """Folder of pairs, from trainers.pairs."""
    output: str
    """Id of the model to publish."""
    title: str = ""
    """Its name in the model list (default: what it is)."""
    run: Path | None = None
    """Run folder, with l2/ and lpips/ in it (default: distill/OUTPUT under the user's runs)."""
    models: Path | None = None
    """Folder of models to publish into (default: the user's)."""
    overwrite: bool = False
    """Replace a model of that id."""
    start: Start = "matched"
    """How the teacher's U-Net is taken up where it is a diffusion model; see trainers.reflow. A 2-RF goes on
    predicting what it predicts."""
    l2_steps: int = 3_000
    """Steps of the first stage, 0 to leave it out."""
    l2_batch: int = 48
    """Pairs in a step of the first stage."""
    l2_learning_rate: float = 3e-4
    """Peak learning rate of the first stage."""
    lpips_steps: int = 1_400
    """Steps of the second stage, 0 to leave it out."""
    lpips_batch: int = 16
    """Pairs in a step of the second stage, which decodes them."""
    lpips_learning_rate: float = 2e-5
    """Peak learning rate of the second stage: low, since it starts where the first one has settled."""
    latent_weight: float = 0.1
    """Weight of the latents' squared error in the second stage: it holds colours that LPIPS lets drift."""
    judge: Path = BUNDLED
    """Folder of the judge whose feature maps LPIPS compares."""
    ema: float = 0.999
    """Decay of the moving average."""
    checkpoint_every: int = 500
    """Steps between checkpoints."""
    seed: int = 0
    """Seed of every draw."""

    def __post_init__(self) -> None:
        """Raises UserError where nothing would be trained."""
        if min(self.l2_steps, self.lpips_steps) < 0 or self.l2_steps + self.lpips_steps == 0:
            raise UserError(
                f"--l2-steps {self.l2_steps} and --lpips-steps {self.lpips_steps}: neither may be negative, "
                "and one must be more than 0."
            )


def one_step(unet: nn.Module, batch: Batch, schedule: NoiseSchedule | None) -> Tensor:
    """x0 + v(x0, 0): latents [B, C, H, W] after one Euler step."""
    return batch.x0 + velocity_field(unet, batch.text, schedule=schedule)(batch.x0, 0.0)


class Distillation:
    """The two stages over one set of pairs."""

    def __init__(
        self,
        config: DistillConfig,
        run: Path,
        pipeline: StableDiffusionPipeline,
        pairs: Pairs,
        accelerator: Accelerator,
    ) -> None:
        """Everything both stages share."""
        self.config, self.run, self.pipeline, self.pairs = config, run, pipeline, pairs
        self.accelerator = accelerator
        self.schedule = taken_up(pipeline, config.start == "matched")
        self.shown = pairs.batch(torch.arange(min(SHOWN, len(pairs))), accelerator.device)

    def _stage(self, name: str, batch: int, seed: int) -> tuple[Path, Order]:
        ranks = self.accelerator.process_index, self.accelerator.num_processes
        return self.run / name, Order(len(self.pairs), batch, seed, *ranks)

    def _loop(self, unet: nn.Module, run: Path, steps: int, rate: float, batch: int, seed: int) -> LoopConfig:
        return LoopConfig(
            run,
            steps,
            rate,
            warmup=min(100, steps // 10),
            ema=self.config.ema,
            seed=seed,
            checkpoint_every=self.config.checkpoint_every,
            batch=batch,
            subject=subject(unet, self.pairs) | {"start": self.config.start},
        )

    def l2(self, unet: nn.Module) -> nn.Module:
        """Squared error of latents."""
        config = self.config
        run, order = self._stage("l2", config.l2_batch, config.seed)

        def loss(model: nn.Module, step: int, generator: torch.Generator) -> Tensor:
            batch = self.pairs.batch(order.at(step), self.accelerator.device)
            return (one_step(model, batch, self.schedule) - batch.x1).square().mean()

        loop = self._loop(unet, run, config.l2_steps, config.l2_learning_rate, config.l2_batch, config.seed)
        return train(
            loop, unet, loss, flow_samples(self.pipeline, self.shown, self.schedule, run, steps=(1,))
        )

    def lpips(self, unet: nn.Module) -> nn.Module:
        """LPIPS through the decoder, with a little of the first stage's loss."""
        config, device = self.config, self.accelerator.device
        run, order = self._stage("lpips", config.lpips_batch, config.seed + 1)
        perceptual = Perceptual(Judge.load(config.judge)).to(device, memory_format=torch.channels_last)

        def loss(model: nn.Module, step: int, generator: torch.Generator) -> tuple[Tensor, dict[str, float]]:
            batch = self.pairs.batch(order.at(step), device)
            latents = one_step(model, batch, self.schedule)
            # Twice as fast. Not for the U-Net: at tau = 0 a matched one multiplies its rounding by 15.
            with torch.autocast(device.type, torch.bfloat16):
                with torch.no_grad():
                    wanted = decode(self.pipeline, batch.x1)
                distance = perceptual(decode(self.pipeline, latents), wanted).float().mean()
            error = (latents - batch.x1).square().mean()
            figures = {"lpips": distance.item(), "l2": error.item()}
            return distance + config.latent_weight * error, figures

        steps, rate, batch = config.lpips_steps, config.lpips_learning_rate, config.lpips_batch
        loop = self._loop(unet, run, steps, rate, batch, config.seed + 1)
        return train(
            loop, unet, loss, flow_samples(self.pipeline, self.shown, self.schedule, run, steps=(1,))
        )


def main(config: DistillConfig) -> None:
    """Train both stages and publish."""
    registry = registry_into(config.models)
    teacher = registry.card(config.teacher)
    registry.check_free(config.output, config.overwrite)
    if config.lpips_steps and not (config.judge / "judge.safetensors").is_file():
        raise UserError(f"--judge {config.judge} holds no judge.safetensors; --lpips-steps 0 does without.")
    accelerator = Accelerator()
    pipeline = load_frozen(registry, config.teacher)
    pairs = Pairs(config.pairs, pipeline)
    check_pairs(pairs.settings, pairs, max(config.l2_batch, config.lpips_batch))
    run = config.run or default_run(f"distill/{config.output}")
    distillation = Distillation(config, run, pipeline, pairs, accelerator)
    unet = pipeline.unet.requires_grad_(True)
    if config.l2_steps:
        unet = distillation.l2(unet)
    if config.lpips_steps:
        unet = distillation.lpips(unet)
    scheduler = flow_scheduler(pipeline, config.start == "matched")
    publish_unet(registry, unet, scheduler, one_step_card(config, teacher, pairs), config.overwrite)


def one_step_card(config: DistillConfig, teacher: ModelCard, pairs: Pairs) -> ModelCard:
    """The card of the one-step model."""
    return ModelCard(
        id=config.output,
        title=config.title or f"One step, distilled from {config.teacher}",
        kind="one-step",
        description=(
            f"One Euler step from noise to picture: `{config.teacher}`, distilled on {len(pairs):,} pairs "
            f"that `{pairs.settings.teacher}` made in {pairs.settings.steps} steps at guidance "
            f"{pairs.settings.guidance:g}, with squared error and then LPIPS through the decoder."
        ),
        resolution=teacher.resolution,
        steps=1,
        guidance=1.0,
        license=teacher.license,
        lineage=(*teacher.lineage, teacher.id),
        settings=training_settings(config, pairs) | {"judge": config.judge.name},
    )


if __name__ == "__main__":
    command.run(main, DistillConfig)
