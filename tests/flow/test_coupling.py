"""Couplings: which segments cross, what transport costs, and which pairs are optimal."""

import itertools

import pytest
import torch

from rf_app.flow.coupling import convex_costs, cross, crossings, energy_distance, fixed, independent, matched
from rf_app.flow.toys import gaussian, moved


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


@pytest.mark.parametrize(
    ("segments", "expected"),
    [
        (((0, 0), (1, 1), (0, 1), (1, 0)), True),
        (((0, 0), (1, 0), (0, 1), (1, 1)), False),
        (((0, 0), (1, 1), (1, 1), (2, 0)), False),  # they share an end
        (((0, 0), (2, 0), (1, 0), (3, 0)), False),  # on one line
        (((0, 0), (1, 1), (3, 0), (0, 3)), False),  # their lines cross
    ],
)
def test_two_segments_cross_or_not(segments, expected):
    assert bool(cross(*(torch.tensor([each], dtype=torch.float) for each in segments))) == expected


def test_the_share_of_crossings_is_that_of_all_couples(random):
    x0, x1 = torch.randn(12, 2), torch.randn(12, 2)
    found = [bool(cross(x0[[i]], x1[[i]], x0[[j]], x1[[j]])) for i, j in itertools.combinations(range(12), 2)]
    assert crossings(x0, x1, random) == pytest.approx(sum(found) / len(found), abs=0.005)


def test_half_of_random_pairs_cross_where_the_ends_are_far_apart(random):
    x0, x1 = independent(gaussian, moved(gaussian, 100.0), random)(2000)
    assert crossings(x0, x1, random) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("batch", [None, 4])
def test_optimal_pairs_are_the_best_of_all_orders(batch):
    x0, x1 = torch.randn(8, 2), torch.randn(8, 2)
    found = matched(x0, x1, batch)
    for ours, a, b in zip(*(each.split(batch or 8) for each in (found, x0, x1)), strict=True):
        costs = [(b[list(order)] - a).square().sum() for order in itertools.permutations(range(len(a)))]
        assert (ours - a).square().sum() == pytest.approx(float(min(costs)), rel=1e-5)
        assert sorted(ours.tolist()) == sorted(b.tolist())  # a permutation: the marginal is kept


def test_draws_of_a_fixed_coupling_are_its_pairs(random):
    x0 = torch.randn(50, 2)
    a, b = fixed(x0, x0 + 3, random)(500)
    assert torch.equal(b, a + 3)
    assert len(set(map(tuple, a.tolist()))) == 50


def test_convex_costs_of_a_known_move():
    costs = convex_costs(torch.zeros(2, 2), torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    assert list(costs.values()) == [3, 13, 313]


def test_the_energy_distance_of_two_points_and_of_the_same_distribution(random):
    x, y = torch.zeros(2, 2), torch.full((2, 2), 3.0)
    assert energy_distance(x, y) == pytest.approx(2 * 18**0.5)
    x, y = independent(gaussian, gaussian, random)(2000)
    assert energy_distance(x, y) == pytest.approx(0, abs=0.005)
    assert energy_distance(x, y + 1) > 0.3
