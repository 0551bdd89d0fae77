"""PeRFlow's sampler: a flow that is straight within each of a few windows of time (arXiv 2405.07510).

Time s runs from 1 (noise) to 0 (data) in K windows of equal length, over which Stable Diffusion's own noise
schedule is walked. "diff_eps" (the published weights on SD 1.5) and "ddim_eps" predict an epsilon, from which
the window's end follows; "velocity" predicts dz/ds itself. Guidance is the pipeline's own.

    StableDiffusionPipeline.from_pretrained(folder, scheduler=PeRFlowScheduler(prediction_type="diff_eps"))
"""

import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerOutput
from torch import Tensor

from rf_app.errors import UserError
from rf_app.schedulers.betas import alphas_cumprod

PREDICTIONS = ("ddim_eps", "diff_eps", "velocity")


class PeRFlowScheduler(SchedulerMixin, ConfigMixin):
    """Euler's method in each window."""

    order = 1
    init_noise_sigma = 1.0

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        prediction_type: str = "diff_eps",
        num_time_windows: int = 4,
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "scaled_linear",
    ):
        """Raises UserError for a setting that this scheduler does not have."""
        if num_train_timesteps != 1000:
            raise UserError(f"num_train_timesteps is {num_train_timesteps!r}; PeRFlow takes 1000.")
        if prediction_type not in PREDICTIONS:
            raise UserError(
                f"prediction_type is {prediction_type!r:.40}; expected one of {', '.join(PREDICTIONS)}."
            )
        if num_time_windows not in range(1, 101):
            raise UserError(f"num_time_windows is {num_time_windows!r:.40}; expected 1 to 100.")
        self.alphas_cumprod = alphas_cumprod(beta_start, beta_end, beta_schedule)
        self.set_timesteps(num_time_windows)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Prepare a solve in N steps, shared out among the windows, the remainder to the early ones.

        Raises UserError where there are fewer steps than windows.
        """
        windows = self.config.num_time_windows
        if num_inference_steps < windows:
            raise UserError(
                f"steps is {num_inference_steps}; this model takes {windows} or more, at least one for each "
                "of its windows of time."
            )
        self.num_inference_steps = num_inference_steps
        each, more = divmod(num_inference_steps, windows)
        counts = [each + (window < more) for window in range(windows)]
        # Whole timesteps, as the published weights were trained and are sampled with.
        times = [
            int(1000 * (windows - window - i / count) / windows)
            for window, count in enumerate(counts)
            for i in range(count)
        ]
        self.timesteps = torch.tensor(times, device=device)
        self._windows = [window for window, count in enumerate(counts) for _ in range(count)]
        self._index = 0

    def scale_model_input(self, sample: Tensor, timestep: Tensor | int | None = None) -> Tensor:
        """The U-Net's input: the sample itself."""
        return sample

    def window(self, number: int) -> tuple[float, float, float, float]:
        """Of a window, counted from the noise: s at its start and end, and lambda and eta there.

        Seen from its start z, the window's end is lambda z + eta eps.
        """
        count = self.config.num_time_windows
        start, end = (count - number) / count, (count - number - 1) / count
        at_start, at_end = (float(self.alphas_cumprod[t]) for t in self.timesteps_at(number))
        grown = (at_end / at_start) ** 0.5
        if self.config.prediction_type == "ddim_eps":
            return start, end, grown, (1 - at_end) ** 0.5 - grown * (1 - at_start) ** 0.5
        return start, end, grown, -((grown**2 - 1) ** 0.5)

    def timesteps_at(self, number: int) -> tuple[int, int]:
        """The timesteps at a window's start and end, as the noise schedule counts them, from 999 to 0."""
        count = self.config.num_time_windows
        start, end = (1000 * (count - passed) // count - 1 for passed in (number, number + 1))
        return start, max(end, 0)

    def step(
        self, model_output: Tensor, timestep: Tensor | int, sample: Tensor, return_dict: bool = True
    ) -> SchedulerOutput | tuple[Tensor]:
        """Move the sample [B, ...] one Euler step on; to be called once for each of `timesteps`, in order."""
        precise = torch.promote_types(sample.dtype, torch.float32)
        z, output = sample.to(precise), model_output.to(precise)
        times = [*self.timesteps.tolist(), 0]
        now, following = times[self._index] / 1000, times[self._index + 1] / 1000
        if self.config.prediction_type != "velocity":
            start, end, grown, eta = self.window(self._windows[self._index])
            share = (grown * (now - start) + (end - now)) / (end - start)
            at_end = (grown * z + eta * (end - now) / (end - start) * output) / share
            output = (at_end - z) / (end - now)
        self._index += 1
        moved = (z + (following - now) * output).to(sample.dtype)
        return SchedulerOutput(prev_sample=moved) if return_dict else (moved,)

    def __len__(self) -> int:
        """The number of training timesteps, as diffusers' schedulers have it."""
        return self.config.num_train_timesteps
