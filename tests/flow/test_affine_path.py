"""The ways from noise to data: their ends, and that a velocity is the derivative of its path."""

import pytest
import torch

from rf_app.flow.affine_path import PATHS
from rf_app.flow.path import interpolate
from rf_app.flow.regression import times

INSIDE = torch.linspace(0.02, 0.98, 25, dtype=torch.float64)


@pytest.fixture(params=PATHS)
def path(request):
    return PATHS[request.param]


def test_it_goes_from_noise_to_data(path):
    x0, x1 = torch.randn(2, 3, 2, dtype=torch.float64)
    start, end = (path.at(x0, x1, torch.full((3,), tau, dtype=torch.float64)) for tau in (0, 1))
    torch.testing.assert_close(end, x1)
    torch.testing.assert_close(start, x0, atol=0.03, rtol=0)  # VP's alpha is 0.0066 at 0


def test_its_velocity_is_the_derivative(path):
    x0, x1 = torch.randn(2, len(INSIDE), 2, dtype=torch.float64)
    h = 1e-6
    slope = (path.at(x0, x1, INSIDE + h) - path.at(x0, x1, INSIDE - h)) / (2 * h)
    torch.testing.assert_close(path.velocity(x0, x1, INSIDE), slope, rtol=1e-5, atol=1e-6)


def test_rectified_flow_is_the_straight_path():
    x0, x1 = torch.randn(2, len(INSIDE), 2, dtype=torch.float64)
    torch.testing.assert_close(PATHS["Rectified flow"].at(x0, x1, INSIDE), interpolate(x0, x1, INSIDE))
    torch.testing.assert_close(PATHS["Rectified flow"].velocity(x0, x1, 0.3), x1 - x0)


@pytest.mark.parametrize("name", ["VP", "Constant-speed VP"])
def test_variance_preserving_paths_keep_it(name):
    alpha, beta = PATHS[name].alpha(INSIDE), PATHS[name].beta(INSIDE)
    torch.testing.assert_close(alpha**2 + beta**2, torch.ones_like(INSIDE))


def test_moments_are_evenly_spread():
    found = times(100, torch.Generator().manual_seed(0)).sort().values
    torch.testing.assert_close(found.diff(), torch.full((99,), 0.01), atol=1e-5, rtol=0)
