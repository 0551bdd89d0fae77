"""One-step distillation: a U-Net that takes noise to the teacher's latent in a single Euler step.

    python -m trainers.distill --teacher pocket-2rf --pairs pairs/pocket-2rf --output pocket-instaflow

Minimises D(x1, x0 + v(x0, tau = 0 | text)) on pairs (InstaFlow, arXiv 2309.06380, equation 6), first with the
squared error of latents, then with LPIPS between the decoded pictures (both in `trainers.common.objectives`).
From a 2-RF, on pairs of its own, this is InstaFlow; from the diffusion teacher, on the teacher's pairs, it is
the ablation. With --match-steps a third stage goes beyond the paper: distribution matching, which
`trainers.common.matching` explains. With --anywhere the step is learned from points on the way, too, so that
it can begin from a picture. With --stacked the student is two U-Nets in a row, InstaFlow-1.7B
(`rf_app.registry.stacked`). Ctrl-C stops; the same command resumes and gives the same weights, and with more
steps and --overwrite a finished training goes on.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.path import Tau
from rf_app.flow.velocity import velocity_field
from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import BUNDLED, Perceptual
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.registry.stacked import StackedUNet
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import Distill
from trainers.common import checkpoints, command
from trainers.common.matching import critic_loss, draw_tau, matching_gradient, matching_loss
from trainers.common.models import encode, load_frozen, registry_into, stacked
from trainers.common.objectives import distillation_loss, draw_begins, one_step, perceptual_loss
from trainers.common.runs import begin_anew, default_run
from trainers.common.student import PairsStudent
from trainers.data.store import Batch

STAGES = "l2", "lpips", "match"
StageLoss = Callable[[nn.Module, Batch, int, torch.Generator], tuple[Tensor, dict[str, Tensor]]]
"""(model, batch, number of the draw, its generator) -> loss, figures"""


def main(config: Distill) -> None:
    """Train the stages and publish."""
    judge = config.judge or BUNDLED
    if config.lpips_steps and not (judge / "judge.safetensors").is_file():
        raise UserError(f"--judge {judge} holds no judge.safetensors; --lpips-steps 0 does without.")
    if config.match_steps:
        config = with_matched(config)
    stages = [stage for stage in STAGES if getattr(config, f"{stage}_steps")]
    student = PairsStudent(config, max(getattr(config, f"{stage}_batch") for stage in stages))
    if config.stacked:
        both = stacked(config.teacher, student.unet).to(memory_format=torch.channels_last)
        student.unet = student.pipeline.unet = both
    if config.match_steps and student.accelerator.num_processes > 1:
        raise UserError("--match-steps works in one process alone; --match-steps 0 leaves that stage out.")
    run = config.run or default_run(f"distill/{config.output}")
    # A matched network multiplies its rounding by 15 at tau = 0: little beside the error of latents, but not
    # to the eye.
    float32 = [stage for stage in stages if stage != "l2" and student.schedule is not None]

    def learn(stage: str, loss: StageLoss, *about: str, real: nn.Module | None = None) -> None:
        number = STAGES.index(stage)
        loop = {name: getattr(config, f"{stage}_{name}") for name in ("steps", "batch", "learning_rate")}
        loop["seed"] = config.seed + number
        loop["float32"] = stage in float32
        batches = student.batches(loop["batch"], loop["seed"])
        goes_on = checkpoints.steps_done(run / stage) < loop["steps"]
        student.learn_pairs(
            run / stage,
            lambda model, draw, generator: loss(model, batches(draw), draw, generator),
            (1,),
            "anywhere",
            *about,
            real=real,
            **loop,
        )
        if goes_on:
            begin_anew([run / later for later in STAGES[number + 1 :]], student.accelerator)

    def begins(batch: Batch, generator: torch.Generator) -> Tau:
        return draw_begins(len(batch.x0), generator) if config.anywhere else 0.0

    def l2(
        unet: nn.Module, batch: Batch, _: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        latents = one_step(unet, batch, student.schedule, begins(batch, generator))
        return distillation_loss(latents, batch), {}

    def lpips(
        unet: nn.Module, batch: Batch, _: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        latents = one_step(unet, batch, student.schedule, begins(batch, generator))
        distance = perceptual_loss(student.pipeline, perceptual, latents, batch)
        error = distillation_loss(latents, batch)
        return distance + config.latent_weight * error, {"lpips": distance, "l2": error}

    if config.match_steps:  # loaded here, so that what cannot be matched is said before hours of training
        real = load_frozen(student.registry, config.match_teacher)
        match = distribution_matching(student, schedule_of(real.scheduler))
    if config.l2_steps:
        learn("l2", l2)
    if config.lpips_steps:
        perceptual = Perceptual(Judge.load(judge))
        perceptual = perceptual.to(student.accelerator.device, memory_format=torch.channels_last)
        learn("lpips", lpips)
    if config.match_steps:
        about = "match_teacher", "match_guidance", "match_every", "match_anchor"
        learn("match", match, *about, real=real.unet)
    how = {
        "l2": "squared error",
        "lpips": "LPIPS through the decoder",
        "match": f"distribution matching against `{config.match_teacher}`",
    }
    of_two = " of two U-Nets in a row" if isinstance(student.unet, StackedUNet) else ""
    student.publish_flow(
        kind="one-step",
        title=f"One step{of_two}, distilled from {config.teacher}",
        description=f"One Euler step{of_two} from noise to picture: `{config.teacher}`, distilled on "
        f"{student.made}, with {', then '.join(how[stage] for stage in stages)}.",
        steps=1,
        guidance=1.0,
        **({"float32": float32} if float32 else {}),
    )


def with_matched(config: Distill) -> Distill:
    """The settings with the model to match named, and its guidance, for the run folder and the card.

    Raises UserError for a model that has none to match, or whose text encoder is another than its own.
    """
    registry = registry_into(config.models)
    teacher = registry.card(config.teacher)
    matched = registry.card(config.match_teacher) if config.match_teacher else diffusion_in(registry, teacher)
    if matched.kind != "diffusion":
        raise UserError(
            f"--match-teacher {matched.id} is a {matched.kind} model; it must be a diffusion model."
        )
    if registry.lender(matched.id) != registry.lender(teacher.id):
        raise UserError(
            f"--match-teacher {matched.id} has not the text encoder and autoencoder of {teacher.id}: name a "
            f"diffusion model that shares those of {registry.lender(teacher.id)}."
        )
    guidance = matched.guidance if config.match_guidance is None else config.match_guidance
    return replace(config, match_teacher=matched.id, match_guidance=guidance)


def diffusion_in(registry: Registry, teacher: ModelCard) -> ModelCard:
    """The last diffusion model in the line that ends with `teacher`; UserError where none is at hand."""
    for id in (teacher.id, *reversed(teacher.lineage)):
        with suppress(UserError):  # an ancestor may be gone
            if (card := registry.card(id)).kind == "diffusion":
                return card
    raise UserError(
        f"There is no diffusion model in the line of {teacher.id}: name one with --match-teacher."
    )


def distribution_matching(student: PairsStudent, schedule: NoiseSchedule) -> StageLoss:
    """The loss of the third stage, for a `Matching`; schedule: that of the model to match.

    The critic learns in every step, the student in each `match_every`th: in the others it has no gradient.
    """
    config, null = student.config, encode(student.pipeline, [""])

    def loss(
        model: nn.Module, batch: Batch, draw: int, generator: torch.Generator
    ) -> tuple[Tensor, dict[str, Tensor]]:
        def noise_and_tau() -> tuple[Tensor, Tensor]:
            noise = torch.randn(batch.x0.shape, generator=generator)
            return noise.to(batch.x0), draw_tau(len(noise), schedule, generator).to(batch.x0)

        learns = (draw // config.accumulate + 1) % config.match_every == 0
        with torch.set_grad_enabled(learns):
            x = one_step(partial(model, "student"), batch, student.schedule)
        fake = velocity_field(partial(model, "critic"), batch.text, schedule=schedule)
        real = velocity_field(partial(model, "real"), batch.text, null, config.match_guidance, schedule)
        critic = critic_loss(fake, x.detach(), *noise_and_tau(), schedule)
        error = distillation_loss(x, batch)
        if not learns:
            return critic, {"critic": critic, "l2": error}
        gradient = matching_gradient(fake, real, x.detach(), *noise_and_tau())
        figures = {"critic": critic, "l2": error, "match": gradient.square().mean().sqrt()}
        return critic + matching_loss(x, gradient) + config.match_anchor * error, figures

    return loss


if __name__ == "__main__":
    command.run(main, Distill)
