"""One-step distillation: a U-Net that takes noise to the teacher's latent in a single Euler step.

    python -m trainers.distill --teacher pocket-2rf --pairs pairs/pocket-2rf --output pocket-instaflow

Minimises D(x1, x0 + v(x0, tau = 0 | text)) on pairs (InstaFlow, arXiv 2309.06380, equation 6), first with the
squared error of latents, then with LPIPS between the decoded pictures (both in `trainers.common.objectives`).
From a 2-RF, on pairs of its own, this is InstaFlow; from the diffusion teacher, on the teacher's pairs, it is
the ablation. Ctrl-C stops; the same command resumes and gives the same weights, and with more steps and
--overwrite a finished training goes on.
"""

import shutil
from collections.abc import Callable

import torch
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.metrics.perceptual import Perceptual
from rf_app.settings.training import Distill
from trainers.common import checkpoints, command
from trainers.common.objectives import distillation_loss, one_step, perceptual_loss
from trainers.common.runs import default_run
from trainers.common.student import Student
from trainers.data.store import Batch


def main(config: Distill) -> None:
    """Train both stages and publish."""
    judge = config.judge or BUNDLED
    if config.lpips_steps and not (judge / "judge.safetensors").is_file():
        raise UserError(f"--judge {judge} holds no judge.safetensors; --lpips-steps 0 does without.")
    student = Student(config, max(config.l2_batch, config.lpips_batch))
    run = config.run or default_run(f"distill/{config.output}")

    def learn(stage: str, loss: Callable[[nn.Module, Batch], object], seed: int) -> None:
        loop = {name: getattr(config, f"{stage}_{name}") for name in ("steps", "batch", "learning_rate")}
        batches = student.batches(loop["batch"], seed)
        student.learn(run / stage, lambda unet, draw, _: loss(unet, batches(draw)), (1,), **loop, seed=seed)

    def l2(unet: nn.Module, batch: Batch) -> Tensor:
        return distillation_loss(one_step(unet, batch, student.schedule), batch)

    def lpips(unet: nn.Module, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        latents = one_step(unet, batch, student.schedule)
        distance = perceptual_loss(student.pipeline, perceptual, latents, batch)
        error = distillation_loss(latents, batch)
        return distance + config.latent_weight * error, {"lpips": distance, "l2": error}

    if config.l2_steps:
        goes_on = checkpoints.steps_done(run / "l2") < config.l2_steps
        learn("l2", l2, config.seed)
        if goes_on:  # a second stage of before began where the first one ended then
            shutil.rmtree(run / "lpips", ignore_errors=True)
    if config.lpips_steps:
        perceptual = Perceptual(Judge.load(judge))
        perceptual = perceptual.to(student.accelerator.device, memory_format=torch.channels_last)
        learn("lpips", lpips, config.seed + 1)
    student.publish(
        kind="one-step",
        title=f"One step, distilled from {config.teacher}",
        description=f"One Euler step from noise to picture: `{config.teacher}`, distilled on {student.made}, "
        "with squared error and then LPIPS through the decoder.",
        steps=1,
        guidance=1.0,
    )


if __name__ == "__main__":
    command.run(main, Distill)
