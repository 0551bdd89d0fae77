"""Distribution matching distillation: a one-step student whose pictures, as a whole, are like a teacher's.

A regression softens what it cannot predict. Here a critic, which begins as the teacher's copy, learns the
score of what the student makes, and the student follows the teacher's score minus the critic's: down the
gradient of the Kullback-Leibler divergence between both, at many noise levels (DMD, arXiv 2311.18828; several
steps of the critic for one of the student are of DMD2, arXiv 2405.14867). Written on the straight path, where
a U-Net predicts the same data as at the timestep of that signal-to-noise ratio.
"""

from copy import deepcopy

import torch
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule, epsilon_from_velocity, x1_from_velocity
from rf_app.flow.path import interpolate
from rf_app.flow.velocity import Velocity

TIMES = 20, 981  # timesteps: at the very ends of the schedule the scores say little


class Matching(nn.Module):
    """Student, critic and teacher as one function, since student and critic learn together.

    For one process: at most steps the student has no gradient, which DistributedDataParallel refuses.
    """

    def __init__(self, student: nn.Module, real: nn.Module) -> None:
        """real: the U-Net whose distribution is matched; the critic begins as its copy."""
        super().__init__()
        self.student, self.critic = student, deepcopy(real).requires_grad_(True)
        self.real = real.forward  # no submodule: neither checkpoints nor averages hold it

    def enable_gradient_checkpointing(self) -> None:
        """As the U-Nets have it."""
        for unet in (self.student, self.critic):
            unet.enable_gradient_checkpointing()

    def forward(self, part: str, *args: object, **kwargs: object) -> tuple[Tensor, ...]:
        """What "student", "critic" or "real" answers; the U-Net's own arguments and result."""
        return getattr(self, part)(*args, **kwargs)


def draw_tau(count: int, schedule: NoiseSchedule, generator: torch.Generator) -> Tensor:
    """tau [count] of uniform timesteps."""
    return schedule.tau(torch.randint(*TIMES, (count,), generator=generator)).float()


def critic_loss(critic: Velocity, x: Tensor, noise: Tensor, tau: Tensor, schedule: NoiseSchedule) -> Tensor:
    """Squared error of epsilon at times tau [B] for the student's latents x [B, ...]: a scalar."""
    noised = interpolate(noise, x, tau)
    eps = epsilon_from_velocity(noised, critic(noised, tau), tau, schedule)
    return (eps - noise).square().mean()


@torch.no_grad()
def matching_gradient(fake: Velocity, real: Velocity, x: Tensor, noise: Tensor, tau: Tensor) -> Tensor:
    """The direction [B, ...] away from which the student's latents x [B, ...] have to go.

    The difference between the data that both scores predict at times tau [B], over the mean distance to the
    teacher's (DMD, equations 7 and 8).
    """
    noised = interpolate(noise, x, tau)
    faked, wanted = (x1_from_velocity(noised, velocity(noised, tau), tau) for velocity in (fake, real))
    distance = (x - wanted).abs().mean(tuple(range(1, x.ndim)), keepdim=True)
    return (faked - wanted) / distance


def matching_loss(x: Tensor, gradient: Tensor) -> Tensor:
    """A scalar whose gradient in x [B, ...] is `gradient`, over how many numbers there are."""
    return 0.5 * (x - (x - gradient).detach()).square().mean()
