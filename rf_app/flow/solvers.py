"""Solvers of dX = v(X, tau) dtau. All share one shape: (velocity, x, times, ...) -> Trajectory."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from scipy.integrate import solve_ivp
from torch import Tensor

from rf_app.flow.path import expand
from rf_app.flow.velocity import Velocity

Callback = Callable[[int, float, Tensor], None]
"""Called after step i = 1, 2, ... with (i, tau reached, x)."""


@dataclass(frozen=True)
class Trajectory:
    """x: where the solve arrived, [B, ...]; evaluations: calls of the velocity (NFE)."""

    x: Tensor
    evaluations: int


Solver = Callable[[Velocity, Tensor, Sequence[float]], Trajectory]
"""A method with given steps: (velocity, x [B, ...] at taus[0], increasing taus [N + 1]) -> Trajectory."""


def euler(
    velocity: Velocity, x: Tensor, taus: Sequence[float] | Tensor, callback: Callback | None = None
) -> Trajectory:
    """Euler's method through the increasing times taus [N + 1], from x at taus[0]: order 1, N evaluations.

    taus: or [N + 1, B], with times of its own for each sample.
    """
    for i, (tau, following) in enumerate(pairwise(taus), 1):
        x = x + expand(following - tau, x) * velocity(x, tau)
        if callback:
            callback(i, following, x)
    return Trajectory(x, len(taus) - 1)


def heun(
    velocity: Velocity, x: Tensor, taus: Sequence[float], callback: Callback | None = None
) -> Trajectory:
    """Heun's method through the increasing times taus [N + 1]: order 2, 2 N evaluations."""
    for i, (tau, following) in enumerate(pairwise(taus), 1):
        first = velocity(x, tau)
        second = velocity(x + (following - tau) * first, following)
        x = x + (following - tau) / 2 * (first + second)
        if callback:
            callback(i, following, x)
    return Trajectory(x, 2 * (len(taus) - 1))


def rk45(
    velocity: Velocity,
    x: Tensor,
    start: float = 0.0,
    end: float = 1.0,
    rtol: float = 1e-5,
    atol: float = 1e-5,
) -> Trajectory:
    """Dormand and Prince's adaptive method from one time to another, forth or back (scipy's RK45, as in the
    Rectified Flow paper).

    The error is controlled over the whole batch together. Raises RuntimeError where steps get too small.
    """

    def derivative(tau: float, flat):
        point = torch.from_numpy(flat).to(x).reshape(x.shape)
        return velocity(point, tau).double().flatten().cpu().numpy()

    with torch.no_grad():
        solution = solve_ivp(
            derivative, (start, end), x.double().flatten().cpu().numpy(), method="RK45", rtol=rtol, atol=atol
        )
    if not solution.success:
        raise RuntimeError(f"rk45 stopped at tau = {solution.t[-1]:.4f}: {solution.message}")
    return Trajectory(torch.from_numpy(solution.y[:, -1].copy()).to(x).reshape(x.shape), solution.nfev)
