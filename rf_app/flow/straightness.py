"""How straight a flow is, and how far it carries: the two figures that reflow is meant to lower."""

import torch
from torch import Tensor

from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import Velocity


def straightness_curve(velocity: Velocity, x0: Tensor, steps: int = 100) -> Tensor:
    """E ||(Z_1 - Z_0) - v(Z_tau, tau)||^2 at tau = 0, 1/steps, ..., 1 - 1/steps: [steps] on the CPU.

    Z is the Euler solve from x0 [B, ...] in `steps` steps, and Z_1 is where that very solve arrives. The norm
    sums over all of a sample's numbers; the mean is over the batch.
    """
    velocities: list[Tensor] = []

    def recorded(x: Tensor, tau: float) -> Tensor:
        velocities.append(velocity(x, tau))
        return velocities[-1]

    with torch.no_grad():
        chord = euler(recorded, x0, uniform_taus(steps)).x - x0
        return torch.stack([transport_cost(v, chord).cpu() for v in velocities])


def straightness(velocity: Velocity, x0: Tensor, steps: int = 100) -> float:
    """S(Z), the mean of `straightness_curve` over tau (InstaFlow, arXiv 2309.06380): 0 means straight."""
    return float(straightness_curve(velocity, x0, steps).mean())


def transport_cost(x0: Tensor, x1: Tensor) -> Tensor:
    """E ||x1 - x0||^2: summed over each sample's numbers, averaged over the batch; a scalar tensor."""
    return (x1 - x0).flatten(1).float().square().sum(1).mean()
