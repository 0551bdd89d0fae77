"""Distributions to look at: in the plane, in space, and around points that somebody has drawn.

All lie around 0 within about -1.5 to 1.5; each is a function (n, generator) -> [n, 2] or [n, 3].
"""

import math
from collections.abc import Sequence

import torch
from torch import Generator, Tensor

from rf_app.flow.coupling import Sampler

TURN = 2 * math.pi
SMOOTH = 0.04  # the deviation of what is drawn as a line: so it has a density
LETTER = (  # an R, as strokes from (x, y) to (x, y)
    *((-0.55, -1.0, -0.55, 1.0), (-0.55, 1.0, 0.25, 1.0), (0.25, 1.0, 0.6, 0.75), (0.6, 0.75, 0.6, 0.3)),
    *((0.6, 0.3, 0.25, 0.05), (0.25, 0.05, -0.55, 0.05), (0.05, 0.05, 0.65, -1.0)),
)


def gaussian(n: int, generator: Generator) -> Tensor:
    """N(0, 0.6^2)."""
    return 0.6 * _normal(n, generator)


def three_gaussians(n: int, generator: Generator) -> Tensor:
    """One above another, 0.8 apart, with a deviation of 0.3."""
    heights = 0.8 * (torch.randint(3, (n,), generator=generator) - 1)
    return torch.stack([torch.zeros(n), heights], 1) + 0.3 * _normal(n, generator)


def eight_gaussians(n: int, generator: Generator) -> Tensor:
    """On a circle of radius 1.1, with a deviation of 0.12."""
    angle = torch.randint(8, (n,), generator=generator) * TURN / 8
    return 1.1 * _circle(angle) + 0.12 * _normal(n, generator)


def two_moons(n: int, generator: Generator) -> Tensor:
    """Two half circles that reach into each other."""
    x, y = _circle(torch.rand(n, generator=generator) * TURN / 2).unbind(1)
    moon = torch.stack([x - 0.5, y - 0.25], 1)
    below = torch.rand(n, generator=generator) < 0.5
    return torch.where(below[:, None], -moon, moon) + 0.06 * _normal(n, generator)


def spirals(n: int, generator: Generator) -> Tensor:
    """Two arms, one and a quarter turns each."""
    u = torch.rand(n, generator=generator).sqrt()
    angle = 1.25 * TURN * u + TURN / 2 * torch.randint(2, (n,), generator=generator)
    return 1.2 * u[:, None] * _circle(angle) + SMOOTH * _normal(n, generator)


def rings(n: int, generator: Generator) -> Tensor:
    """Two circles, of radius 0.55 and 1.1; as many on an inch of either."""
    radius = torch.where(torch.rand(n, generator=generator) < 1 / 3, 0.55, 1.1)
    angle = torch.rand(n, generator=generator) * TURN
    return radius[:, None] * _circle(angle) + SMOOTH * _normal(n, generator)


def letter(n: int, generator: Generator) -> Tensor:
    """An R."""
    strokes = torch.tensor(LETTER)
    start, end = strokes[:, :2], strokes[:, 2:]
    which = torch.multinomial((end - start).norm(dim=1), n, True, generator=generator)
    along = torch.rand(n, 1, generator=generator)
    return torch.lerp(start[which], end[which], along) + SMOOTH * _normal(n, generator)


def sphere(n: int, generator: Generator) -> Tensor:
    """The surface of a ball of radius 1: [n, 3]."""
    x = _normal(n, generator, 3)
    return x / x.norm(dim=1, keepdim=True)


def torus(n: int, generator: Generator) -> Tensor:
    """The surface of a ring of radius 0.9 and thickness 0.35, evenly: [n, 3]."""
    around = torch.rand(n, generator=generator) * TURN
    # The outer side has more surface: a candidate on it is taken with a probability as its radius.
    candidates = torch.rand(n, 32, generator=generator) * TURN
    taken = torch.rand(n, 32, generator=generator) * 1.25 < 0.9 + 0.35 * candidates.cos()
    through = candidates.gather(1, taken.byte().argmax(1, keepdim=True))[:, 0]
    radius = 0.9 + 0.35 * through.cos()
    return torch.stack([radius * around.cos(), 0.35 * through.sin(), radius * around.sin()], 1)


def cloud(points: Sequence[Sequence[float]]) -> Sampler:
    """Around points [N, 2] that somebody has drawn, each as likely as the others."""
    places = torch.tensor(points, dtype=torch.float32)

    def sample(n: int, generator: Generator) -> Tensor:
        chosen = places[torch.randint(len(places), (n,), generator=generator)]
        return chosen + SMOOTH * _normal(n, generator)

    return sample


def moved(sampler: Sampler, right: float) -> Sampler:
    """The same, so far to the right."""

    def sample(n: int, generator: Generator) -> Tensor:
        x = sampler(n, generator)
        x[:, 0] += right
        return x

    return sample


TOYS: dict[str, Sampler] = {
    "gaussian": gaussian,
    "three-gaussians": three_gaussians,
    "eight-gaussians": eight_gaussians,
    "two-moons": two_moons,
    "spirals": spirals,
    "rings": rings,
    "letter": letter,
    "sphere": sphere,
    "torus": torus,
}
"""By name; the last two lie in space, the others in the plane."""
IN_SPACE = ("sphere", "torus")


def _normal(n: int, generator: Generator, dimensions: int = 2) -> Tensor:
    return torch.randn(n, dimensions, generator=generator)


def _circle(angle: Tensor) -> Tensor:
    return torch.stack([angle.cos(), angle.sin()], 1)
