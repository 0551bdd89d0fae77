"""The flow walked backwards: from data to the noise it came from."""

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor

from rf_app.flow.solvers import Callback, Trajectory
from rf_app.flow.velocity import Velocity

CORRECTIONS = 3


def inverted(
    velocity: Velocity,
    x: Tensor,
    taus: Sequence[float],
    callback: Callback | None = None,
    corrections: int = CORRECTIONS,
) -> Trajectory:
    """The point at taus[0] from which `solvers.euler` leads to x [B, ...] through increasing taus [N + 1].

    Each step of Euler's is undone by fixed-point iteration: its start y solves y = x - dtau v(y, tau), and
    the first guess is x itself. One evaluation is exact where the velocity is the same all along the step;
    else the error shrinks by dtau |dv/dx| with each correction. N (1 + corrections) evaluations.
    """
    backwards = [*pairwise(taus)][::-1]
    for i, (tau, following) in enumerate(backwards, 1):
        start = x
        for _ in range(1 + corrections):
            start = x - (following - tau) * velocity(start, tau)
        x = start
        if callback:
            callback(i, tau, x)
    return Trajectory(x, len(backwards) * (1 + corrections))
