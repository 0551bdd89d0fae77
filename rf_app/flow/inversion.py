"""The flow walked backwards: from data to the noise it came from.

A method with given steps is undone step by step, here. An adaptive one needs nothing: `solvers.rk45` from 1
to 0 goes back as exactly as it goes forth.
"""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from rf_app.flow.solvers import Callback, Solver, Trajectory, euler
from rf_app.flow.velocity import Velocity

CORRECTIONS = 3


def inverted(
    velocity: Velocity,
    x: Tensor,
    taus: Sequence[float],
    callback: Callback | None = None,
    corrections: int = CORRECTIONS,
    solver: Solver = euler,
) -> Trajectory:
    """The point at taus[0] from which `solver` leads to x [B, ...] through increasing taus [N + 1].

    Each step is undone by fixed-point iteration: its start y solves y = x - (step(y) - y), for Euler's
    y = x - dtau v(y, tau), and the first guess is x itself. One iteration is exact where the velocity is the
    same all along the step; else the error shrinks by dtau |dv/dx| with each correction. N (1 + corrections)
    evaluations by Euler, twice as many by Heun.
    """
    backwards = [*pairwise(taus)][::-1]
    evaluations = 0
    for i, (tau, following) in enumerate(backwards, 1):
        start = x
        for _ in range(1 + corrections):
            step = solver(velocity, start, (tau, following))
            start = x - (step.x - start)
            evaluations += step.evaluations
        x = start
        if callback:
            callback(i, tau, x)
    return Trajectory(x, evaluations)
