"""The kernel distance: against the sum over all pairs, and between draws of the same and of another."""

import tracemalloc
from itertools import product

import numpy as np
import pytest

from rf_app.metrics.kernel import distance


def test_it_is_the_mean_over_all_pairs_of_two() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(4, 3)), rng.normal(size=(5, 3))

    def mean(x: np.ndarray, y: np.ndarray) -> float:
        return np.mean(
            [
                (x[i] @ y[j] / 3 + 1) ** 3
                for i, j in product(range(len(x)), range(len(y)))
                if x is not y or i != j
            ]
        )

    assert distance(a, b) == pytest.approx(mean(a, a) + mean(b, b) - 2 * mean(a, b))


def test_it_is_about_0_for_the_same_whatever_the_number() -> None:
    rng = np.random.default_rng(0)
    found = [distance(rng.normal(size=(count, 8)), rng.normal(size=(300, 8))) for count in (20,) * 40]
    assert abs(np.mean(found)) < 0.1
    assert min(found) < 0 < max(found)
    assert distance(rng.normal(size=(20, 8)) + 1, rng.normal(size=(300, 8))) > 2


def test_thousands_of_pictures_need_no_whole_kernel() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2_000, 4)), rng.normal(size=(1_900, 4))
    tracemalloc.start()
    found = distance(a, b)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert most < 2_000 * 1_900 * 8 / 2

    def off_diagonal(x: np.ndarray) -> float:
        kernel = (x @ x.T / 4 + 1) ** 3
        return (kernel.sum() - np.trace(kernel)) / (len(x) * (len(x) - 1))

    assert found == pytest.approx(off_diagonal(a) + off_diagonal(b) - 2 * ((a @ b.T / 4 + 1) ** 3).mean())


def test_what_shows_the_same_is_not_compared() -> None:
    rng = np.random.default_rng(0)
    draws = rng.normal(size=(40, 20, 8))
    near = [distance(a, a + 0.01, paired=paired) for paired in (True, False) for a in draws]
    assert abs(np.mean(near[:40])) < 0.1
    assert max(near[40:]) < 0
