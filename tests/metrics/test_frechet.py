"""The Frechet distance against closed forms."""

import numpy as np
import pytest
from scipy.linalg import sqrtm

from rf_app.metrics.frechet import Gaussian, distance, fit


def random_gaussian(rng: np.random.Generator, dimensions: int, rank: int) -> Gaussian:
    root = rng.normal(size=(dimensions, rank))
    return Gaussian(rng.normal(size=dimensions), root @ root.T)


def test_commuting_covariances() -> None:
    """For diagonal ones it is the sum of squared differences of means and of standard deviations."""
    a = Gaussian(np.array([1.0, 2.0]), np.diag([4.0, 9.0]))
    b = Gaussian(np.array([0.0, 2.5]), np.diag([1.0, 16.0]))
    assert distance(a, b) == pytest.approx(1 + 0.25 + (2 - 1) ** 2 + (3 - 4) ** 2)


def test_any_covariances_agree_with_the_matrix_root() -> None:
    rng = np.random.default_rng(0)
    a, b = random_gaussian(rng, 12, 20), random_gaussian(rng, 12, 20)
    cross = np.trace(sqrtm(a.covariance @ b.covariance).real)
    expected = np.sum((a.mean - b.mean) ** 2) + np.trace(a.covariance + b.covariance) - 2 * cross
    assert distance(a, b) == pytest.approx(expected)
    assert distance(a, b) == pytest.approx(distance(b, a))


def test_deficient_covariances() -> None:
    """Orthogonal lines: nothing is shared, the traces remain."""
    a, b = Gaussian(np.zeros(2), np.diag([3.0, 0.0])), Gaussian(np.zeros(2), np.diag([0.0, 5.0]))
    assert distance(a, b) == pytest.approx(8)
    assert distance(a, a) == pytest.approx(0, abs=1e-9)


def test_a_shift_of_features_is_its_squared_length() -> None:
    features = np.random.default_rng(1).normal(size=(500, 6)).astype(np.float32)
    shift = np.array([3, 0, 0, 4, 0, 0], np.float32)
    assert distance(fit(features), fit(features + shift)) == pytest.approx(25, rel=1e-5)


def test_samples_of_one_gaussian_come_close() -> None:
    rng = np.random.default_rng(2)
    truth = Gaussian(np.zeros(3), np.diag([1.0, 2.0, 3.0]))
    drawn = rng.normal(size=(50_000, 3)) * np.sqrt([1, 2, 3])
    assert distance(fit(drawn), truth) < 1e-3
