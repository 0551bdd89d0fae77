"""Piecewise rectified flow: a flow that is straight in each of a few windows of time (PeRFlow, 2405.07510).

    python -m trainers.perflow --teacher pocket-sd --output pocket-perflow

Needs no pairs: in every step the teacher solves a window for noised real latents, of --images or of drawings
of the pocket world. What is published draws in 4 or 8 steps, with guidance and negative prompts like its
teacher (or, trained with --guidance, without). --first-windows 16 begins with narrow windows, which get fewer
and wider along the training. Ctrl-C stops; the same command resumes and gives the same weights, and with more
--steps and --overwrite a finished training goes on.

Users of the published code report pictures that turn to noise as the training goes on
(magic-research/piecewise-rectified-flow, issues 16 and 17). One way there, reproduced: that code saves the
U-Net alone, its sampler draws as "ddim_eps" where nobody says otherwise, and Stable Diffusion 1.5 is trained
to "diff_eps", 0.63 to 0.96 of that epsilon. Too little noise is then taken away in every window. An untrained
student, which is its teacher, is drawn well so, and the more it learns the worse it gets
(`tests/trainers/test_perflow.py` has it exactly). Here one sampler says what is learned, draws the samples
and is published beside the weights, and a run goes on as it began. The default is "ddim_eps": the student
begins as its teacher, and has only the bends of each window to learn. In 8 steps pictures of `pocket-sd` were
at 28.5 dB of the teacher's after `--steps 60 --batch 16 --drawings 512 --teacher-steps 8 --learning-rate
2.5e-5`, and at 23.2 dB with `--predicts diff_eps`.
"""

from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path

import torch
from diffusers import SchedulerMixin
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.velocity import velocity_field
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.settings.training import PeRFlow
from trainers.common import command
from trainers.common.captioned import Captioned
from trainers.common.loop import Samples
from trainers.common.models import decode, drawn, encode, with_schedule_of
from trainers.common.pixels import psnr
from trainers.common.runs import default_run
from trainers.common.sheets import write_sheet
from trainers.common.student import SHOWN, Student
from trainers.common.windows import TIMES, Windows, window_loss
from trainers.data.store import Batch

MOST_GROWN = 100  # times; Stable Diffusion 1.5's first of four windows has 3.5


def main(config: PeRFlow) -> None:
    """Train and publish."""
    student = Student(config)
    pipeline, accelerator = student.pipeline, student.accelerator
    samplers = samplers_for(config, pipeline.scheduler)
    schedule = schedule_of(pipeline.scheduler)
    windows = {count: Windows(each, schedule, config.teacher_steps) for count, each in samplers.items()}
    run = config.run or default_run(f"perflow/{config.output}")
    learned = Captioned(config, student.registry, config.teacher, pipeline, run, accelerator)
    teacher, null = deepcopy(student.unet).requires_grad_(False), encode(pipeline, [""])
    if config.compile:
        teacher.compile()

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> Tensor:
        picks = learned.picks(draw)
        latents = learned.latents[picks].to(null.device)
        noise = torch.randn(latents.shape, generator=generator).to(null.device)
        i = torch.randint(TIMES, (len(picks),), generator=generator)
        text = learned.text(picks, generator)
        pairs = Batch(noise, latents, text)
        solved = velocity_field(teacher, text, null, config.guidance, schedule)
        with accelerator.autocast():
            z, t, epsilon = windows[config.windows_at(draw // config.accumulate)].solve(solved, pairs, i)
        return window_loss(model, z, t, text, epsilon)

    guidance = student.teacher.guidance if config.guidance == 1 else 1.0
    samples = window_samples(student, samplers, guidance, learned.captions(SHOWN), run)
    subject = {"pictures": learned.images.digest()}
    subject |= {name: getattr(config, name) for name in ("windows", "first_windows", "guidance", "predicts")}
    student.learn(run, loss, samples, subject, batch=learned.batch)
    seen = "as it is" if config.guidance == 1 else f"at guidance {config.guidance:g}"
    student.publish(
        samplers[config.windows],
        kind="piecewise-flow",
        title=f"PeRFlow of {student.teacher.title}",
        description=f"`{config.teacher}`, seen {seen}, along a path that is straight in each of "
        f"{config.windows} windows of time: it draws in {config.windows} steps or more. Trained on "
        f"{len(learned):,} pictures.",
        steps=2 * config.windows,
        guidance=guidance,
        pictures=len(learned),
        batch=learned.batch,
    )


def samplers_for(config: PeRFlow, own: SchedulerMixin) -> dict[int, PeRFlowScheduler]:
    """A sampler by each number of windows that the training has, on the noise schedule of the teacher's own.

    Raises UserError for a teacher that does not predict epsilon, or whose schedule cannot be carried on or
    ends in pure noise, and for a training that ends before its windows are as wide as they should get.
    """
    if own.config.get("prediction_type") != "epsilon":
        raise UserError(f"{config.teacher} does not predict epsilon, as the teacher of a PeRFlow must.")
    counts = {config.windows_at(step) for step in range(config.steps)}
    if config.windows not in counts:
        raise UserError(
            f"--steps {config.steps} end before there are {config.windows} windows: with --first-windows "
            f"{config.first_windows} their number is halved every {config.widen_every} steps (--widen-every)."
        )
    more = {"prediction_type": config.predicts}
    samplers = {
        count: with_schedule_of(config.teacher, own, PeRFlowScheduler, num_time_windows=count, **more)
        for count in counts
    }
    grown = max(sampler.window(0)[2] for sampler in samplers.values())
    if grown > MOST_GROWN:
        raise UserError(
            f"{config.teacher} has a noise schedule that ends in pure noise: the first window would multiply "
            f"every error of the network by {grown:,.0f}. The teacher of a PeRFlow must have one that ends "
            "before, as Stable Diffusion 1.5's does."
        )
    return samplers


def window_samples(
    student: Student,
    samplers: dict[int, PeRFlowScheduler],
    guidance: float,
    captions: Sequence[str],
    run: Path,
) -> Samples:
    """Writes a sheet: the teacher's pictures, then the student's in a step and in two a window, from the same
    noise.

    Returns how near the student's in two steps are to the teacher's: PSNR in dB, higher is nearer.
    """
    config, pipeline, card = student.config, student.pipeline, student.teacher

    def row(sampler: SchedulerMixin, guidance: float, steps: int) -> Tensor:
        latents = drawn(pipeline, captions, range(len(captions)), guidance, steps, scheduler=sampler)
        return decode(pipeline, latents).clamp(-1, 1)

    with torch.no_grad():
        seen = row(pipeline.scheduler, guidance if config.guidance == 1 else config.guidance, card.steps)

    def samples(_: nn.Module, step: int) -> dict[str, float]:
        count = config.windows_at(step - 1)
        rows = [seen, *(row(samplers[count], guidance, count * each) for each in (1, 2))]
        write_sheet(run / "samples" / f"step-{step:06d}.png", rows)
        return {"psnr": psnr(rows[-1], seen).mean().item()}

    return samples


if __name__ == "__main__":
    command.run(main, PeRFlow)
