"""The distributions of the flow lab."""

import pytest
import torch

from rf_app.flow.toys import IN_SPACE, TOYS, cloud, moved


@pytest.mark.parametrize("name", TOYS)
def test_each_lies_around_the_middle_and_is_drawn_again_by_its_seed(name):
    x, again = (TOYS[name](4000, torch.Generator().manual_seed(1)) for _ in range(2))
    assert torch.equal(x, again)
    assert x.shape == (4000, 3 if name in IN_SPACE else 2)
    assert x.mean(0).abs().max() < 0.2
    assert 0.5 < x.norm(dim=1).mean() < 1.2


def test_the_torus_is_even():
    """Its outer half has (1 / 2 + r / (pi R)) of the surface, with r / R = 0.35 / 0.9."""
    x = TOYS["torus"](20000, torch.Generator().manual_seed(0))
    around = x[:, [0, 2]].norm(dim=1)
    torch.testing.assert_close((around - 0.9) ** 2 + x[:, 1] ** 2, torch.full((20000,), 0.35**2))
    assert (around > 0.9).double().mean() == pytest.approx(0.5 + 0.35 / 0.9 / torch.pi, abs=0.01)


def test_a_drawn_cloud_is_around_its_points():
    points = torch.tensor([[0.0, 1.0], [1.0, 0.0], [1.0, 0.0]])
    x = moved(cloud(points.tolist()), 2.0)(3000, torch.Generator().manual_seed(0))
    to = torch.cdist(x, points + torch.tensor([2.0, 0.0]))
    assert to.min(1).values.max() < 0.25
    assert (to.argmin(1) == 0).double().mean() == pytest.approx(1 / 3, abs=0.05)
