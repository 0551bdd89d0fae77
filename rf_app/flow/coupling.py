"""Which noise goes to which data: couplings (X0, X1) of two distributions, and what is measured of one.

Rectified Flow (arXiv 2209.03003) begins with any coupling, most often the independent one, and makes another
of it, (Z0, Z1), whose marginals are the same and whose cost is no higher, whatever the convex cost.
"""

from collections.abc import Callable

import torch
from scipy.optimize import linear_sum_assignment
from torch import Generator, Tensor

Pairs = tuple[Tensor, Tensor]
"""(x0, x1), both [N, D]: x0[i] goes to x1[i]."""
Draw = Callable[[int], Pairs]
"""Draws so many pairs of a coupling."""
Sampler = Callable[[int, Generator], Tensor]
"""(n, generator) -> [n, D]: draws from a distribution."""

COUPLES = 400_000  # of pairs that are looked at for crossings
COSTS: dict[str, Callable[[Tensor], Tensor]] = {
    "|x|": lambda length: length,
    "|x|²": lambda length: length**2,
    "|x|⁴": lambda length: length**4,
}
"""Convex costs of a move by their names; each of its length."""


def independent(source: Sampler, target: Sampler, generator: Generator) -> Draw:
    """X0 and X1 drawn each for itself."""
    return lambda n: (source(n, generator), target(n, generator))


def fixed(x0: Tensor, x1: Tensor, generator: Generator) -> Draw:
    """The coupling of these pairs [N, D] themselves: each draw takes some of them, with repetition."""

    def draw(n: int) -> Pairs:
        rows = torch.randint(len(x0), (n,), generator=generator)
        return x0[rows], x1[rows]

    return draw


def matched(x0: Tensor, x1: Tensor, batch: int | None = None) -> Tensor:
    """x1 [N, D] in the order for which E|x1 - x0|^2 is least: exact optimal transport, in O(N^3).

    batch: only within batches of that size: minibatch optimal transport (arXiv 2302.00482), in O(N batch^2).
    """
    size = batch or len(x0)
    return torch.cat([_matched(a, b) for a, b in zip(x0.split(size), x1.split(size), strict=True)])


def crossings(x0: Tensor, x1: Tensor, generator: Generator) -> float:
    """The share of random couples of pairs whose segments x0x1 cross, in 0..1; x0, x1: [N, 2], N >= 2.

    Where they cross does not matter, nor when: a flow's own paths cross, too, at different moments.
    """
    i = torch.randint(len(x0), (COUPLES,), generator=generator)
    j = (i + torch.randint(1, len(x0), (COUPLES,), generator=generator)) % len(x0)
    return float(cross(x0[i], x1[i], x0[j], x1[j]).double().mean())


def cross(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    """Whether the segment from a to b crosses that from c to d, beyond touching: [N] of four [N, 2]."""
    apart = _side(a, b, c) * _side(a, b, d) < 0
    return apart & (_side(c, d, a) * _side(c, d, b) < 0)


def convex_costs(x0: Tensor, x1: Tensor) -> dict[str, float]:
    """E c(x1 - x0) for each of COSTS; x0, x1: [N, D]."""
    length = (x1 - x0).double().norm(dim=1)
    return {name: float(cost(length).mean()) for name, cost in COSTS.items()}


def energy_distance(x: Tensor, y: Tensor) -> float:
    """How far two clouds [N, D] and [M, D] are apart as distributions: 0 where they are the same one.

    2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo, 2013), without bias: near 0 it may be below.
    """
    within = sum(torch.cdist(each, each).double().sum() / (len(each) * (len(each) - 1)) for each in (x, y))
    return float(2 * torch.cdist(x, y).double().mean() - within)


def _matched(x0: Tensor, x1: Tensor) -> Tensor:
    cost = torch.cdist(x0, x1).square()
    return x1[torch.from_numpy(linear_sum_assignment(cost.cpu().numpy())[1])]


def _side(a: Tensor, b: Tensor, point: Tensor) -> Tensor:
    """Above 0 where a point lies to the left of the line from a to b, below 0 to the right: [N]."""
    (x, y), (u, v) = (b - a).double().unbind(1), (point - a).double().unbind(1)
    return x * v - y * u
