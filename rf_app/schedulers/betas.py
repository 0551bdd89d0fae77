"""Stable Diffusion's noise schedules, from the numbers of a scheduler's config."""

from collections.abc import Sequence

import torch
from diffusers.schedulers.scheduling_ddim import betas_for_alpha_bar, rescale_zero_terminal_snr
from torch import Tensor

from rf_app.errors import UserError

LEAST = 2.0**-24  # alpha^2 of pure noise, as diffusers' solvers have it: they divide by it


def alphas_cumprod(
    start: float,
    end: float,
    schedule: str,
    trained_betas: Sequence[float] | None = None,
    zero_snr: bool = False,
) -> Tensor:
    """alpha_t^2 for t = 0 .. 999: [1000], float64. Raises UserError for any other schedule.

    trained_betas: all of them, instead of the three numbers. zero_snr: moved so that t = 999 is pure noise
    (Lin et al., arXiv 2305.08891).
    """
    if trained_betas is not None:
        betas = torch.tensor(trained_betas, dtype=torch.float64)
        if betas.shape != (1000,):
            raise UserError(f"trained_betas are {tuple(betas.shape)}; expected 1000 numbers.")
    elif schedule == "scaled_linear":
        betas = torch.linspace(start**0.5, end**0.5, 1000, dtype=torch.float64) ** 2
    elif schedule == "linear":
        betas = torch.linspace(start, end, 1000, dtype=torch.float64)
    elif schedule == "squaredcos_cap_v2":
        betas = betas_for_alpha_bar(1000).double()
    else:
        raise UserError(
            f"beta_schedule is {schedule!r}; expected 'scaled_linear' or 'linear', or 'squaredcos_cap_v2'."
        )
    if zero_snr:
        betas = rescale_zero_terminal_snr(betas)
    return torch.cumprod(1 - betas, 0).clamp(min=LEAST)
