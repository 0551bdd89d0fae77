"""Ways from one tensor to another: straight (lerp), on an arc (slerp), through several, and over a square.

Noise of many numbers has nearly always the same norm. A straight line between two noises leaves that shell
(half way its norm is 0.7 of it) and the pictures there look washed out; an arc stays on it. Text embeddings
are not noise and take the straight line.
"""

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from rf_app.flow.path import expand

Mix = Callable[[Tensor, Tensor, float], Tensor]
"""(x0 [B, ...], x1 [B, ...], t in 0..1) -> [B, ...]: exactly x0 at t = 0 and exactly x1 at t = 1."""

SMALL_ANGLE = 1e-6  # radians; float64 has no direction left between vectors closer to parallel or opposite


def lerp(x0: Tensor, x1: Tensor, t: float) -> Tensor:
    """(1 - t) x0 + t x1, all [B, ...]."""
    return (1 - t) * x0 + t * x1


def slerp(x0: Tensor, x1: Tensor, t: float) -> Tensor:
    """From x0 to x1, both [B, ...], each sample one vector: the direction turns evenly, the norm is lerped.

    For equal norms this is Shoemake's slerp (SIGGRAPH 1985). Parallel vectors are lerped. Between opposite
    ones every arc is as short as any other: this one goes by way of x0 with its numbers turned in pairs,
    (a, b) to (-b, a), which is as good a noise as x0; so opposite samples need an even count of numbers. No
    vector may be zero. Computed in float64, given back in the type of x0.
    """
    arc, angle = _arc(x0, x1, t)
    opposite = math.pi - angle < SMALL_ANGLE
    if opposite.any():
        middle = _turned(x0, (_norm(x0) + _norm(x1)) / 2)
        detour, _ = _arc(x0, middle, 2 * t) if t <= 0.5 else _arc(middle, x1, 2 * t - 1)
        arc = torch.where(expand(opposite, arc).bool(), detour, arc)
    return arc.to(x0.dtype)


def through(mix: Mix, points: Sequence[Tensor], u: float) -> Tensor:
    """The point at u in 0..1 of the way through all points (2 or more), all stretches equally long."""
    place = u * (len(points) - 1)
    left = min(int(place), len(points) - 2)
    return mix(points[left], points[left + 1], place - left)


def over_square(mix: Mix, corners: Sequence[Tensor], u: float, v: float) -> Tensor:
    """The point of a square: u in 0..1 goes right, v in 0..1 goes down; four corners in reading order."""
    top_left, top_right, bottom_left, bottom_right = corners
    return mix(mix(top_left, top_right, u), mix(bottom_left, bottom_right, u), v)


def _arc(x0: Tensor, x1: Tensor, t: float) -> tuple[Tensor, Tensor]:
    """The arc in float64, meaningless for opposite vectors, and the angle of each sample [B]."""
    n0, n1 = _norm(x0), _norm(x1)
    d0, d1 = x0.double() / expand(n0, x0.double()), x1.double() / expand(n1, x1.double())
    # Unlike acos this is exact for small angles, too.
    angle = 2 * torch.atan2((d0 - d1).flatten(1).norm(dim=1), (d0 + d1).flatten(1).norm(dim=1))
    sine = angle.sin()
    # On the original vectors, so that both ends are exact.
    norm = (1 - t) * n0 + t * n1
    w0 = norm * (((1 - t) * angle).sin() / sine) / n0
    w1 = norm * ((t * angle).sin() / sine) / n1
    parallel = angle < SMALL_ANGLE
    w0, w1 = torch.where(parallel, 1 - t, w0), torch.where(parallel, t, w1)
    return expand(w0, d0) * x0.double() + expand(w1, d1) * x1.double(), angle


def _norm(x: Tensor) -> Tensor:
    """The norm of each sample [B], float64."""
    return x.double().flatten(1).norm(dim=1)


def _turned(x: Tensor, norm: Tensor) -> Tensor:
    """A vector at a right angle to each sample of x [B, ...], of norm [B]."""
    a, b = x.double().reshape(len(x), -1, 2).unbind(-1)
    turned = torch.stack([-b, a], -1).reshape(x.shape)
    return turned * expand(norm / _norm(x), turned)
