"""Distribution matching: where it drives a student, and which weights learn when."""

from pathlib import Path

import torch
from diffusers import DDPMScheduler
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.velocity import Velocity, velocity_field
from rf_app.settings.training import Distill
from tests.tiny import BETAS
from trainers import distill
from trainers.common.matching import Matching, critic_loss, draw_tau, matching_gradient, matching_loss
from trainers.common.models import load_frozen
from trainers.common.student import PairsStudent

STABLE = DDPMScheduler(**BETAS)
SCHEDULE = NoiseSchedule(STABLE.alphas_cumprod)


class Gaussian(nn.Module):
    """The exact epsilon of data from a normal distribution of that mean and unit variance."""

    def __init__(self, mean: float) -> None:
        super().__init__()
        self.mean = nn.Parameter(torch.tensor(mean))

    def forward(self, z: Tensor, t: Tensor, **_: object) -> tuple[Tensor]:
        abar = STABLE.alphas_cumprod[t.round().long()][:, None]
        return ((1 - abar).sqrt() * (z - abar.sqrt() * self.mean),)

    def velocity(self) -> Velocity:
        return velocity_field(self, torch.zeros(1, 1, 1), schedule=SCHEDULE)


def test_the_gradient_points_from_the_students_mean_to_the_teachers() -> None:
    generator = torch.Generator().manual_seed(0)
    student, teacher = Gaussian(-1.0), Gaussian(2.0)
    x = torch.randn(64, 16, generator=generator) - 1
    x.requires_grad_()
    noise, tau = torch.randn(64, 16, generator=generator), draw_tau(64, SCHEDULE, generator)
    gradient = matching_gradient(student.velocity(), teacher.velocity(), x, noise, tau)
    assert (gradient < 0).all()
    matching_loss(x, gradient).backward()
    assert torch.allclose(x.grad * x.numel(), gradient)
    assert not matching_gradient(teacher.velocity(), teacher.velocity(), x, noise, tau).any()


def test_student_and_critic_find_the_teacher_together() -> None:
    """The student is its noise, moved; neither of both is told where to."""
    generator = torch.Generator().manual_seed(0)
    moved, critic, teacher = nn.Parameter(torch.tensor(-1.0)), Gaussian(0.0), Gaussian(2.0)
    optimizer = torch.optim.Adam(
        [{"params": [moved], "lr": 0.02}, {"params": critic.parameters(), "lr": 0.1}]
    )
    for _ in range(600):
        x = torch.randn(64, 16, generator=generator) + moved
        noise, tau = torch.randn(64, 16, generator=generator), draw_tau(64, SCHEDULE, generator)
        gradient = matching_gradient(critic.velocity(), teacher.velocity(), x, noise, tau)
        loss = matching_loss(x, gradient) + critic_loss(critic.velocity(), x.detach(), noise, tau, SCHEDULE)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert abs(moved.item() - 2) < 0.2
    assert abs(critic.mean.item() - 2) < 0.2


def test_the_student_learns_in_its_steps_alone_and_the_critic_in_all(at_home: Path) -> None:
    """A step is of two draws here, the student's the second of two; the teacher never learns."""
    config = Distill(
        teacher="tiny-2rf", pairs=at_home / "pairs", output="x", match_steps=4, match_every=2, accumulate=2
    )
    student = PairsStudent(distill.with_matched(config), 4)
    teacher = load_frozen(student.registry, "tiny-sd")
    model = Matching(student.unet, teacher.unet)
    loss = distill.distribution_matching(student, SCHEDULE)
    for draw in range(4):
        model.zero_grad()
        value, figures = loss(model, student.batches(4, 0)(draw), draw, torch.Generator().manual_seed(draw))
        value.backward()
        learned = [
            part for part in ("student", "critic") if getattr(model, part).conv_in.weight.grad is not None
        ]
        assert learned == (["critic"] if draw < 2 else ["student", "critic"])
        assert ("match" in figures) == (draw >= 2)
        assert all(parameter.grad is None for parameter in teacher.unet.parameters())
