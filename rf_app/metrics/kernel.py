"""The kernel distance of two sets of features (KID, arXiv 1801.01401), which is honest with few pictures."""

import numpy as np

ROWS = 256  # of the kernel, which are there at once: of 10,000 pictures all would take 800 MB


def distance(a: np.ndarray, b: np.ndarray, paired: bool = False) -> float:
    """Unbiased squared MMD of features [N, D] and [M, D] under the kernel (x.y / D + 1)^3.

    paired: what has one number in both shows the same; the two are not compared, as they are no independent
    draws. About 0, and as often under it as over, for two draws of the same; the scale is the features' own.
    """
    a, b = a.astype(np.float64), b.astype(np.float64)
    return float(_mean(a, a, True) + _mean(b, b, True) - 2 * _mean(a, b, paired))


def _mean(a: np.ndarray, b: np.ndarray, of_two: bool) -> float:
    """The kernel's mean over all pairs; of_two: but for those of one number."""
    total = sum(_cubed(a[i : i + ROWS] @ b.T / a.shape[1]).sum() for i in range(0, len(a), ROWS))
    if not of_two:
        return total / (len(a) * len(b))
    return (total - _cubed((a * b).sum(1) / a.shape[1]).sum()) / (len(a) * (len(a) - 1))


def _cubed(products: np.ndarray) -> np.ndarray:
    return (products + 1) ** 3
