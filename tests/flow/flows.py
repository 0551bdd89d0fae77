"""Flows whose paths are known in closed form."""

from torch import Tensor


def gaussian(mean: float, deviation: float):
    """The rectified flow from N(0, 1) to N(mean, deviation^2), drawn independently, in every coordinate.

    X_tau is normal with mean tau m and variance (1 - tau)^2 + tau^2 d^2, and the flow carries quantiles to
    quantiles: Z_tau = tau m + Z_0 sqrt((1 - tau)^2 + tau^2 d^2). So Z_1 = m + d Z_0.
    """

    def velocity(x: Tensor, tau: float) -> Tensor:
        variance = (1 - tau) ** 2 + tau**2 * deviation**2
        return mean + (x - tau * mean) * (tau * deviation**2 - (1 - tau)) / variance

    return velocity


def gaussian_path(x0: Tensor, tau: float, mean: float, deviation: float) -> Tensor:
    """Where that flow takes x0 until tau."""
    return tau * mean + x0 * ((1 - tau) ** 2 + tau**2 * deviation**2) ** 0.5
