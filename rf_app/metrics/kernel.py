"""The kernel distance of two sets of features (KID, arXiv 1801.01401), which is honest with few pictures."""

import numpy as np


def distance(a: np.ndarray, b: np.ndarray) -> float:
    """Unbiased squared MMD of features [N, D] and [M, D] under the kernel (x.y / D + 1)^3.

    About 0, and as often under it as over, for two draws of the same; the scale is the features' own.
    """
    return float(_within(a) + _within(b) - 2 * _kernel(a, b).mean())


def _within(a: np.ndarray) -> float:
    """The mean over all pairs of two."""
    values = _kernel(a, a)
    return (values.sum() - np.trace(values)) / (len(a) * (len(a) - 1))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) @ b.astype(np.float64).T / a.shape[1] + 1) ** 3
