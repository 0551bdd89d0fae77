"""The straight path between noise and data, and the one convention for time that everything here uses.

tau runs from 0 (noise x0) to 1 (data x1); X_tau = (1 - tau) x0 + tau x1; the velocity is v = x1 - x0;
an Euler step is X += dtau * v. The U-Net is called with the float timestep t = 1000 (1 - tau), so that the
first call of a sampler is t = 1000. (diffusers' flow-match schedulers have the opposite sign.)
"""

import torch
from torch import Tensor

Tau = float | Tensor
"""A time in 0..1: one number for the whole batch, or a tensor [B] with one for each sample."""


def expand(tau: Tau, like: Tensor) -> Tau:
    """tau ready to multiply `like` [B, ...]: a tensor [B] becomes [B, 1, ...] of the same type."""
    if not isinstance(tau, Tensor):
        return tau
    return tau.to(like).reshape(tau.shape + (1,) * (like.ndim - tau.ndim))


def interpolate(x0: Tensor, x1: Tensor, tau: Tau) -> Tensor:
    """X_tau = (1 - tau) x0 + tau x1 (Rectified Flow, arXiv 2209.03003, equation 1); all [B, ...]."""
    tau = expand(tau, x0)
    return (1 - tau) * x0 + tau * x1


def timestep(tau: Tau) -> Tau:
    """The float timestep 1000 (1 - tau) that a velocity U-Net is called with, in 0..1000."""
    return 1000 * (1 - tau)


def uniform_taus(steps: int, begin: float = 0.0) -> list[float]:
    """The steps + 1 times of a uniform solve from `begin` to 1: 0, 1/steps, ..., 1 where it begins at 0."""
    return [begin + (1 - begin) * (i / steps) for i in range(steps + 1)]


def last_taus(steps: int, strength: float) -> list[float]:
    """The times of the last share `strength` of a uniform solve in `steps`: one step at least."""
    return uniform_taus(max(1, round(steps * strength)), 1 - strength)


def as_tensor(tau: Tau, like: Tensor) -> Tensor:
    """tau as a float32 tensor [B] on the device of `like` [B, ...]: the form U-Nets take their times in."""
    return torch.as_tensor(tau, dtype=torch.float32, device=like.device).expand(len(like))
