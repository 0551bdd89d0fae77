"""PeRFlow's objective: a teacher solves one window of time, and the student learns the straight way through
(arXiv 2405.07510).

The teacher's solve, DDIM, is Euler's method on the straight path at the same signal-to-noise ratio
(`rf_app.flow.conversion`); the student's way is straight in the teacher's own latents z = s X, as the sampler
walks it (`rf_app.schedulers.perflow`, where times and windows are explained).
"""

import torch
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.path import expand, interpolate
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import Velocity
from rf_app.schedulers.perflow import PeRFlowScheduler
from trainers.data.store import Batch

TIMES = 1000  # s = 1 - i / 1000 for i = 0 … 999, as the network is called


class Windows:
    """The windows of a sampler, for batches whose samples lie in different ones."""

    def __init__(self, sampler: PeRFlowScheduler, schedule: NoiseSchedule, steps: int) -> None:
        """schedule: the teacher's; steps: of the teacher from noise to data, shared out among the windows."""
        self.count, self.schedule = sampler.config.num_time_windows, schedule
        each = -(-steps // self.count)
        numbers = range(self.count)
        bounds = [torch.linspace(*sampler.timesteps_at(number), each + 1) for number in numbers]
        self.taus = torch.stack([schedule.tau(bound.round().long()) for bound in bounds])
        self.shapes = torch.tensor([sampler.window(number) for number in numbers])

    @torch.no_grad()
    def solve(self, teacher: Velocity, batch: Batch, i: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The straight ways [B] through their windows at the times i [B].

        batch: noise and real latents [B, C, H, W]. Returns the latents z there, the time [B] that a network
        is called with, 0 to 1000, and the epsilon [B, C, H, W] that it should predict.
        """
        device = batch.x1.device
        numbers = i * self.count // TIMES
        taus = self.taus[numbers].T.to(device)
        start, end, grown, eta = (expand(each.to(device), batch.x1) for each in self.shapes[numbers].T)
        x = interpolate(batch.x0, batch.x1, taus[0])
        x_end = euler(teacher, x, taus).x
        z_start, z_end = (
            expand(self.schedule.scale(tau), x) * each for tau, each in ((taus[0], x), (taus[-1], x_end))
        )
        s = (1 - i / TIMES).to(device)
        z = z_start + (expand(s, x) - start) / (end - start) * (z_end - z_start)
        return z, TIMES * s, (z_end - grown * z_start) / eta


def window_loss(unet: nn.Module, z: Tensor, t: Tensor, text: Tensor, epsilon: Tensor) -> Tensor:
    """Squared error of the predicted epsilon, a mean over all numbers (PeRFlow, algorithm 1).

    z, t, epsilon: as `Windows.solve` gives them; text: [B, L, D].
    """
    return (unet(z, t, encoder_hidden_states=text, return_dict=False)[0] - epsilon).square().mean()
