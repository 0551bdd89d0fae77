"""Heun's method for a rectified flow: order 2, for two calls of the U-Net a step."""

from itertools import pairwise

from diffusers.schedulers.scheduling_utils import SchedulerOutput
from torch import Tensor

from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler


class HeunFlowScheduler(RectifiedFlowScheduler):
    """As `rf_app.flow.solvers.heun`: averages the velocities at a step's start and where Euler would end."""

    order = 2  # the pipelines call `step` so many times a step

    def _evaluated(self, taus: list[float]) -> list[float]:
        taus = [tau for step in pairwise(taus) for tau in step]
        # Data without noise says nothing about the noise it came from: epsilon's last step is Euler's.
        return taus if self.schedule is None else taus[:-1]

    def step(
        self, model_output: Tensor, timestep: Tensor | float, sample: Tensor, return_dict: bool = True
    ) -> SchedulerOutput | tuple[Tensor]:
        """Half of a step; to be called once for each of `timesteps`, in order."""
        x, velocity = self._velocity(model_output, sample)
        first_half = self._index % 2 == 0
        start, end = [*self._taus, 1.0][self._index - (not first_half) :][:2]
        if first_half:
            self._start = x, velocity
            moved = x + (end - start) * velocity
        else:
            x, first = self._start
            moved = x + (end - start) / 2 * (first + velocity)
        self._index += 1
        moved = moved.to(sample.dtype)
        return SchedulerOutput(prev_sample=moved) if return_dict else (moved,)
