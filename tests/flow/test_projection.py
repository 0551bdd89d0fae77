"""Paths on their plane, against planes that are known."""

import math

import pytest
import torch

from rf_app.flow.projection import project


def test_a_straight_path_stays_on_the_first_axis():
    start, end = torch.randn(2, 3, 4, 4, dtype=torch.float64)
    shares = torch.tensor([0, 0.1, 0.5, 0.7, 1], dtype=torch.float64)
    found = project(torch.stack([start + share * (end - start) for share in shares]))
    torch.testing.assert_close(found, torch.stack([shares, torch.zeros(5, dtype=torch.float64)], 1))


@pytest.mark.parametrize("dimensions", [2, 50])
def test_an_arc_is_seen_from_straight_above(dimensions):
    """A half circle in any plane of space: with its diameter as unit, (1 - cos a) / 2 and sin a / 2."""
    plane = torch.linalg.qr(torch.randn(dimensions, 2, dtype=torch.float64)).Q
    angles = torch.linspace(0, math.pi, 13, dtype=torch.float64)
    arc = 3 * torch.stack([-angles.cos(), angles.sin()], 1) @ plane.T + torch.randn(dimensions).double()
    expected = torch.stack([(1 - angles.cos()) / 2, angles.sin() / 2], 1)
    torch.testing.assert_close(project(arc), expected)


def test_the_second_axis_is_where_it_strays_most():
    """A bend of 2 in one direction and of 1 in another: 2 is seen, whichever way it points."""
    points = torch.zeros(5, 3)
    points[:, 0] = torch.linspace(0, 4, 5)
    points[1, 1] = 1
    points[3, 2] = -2
    torch.testing.assert_close(project(points)[:, 1], torch.tensor([0, 0, 0, 0.5, 0]).double())
