"""Recall where it is known: nothing, half and all of what there is."""

import pytest
import torch

from rf_app.metrics.recall import recall


def cloud(n: int, at: float) -> torch.Tensor:
    return at + torch.randn(n, 4, generator=torch.Generator().manual_seed(n))


def test_points_are_covered_by_themselves_and_not_by_others_far_away():
    assert recall(cloud(100, 0.0), cloud(100, 0.0)) == 1
    assert recall(cloud(100, 0.0), cloud(101, 100.0)) == 0


def test_of_two_clouds_one_is_half():
    both = torch.cat([cloud(300, 0.0), cloud(300, 100.0)])
    assert recall(both, cloud(300, 0.0)) == 0.5


def test_it_asks_what_is_left_out_and_not_what_is_too_much():
    both = torch.cat([cloud(300, 0.0), cloud(300, 100.0)])
    assert recall(cloud(300, 0.0), both) == 1


@pytest.mark.parametrize(("neighbours", "found"), [(1, 0.5), (2, 1.0)])
def test_a_ball_reaches_to_the_neighbour_that_is_asked_for(neighbours, found):
    made = torch.tensor([[0.0], [1.0], [3.0]])  # radii 1, 1, 2, then 3, 2, 3
    assert recall(torch.tensor([[0.5], [-1.5]]), made, neighbours) == found
