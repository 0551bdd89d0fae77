"""Stable Diffusion's noise schedules, from the three numbers of a scheduler's config."""

import torch
from torch import Tensor

from rf_app.errors import UserError


def alphas_cumprod(start: float, end: float, schedule: str) -> Tensor:
    """alpha_t^2 for t = 0 .. 999: [1000], float64. Raises UserError for any other schedule."""
    if schedule == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, 1000, dtype=torch.float64) ** 2
    elif schedule == "linear":
        betas = torch.linspace(start, end, 1000, dtype=torch.float64)
    else:
        raise UserError(f"beta_schedule is {schedule!r}; expected 'scaled_linear' or 'linear'.")
    return torch.cumprod(1 - betas, 0)
