"""Straightness and transport cost of flows for which they are known."""

import math

import pytest
import torch

from rf_app.flow.straightness import straightness, straightness_curve, transport_cost
from tests.flow.flows import gaussian


def test_a_straight_flow_has_none():
    x0 = torch.randn(5, 3, dtype=torch.float64)
    target = torch.randn_like(x0)
    assert straightness(lambda x, tau: target - x0, x0, steps=7) == pytest.approx(0, abs=1e-20)


def test_an_accelerated_flow():
    """v = 2 tau c in D coordinates: S = D c^2 times the integral of (1 - 2 tau)^2, which is 1/3."""
    x0 = torch.randn(4, 2, 3, dtype=torch.float64)
    value = straightness(lambda x, tau: torch.full_like(x, 2 * tau * 1.5), x0, steps=400)
    assert value == pytest.approx(6 * 1.5**2 / 3, rel=1e-4)


def test_a_rotation():
    """A turn by an angle w: |v|^2 = w^2 r^2 and |Z_1 - Z_0|^2 = 2 r^2 (1 - cos w), so S = w^2 r^2 - that."""
    angle = math.pi / 2
    turn = torch.tensor([[0, angle], [-angle, 0]], dtype=torch.float64)
    x0 = torch.tensor([[1.0, 0.0], [0.0, 2.0]], dtype=torch.float64)
    expected = 2.5 * (angle**2 - 2 * (1 - math.cos(angle)))
    assert straightness(lambda x, tau: x @ turn, x0, steps=4000) == pytest.approx(expected, rel=2e-3)


def test_the_curve_says_where_a_flow_bends():
    """v = 0, then 2: the chord is 1, and each half is off by 1 in each of 3 coordinates."""
    curve = straightness_curve(
        lambda x, tau: torch.full_like(x, 2.0 * (tau >= 0.5)), torch.zeros(2, 3), steps=10
    )
    torch.testing.assert_close(curve, torch.full((10,), 3.0))


def test_the_flow_from_independent_gaussians_is_curved():
    x0 = torch.randn(64, 4, dtype=torch.float64)
    assert straightness(gaussian(0.0, 1.0), x0) > 0.1  # it shrinks before it grows again


def test_transport_cost():
    assert transport_cost(torch.zeros(2, 2, 2), torch.full((2, 2, 2), 3.0)) == 4 * 9
    assert transport_cost(torch.zeros(2, 1), torch.tensor([[1.0], [3.0]])) == 5
