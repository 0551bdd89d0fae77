"""At which times a plug-in for a diffusion model is trained.

Ordinary diffusion training, E ||eps - eps_hat||^2 over all timesteps, gives pure noise next to no weight:
there eps is nearly the input itself. But a one-step model lives at that time alone. So LoRAs and ControlNets
are trained on the velocity of the straight path at the same signal-to-noise ratio
(`trainers.reflow.reflow_loss`, with noise and data paired at random), which counts the picture's error at
every time alike, and a share of all draws is at pure noise.
"""

import torch
from torch import Tensor

AT_NOISE = 0.3


def draw_tau(count: int, generator: torch.Generator) -> Tensor:
    """Times [count] in 0..1: a share `AT_NOISE` at 0 exactly, the others uniform."""
    tau = torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < AT_NOISE, 0.0, tau)
