"""Solvers against closed-form flows, and their orders of convergence."""

import math

import pytest
import torch

from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler, heun, rk45
from tests.flow.flows import gaussian, gaussian_path

X0 = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(3, 3)


@pytest.mark.parametrize("solver", [euler, heun])
@pytest.mark.parametrize("steps", [1, 3])
def test_a_constant_velocity_arrives_exactly(solver, steps):
    target = torch.randn_like(X0)
    end = solver(lambda x, tau: target - X0, X0, uniform_taus(steps))
    torch.testing.assert_close(end.x, target)


@pytest.mark.parametrize(("solver", "order"), [(euler, 1), (heun, 2)])
def test_order_of_convergence(solver, order):
    exact = gaussian_path(X0, 1.0, 1.5, 0.4)
    errors = [(solver(gaussian(1.5, 0.4), X0, uniform_taus(n)).x - exact).abs().max() for n in (64, 128)]
    assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.15)


def test_rk45_reaches_its_tolerance():
    end = rk45(gaussian(1.5, 0.4), X0)
    torch.testing.assert_close(end.x, gaussian_path(X0, 1.0, 1.5, 0.4), atol=1e-4, rtol=0)
    assert 6 < end.evaluations < 200
    finer = rk45(gaussian(1.5, 0.4), X0, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(finer.x, gaussian_path(X0, 1.0, 1.5, 0.4), atol=1e-8, rtol=0)
    assert finer.evaluations > end.evaluations


def test_rk45_between_other_times_and_in_float32():
    start = gaussian_path(X0, 0.001, 1.5, 0.4).float()
    end = rk45(gaussian(1.5, 0.4), start, start=0.001)
    assert end.x.dtype == torch.float32
    torch.testing.assert_close(end.x.double(), gaussian_path(X0, 1.0, 1.5, 0.4), atol=1e-4, rtol=0)


@pytest.mark.parametrize(("solver", "calls"), [(euler, 4), (heun, 8)])
def test_evaluations_and_callbacks(solver, calls):
    called, seen = [], []

    def velocity(x, tau):
        called.append(tau)
        return torch.ones_like(x)

    end = solver(
        velocity, torch.zeros(1, 1), uniform_taus(4), lambda i, tau, x: seen.append((i, tau, float(x)))
    )
    assert end.evaluations == len(called) == calls
    assert seen == [(1, 0.25, 0.25), (2, 0.5, 0.5), (3, 0.75, 0.75), (4, 1.0, 1.0)]


def test_uneven_times():
    end = euler(lambda x, tau: torch.full_like(x, 2 * tau), torch.zeros(1, 1), [0.0, 0.5, 0.6, 1.0])
    assert float(end.x) == pytest.approx(0.5 * 0 + 0.1 * 1 + 0.4 * 1.2)
