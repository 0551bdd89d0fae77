"""Rectified flow as a diffusers scheduler: the stock Stable Diffusion pipelines sample it as they are.

"velocity": the U-Net predicts v = x1 - x0 at t = 1000 (1 - tau), and a step is `sample + v / N` (InstaFlow,
arXiv 2309.06380). "flow_prediction": as flow-matching checkpoints have it, x0 - x1; those that were trained
for it take their steps at shifted times (Stable Diffusion 3, arXiv 2403.03206, equation 23). "epsilon" and
"v_prediction": the U-Net is a diffusion model (or was fine-tuned as one) and is called at the same
signal-to-noise ratio; see `rf_app.flow.conversion`. Guidance is the pipeline's own.

    StableDiffusionPipeline.from_pretrained(folder, scheduler=RectifiedFlowScheduler())
"""

import torch
from diffusers import ConfigMixin, SchedulerMixin
from diffusers.configuration_utils import register_to_config
from diffusers.schedulers.scheduling_utils import SchedulerOutput
from torch import Tensor

from rf_app.errors import UserError
from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.path import timestep as velocity_timestep
from rf_app.flow.path import uniform_taus
from rf_app.schedulers.betas import alphas_cumprod

DIFFUSION = ("epsilon", "v_prediction")
PREDICTIONS = ("velocity", "flow_prediction", *DIFFUSION)


class RectifiedFlowScheduler(SchedulerMixin, ConfigMixin):
    """Euler's method on the straight path. The betas, in diffusers' words, are a diffusion model's."""

    order = 1
    init_noise_sigma = 1.0

    @register_to_config
    def __init__(
        self,
        num_train_timesteps: int = 1000,
        prediction_type: str = "velocity",
        beta_start: float = 0.00085,
        beta_end: float = 0.012,
        beta_schedule: str = "scaled_linear",
        trained_betas: list[float] | None = None,
        rescale_betas_zero_snr: bool = False,
        shift: float = 1.0,
    ):
        """shift: 1 for uniform steps, more for more of them near the noise.

        Raises UserError for a setting that this scheduler does not have."""
        if num_train_timesteps != 1000:
            raise UserError(
                f"num_train_timesteps is {num_train_timesteps!r}; rectified flow here takes 1000."
            )
        if prediction_type not in PREDICTIONS:
            known = ", ".join(map(repr, PREDICTIONS))
            raise UserError(f"prediction_type is {prediction_type!r}; expected one of {known}.")
        if not isinstance(shift, (int, float)) or not 0.01 <= shift <= 100:
            raise UserError(f"shift is {shift!r:.40}; expected a number in 0.01..100.")
        self.schedule: NoiseSchedule | None = None
        self.velocity: Tensor | None = None  # of the latest step, for who looks on
        self.begin = 0.0  # the time at which a solve starts, before any shift
        if prediction_type in DIFFUSION:
            betas = beta_start, beta_end, beta_schedule, trained_betas, rescale_betas_zero_snr
            self.alphas_cumprod = alphas_cumprod(*betas)
            self.schedule = NoiseSchedule(self.alphas_cumprod, prediction_type)
        self.set_timesteps(1)

    def set_timesteps(self, num_inference_steps: int, device: str | torch.device | None = None) -> None:
        """Prepare a solve to data, from noise unless `begin` says otherwise, in N steps."""
        self.num_inference_steps = num_inference_steps
        self._taus = self._evaluated(self.taus(num_inference_steps))
        self._index = 0
        taus = torch.tensor(self._taus, dtype=torch.float64)
        timesteps = velocity_timestep(taus) if self.schedule is None else self.schedule.timestep(taus)
        self.timesteps = timesteps.to(device=device, dtype=torch.float32)

    @property
    def turned(self) -> bool:
        """Whether the U-Net predicts x0 - x1."""
        return self.config.prediction_type == "flow_prediction"

    def taus(self, steps: int) -> list[float]:
        """The steps + 1 times of a solve to 1, uniform but for the shift."""
        uniform = uniform_taus(steps, self.begin)
        return [tau / (tau + self.config.shift * (1 - tau)) for tau in uniform]

    def _evaluated(self, taus: list[float]) -> list[float]:
        """Where the U-Net is called on the way through the times `taus` [N + 1]."""
        return taus[:-1]

    def scale_model_input(self, sample: Tensor, timestep: Tensor | float | None = None) -> Tensor:
        """The U-Net's input for the next step: the sample, or s(tau) times it for a diffusion model."""
        return sample if self.schedule is None else self.schedule.scale(self._taus[self._index]) * sample

    def step(
        self, model_output: Tensor, timestep: Tensor | float, sample: Tensor, return_dict: bool = True
    ) -> SchedulerOutput | tuple[Tensor]:
        """Move the sample [B, ...] one Euler step on; to be called once for each of `timesteps`, in order."""
        x, self.velocity = self._velocity(model_output, sample)
        tau, following = [*self._taus, 1.0][self._index : self._index + 2]
        self._index += 1
        moved = (x + (following - tau) * self.velocity).to(sample.dtype)
        return SchedulerOutput(prev_sample=moved) if return_dict else (moved,)

    def _velocity(self, model_output: Tensor, sample: Tensor) -> tuple[Tensor, Tensor]:
        """The sample and its velocity, at least in float32.

        In half precision the conversion from epsilon would lose what it divides by small numbers.
        """
        precise = torch.promote_types(sample.dtype, torch.float32)
        x, output = sample.to(precise), model_output.to(precise)
        if self.schedule is None:
            return x, -output if self.turned else output
        return x, self.schedule.velocity(x, output, self._taus[self._index])

    def __len__(self) -> int:
        """The number of training timesteps, as diffusers' schedulers have it."""
        return self.config.num_train_timesteps
