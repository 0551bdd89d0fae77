"""Other ways from noise to data than the straight one: X_tau = alpha x1 + beta x0, and their velocities.

Rectified Flow (arXiv 2209.03003) takes any such interpolation in the place of the straight one, and finds
that diffusion models are this, with an alpha and a beta that bend the paths and change the pace on them.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from rf_app.flow.path import Tau, expand

A, B = 19.9, 0.1  # of the variance preserving diffusion, as published


@dataclass(frozen=True)
class AffinePath:
    """alpha, beta: of tau [B] in 0..1, and their derivatives by tau; all give [B]."""

    alpha: Callable[[Tensor], Tensor]
    beta: Callable[[Tensor], Tensor]
    d_alpha: Callable[[Tensor], Tensor]
    d_beta: Callable[[Tensor], Tensor]

    def at(self, x0: Tensor, x1: Tensor, tau: Tensor) -> Tensor:
        """X_tau = alpha x1 + beta x0; all [B, ...], tau [B]."""
        return expand(self.alpha(tau), x1) * x1 + expand(self.beta(tau), x0) * x0

    def velocity(self, x0: Tensor, x1: Tensor, tau: Tau) -> Tensor:
        """dX/dtau = alpha' x1 + beta' x0; with E[x0 | X] and E[x1 | X] for x0 and x1, the flow's velocity."""
        tau = torch.as_tensor(tau).to(x0).expand(len(x0))
        return expand(self.d_alpha(tau), x1) * x1 + expand(self.d_beta(tau), x0) * x0


def _circle(tau: Tensor) -> Tensor:
    return (1 - tau**2).clamp(min=0).sqrt()


def _d_circle(tau: Tensor) -> Tensor:
    return -tau / _circle(tau)


def _alpha(tau: Tensor) -> Tensor:
    return torch.exp(-A / 4 * (1 - tau) ** 2 - B / 2 * (1 - tau))


def _d_alpha(tau: Tensor) -> Tensor:
    return _alpha(tau) * (A / 2 * (1 - tau) + B / 2)


PATHS: dict[str, AffinePath] = {
    "Rectified flow": AffinePath(
        lambda t: t, lambda t: 1 - t, torch.ones_like, lambda t: -torch.ones_like(t)
    ),
    "VP": AffinePath(
        _alpha, lambda t: _circle(_alpha(t)), _d_alpha, lambda t: _d_circle(_alpha(t)) * _d_alpha(t)
    ),
    "sub-VP": AffinePath(
        _alpha, lambda t: 1 - _alpha(t) ** 2, _d_alpha, lambda t: -2 * _alpha(t) * _d_alpha(t)
    ),
    "Constant-speed VP": AffinePath(lambda t: t, _circle, torch.ones_like, _d_circle),
}
"""By name. VP's and constant-speed VP's beta' has no bound at tau = 1: no solver may ask for it there.

VP: alpha = exp(-a (1 - tau)^2 / 4 - b (1 - tau) / 2), beta = sqrt(1 - alpha^2), with a = 19.9 and b = 0.1;
sub-VP: the same alpha, beta = 1 - alpha^2; constant-speed VP: alpha = tau, beta = sqrt(1 - tau^2).
"""
