"""The kernel distance of two sets of features (KID, arXiv 1801.01401), which is honest with few pictures."""

import numpy as np


def distance(a: np.ndarray, b: np.ndarray, paired: bool = False) -> float:
    """Unbiased squared MMD of features [N, D] and [M, D] under the kernel (x.y / D + 1)^3.

    paired: what has one number in both shows the same; the two are not compared, as they are no independent
    draws. About 0, and as often under it as over, for two draws of the same; the scale is the features' own.
    """
    across = _kernel(a, b)
    between = _of_two(across) if paired else across.mean()
    return float(_of_two(_kernel(a, a)) + _of_two(_kernel(b, b)) - 2 * between)


def _of_two(values: np.ndarray) -> float:
    """The mean off the diagonal, over all pairs of two."""
    return (values.sum() - np.trace(values)) / (len(values) * (len(values) - 1))


def _kernel(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a.astype(np.float64) @ b.astype(np.float64).T / a.shape[1] + 1) ** 3
