"""From Stable Diffusion's epsilon (or v) prediction to a straight velocity and back.

A diffusion model sees z_t = alpha_t x1 + sigma_t eps. With tau = alpha_t / (alpha_t + sigma_t) and
s = alpha_t + sigma_t that is z_t = s X_tau: the straight path at the same signal-to-noise ratio. So a
diffusion model is a velocity model once its input is scaled by s and its time is looked up from tau. Since
alpha^2 + sigma^2 = 1, s = 1 / sqrt(tau^2 + (1 - tau)^2), which also holds outside the schedule's own range.

Stable Diffusion 1.5 covers tau in 0.0640 (t = 999) .. 0.9717 (t = 0). Outside, the nearest t is used; below,
the velocity comes from the predicted data, (x1 - X) / (1 - tau), because (X - eps) / tau has no meaning at 0.
A schedule that ends in pure noise (zero terminal SNR, cosine) goes further down, where an epsilon is nearly
the input itself. So a model that predicts epsilon is called at tau = 0.05 and above, one of v everywhere.
"""

from typing import Literal

import torch
from torch import Tensor

from rf_app.flow.path import Tau, expand

LOWEST = 0.05  # tau at which an epsilon still tells the data; below Stable Diffusion's own
Prediction = Literal["epsilon", "v_prediction"]


class NoiseSchedule:
    """A discrete diffusion schedule seen through the straight path."""

    def __init__(self, alphas_cumprod: Tensor, prediction: Prediction = "epsilon"):
        """alphas_cumprod: [T], decreasing: alpha_t^2 for t = 0 .. T-1 (diffusers' name for it).

        prediction: what its model says, in diffusers' words.
        """
        self.prediction = prediction
        abar = alphas_cumprod.detach().double().cpu()
        alpha, sigma = abar.sqrt(), (1 - abar).sqrt()
        self._taus = (alpha / (alpha + sigma)).flip(0)  # ascending: t = T-1 first
        low = 0.0 if prediction == "v_prediction" else LOWEST
        self.tau_range: tuple[float, float] = (max(low, float(self._taus[0])), float(self._taus[-1]))

    def timestep(self, tau: Tau) -> Tensor:
        """The float timestep of tau's signal-to-noise ratio, linear between the table's entries, clamped."""
        tau = torch.as_tensor(tau)
        taus = self._taus.to(tau.device)
        inside = tau.double().clamp(*self.tau_range)
        right = torch.searchsorted(taus, inside).clamp(1, len(taus) - 1)
        fraction = (inside - taus[right - 1]) / (taus[right] - taus[right - 1])
        return (len(taus) - right - fraction).float()

    def tau(self, timestep: int | Tensor) -> Tensor:
        """tau, of the same shape, of integer timesteps 0 .. T-1."""
        return self._taus[len(self._taus) - 1 - timestep]

    def velocity(self, x: Tensor, output: Tensor, tau: Tau) -> Tensor:
        """The velocity at X_tau = x [B, ...] of a model that says `output` [B, ...] for z = s x."""
        if self.prediction == "v_prediction":
            return velocity_from_v_prediction(x, output, tau, self)
        return velocity_from_epsilon(x, output, tau, self)

    def scale(self, tau: Tau) -> Tau:
        """s with z = s X: alpha + sigma; keeps unit variance for unit-variance data."""
        return (tau**2 + (1 - tau) ** 2) ** -0.5

    def alpha_sigma(self, tau: Tau) -> tuple[Tau, Tau]:
        """alpha and sigma of the timestep the model is called with: those of tau clamped to `tau_range`."""
        low, high = self.tau_range
        tau = tau.clamp(low, high) if isinstance(tau, Tensor) else min(max(tau, low), high)
        scale = self.scale(tau)
        return scale * tau, scale * (1 - tau)


def velocity_from_epsilon(x: Tensor, eps: Tensor, tau: Tau, schedule: NoiseSchedule) -> Tensor:
    """The velocity at X_tau = x [B, ...] of a model that predicts eps [B, ...] for z = s x.

    Within the schedule v = (x - eps) / tau; below it v = (x1 - x) / (1 - tau), x1 = (z - sigma eps) / alpha.
    """
    low = schedule.tau_range[0]
    tau = expand(tau, x)
    alpha, sigma = schedule.alpha_sigma(tau)
    if not isinstance(tau, Tensor):
        if tau >= low:
            return (x - eps) / tau
        return ((schedule.scale(tau) * x - sigma * eps) / alpha - x) / (1 - tau)
    below = ((schedule.scale(tau) * x - sigma * eps) / alpha - x) / (1 - tau.clamp(max=low))
    return torch.where(tau >= low, (x - eps) / tau.clamp(min=low), below)


def epsilon_from_velocity(x: Tensor, v: Tensor, tau: Tau, schedule: NoiseSchedule) -> Tensor:
    """The inverse of `velocity_from_epsilon` in its second argument."""
    low = schedule.tau_range[0]
    tau = expand(tau, x)
    alpha, sigma = schedule.alpha_sigma(tau)
    below = (schedule.scale(tau) * x - alpha * x1_from_velocity(x, v, tau)) / sigma
    within = x - tau * v
    if not isinstance(tau, Tensor):
        return within if tau >= low else below
    return torch.where(tau >= low, within, below)


def x1_from_velocity(x: Tensor, v: Tensor, tau: Tau) -> Tensor:
    """The data predicted at X_tau = x: x + (1 - tau) v."""
    return x + (1 - expand(tau, x)) * v


def velocity_from_v_prediction(x: Tensor, prediction: Tensor, tau: Tau, schedule: NoiseSchedule) -> Tensor:
    """The velocity of a model that predicts alpha eps - sigma x1 (arXiv 2202.00512) for z = s x.

    From the data it predicts on the noisy half of the path and from the noise on the other: neither divides
    by a small number.
    """
    tau = expand(tau, x)
    alpha, sigma = schedule.alpha_sigma(tau)
    z = schedule.scale(tau) * x
    from_data = (alpha * z - sigma * prediction - x) / _at_least_half(1 - tau)
    from_noise = (x - alpha * prediction - sigma * z) / _at_least_half(tau)
    if not isinstance(tau, Tensor):
        return from_data if tau < 0.5 else from_noise
    return torch.where(tau < 0.5, from_data, from_noise)


def _at_least_half(part: Tau) -> Tau:
    return part.clamp(min=0.5) if isinstance(part, Tensor) else max(part, 0.5)
