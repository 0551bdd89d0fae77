"""A small network and how it is fitted: what makes a rectified flow of a coupling of points in the plane.

Rectified Flow (arXiv 2209.03003, equation 1): v minimises E ||(X1 - X0) - v(X_tau, tau)||^2 over tau in
0..1, so that v(x, tau) = E[X1 - X0 | X_tau = x]; dZ = v(Z, tau) dtau from Z0 = X0 is the rectified flow.
"""

import math
from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Generator, Tensor, nn
from torch.nn import functional

from rf_app.flow.coupling import Draw
from rf_app.flow.path import Tau, as_tensor, interpolate

WIDTH = 64  # of the two hidden layers
BATCH = 1024
WARM_UP = 0.05  # of the steps: the rate rises, then it falls as a cosine

Example = tuple[Tensor, Tensor, Tensor]
"""(x [B, D], tau [B], target [B, outputs])"""


class Network(nn.Module):
    """A perceptron: (x [B, D], tau) -> [B, outputs]; a `Velocity` where outputs = D."""

    def __init__(self, dimensions: int, outputs: int, generator: Generator):
        """generator: draws the weights, as torch's linear layers have them."""
        super().__init__()
        sizes = (dimensions + 1, WIDTH, WIDTH, outputs)
        layers = [nn.Linear(a, b, device="meta") for a, b in pairwise(sizes)]
        self.layers = nn.ModuleList(layer.to_empty(device="cpu") for layer in layers)
        for layer in self.layers:
            bound = 1 / math.sqrt(layer.in_features)
            for weights in layer.parameters():
                nn.init.uniform_(weights, -bound, bound, generator=generator)

    def forward(self, x: Tensor, tau: Tau) -> Tensor:
        """As the class says."""
        x = torch.cat([x, as_tensor(tau, x)[:, None]], 1)
        for layer in self.layers[:-1]:
            x = functional.silu(layer(x))
        return self.layers[-1](x)


def fit(
    network: Network,
    examples: Callable[[int], Example],
    steps: int,
    rate: float,
    callback: Callable[[int], None] | None = None,
) -> None:
    """Minimise E ||target - network(x, tau)||^2 over examples(BATCH), drawn anew in each step.

    rate: Adam's highest. callback: called after step i = 1, 2, ....
    """
    adam = torch.optim.Adam(network.parameters(), lr=rate, betas=(0.9, 0.99), fused=True)
    pace = torch.optim.lr_scheduler.OneCycleLR(
        adam, rate, total_steps=steps, pct_start=WARM_UP, cycle_momentum=False
    )
    for step in range(1, steps + 1):
        x, tau, target = examples(BATCH)
        loss = (target - network(x, tau)).square().sum(1).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
        pace.step()
        if callback:
            callback(step)


def straight(draw: Draw, generator: Generator) -> Callable[[int], Example]:
    """Examples of a coupling's rectified flow: at X_tau the velocity X1 - X0."""

    def examples(n: int) -> Example:
        x0, x1 = draw(n)
        tau = times(n, generator)
        return interpolate(x0, x1, tau), tau, x1 - x0

    return examples


def times(n: int, generator: Generator) -> Tensor:
    """n moments [n], uniform in 0..1 and evenly spread (systematic sampling), which lowers the variance."""
    return (torch.rand(1, generator=generator) + torch.arange(n) / n).remainder(1)
