"""The noise of data, learned: what rectified_flow_prior calls iRFDS (arXiv 2406.03293).

A straight flow says x1 - x0 at every point between noise and data. So the noise sought is the one that agrees
with what the flow says on the way from it to the data, averaged over that way: a fit to all of it, where a
solve's end hangs on every step. It takes thousands of evaluations, none of them differentiated.
"""

import torch
from torch import Generator, Tensor

from rf_app.flow.path import interpolate
from rf_app.flow.solvers import Callback, Trajectory
from rf_app.flow.velocity import Velocity

ITERATIONS, DRAWS, RATE = 1000, 2, 3e-3
TAUS = 0.1, 0.8  # where the flow is asked
DECODED_FROM = 0.1  # tau at which a solve from that noise begins, mixed with the data


def learned(
    velocity: Velocity,
    x1: Tensor,
    x0: Tensor,
    generator: Generator,
    callback: Callback | None = None,
    iterations: int = ITERATIONS,
) -> Trajectory:
    """Noise e [B, ...] that minimises |e - (x1 - v(X_tau, tau))|^2 + mean(e)^2 + (var(e) - 1)^2.

    X_tau lies between e and the data x1 [B, ...], at a tau that is drawn anew for each sample; v is taken as
    it is, without its gradient; mean and variance are each sample's. x0: the noise to begin with. callback is
    told each iteration, with `DECODED_FROM` as its tau. `DRAWS` evaluations an iteration.
    """
    noise = x0.clone().requires_grad_(True)
    adam = torch.optim.Adam([noise], RATE)
    low, high = TAUS
    for i in range(1, iterations + 1):
        adam.zero_grad()
        for _ in range(DRAWS):
            tau = (low + (high - low) * torch.rand(len(x1), generator=generator)).to(x1.device)
            with torch.no_grad():
                wanted = x1 - velocity(interpolate(noise, x1, tau), tau)
            flat = noise.flatten(1)
            natural = flat.mean(1).square() + (flat.var(1) - 1).square()
            loss = (noise - wanted).flatten(1).square().mean(1) + natural
            (loss.sum() / DRAWS).backward()
        adam.step()
        if callback:
            callback(i, DECODED_FROM, noise.detach())
    return Trajectory(noise.detach(), DRAWS * iterations)
