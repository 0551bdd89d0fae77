"""Style shift: exact where the answer is known."""

import pytest
import torch

from rf_app.metrics.style import StyleAxis, style_statistics


def test_a_shift_is_the_share_of_the_way() -> None:
    torch.manual_seed(0)
    plain = torch.randn(500, 6)
    way = torch.tensor([3.0, -1.0, 0.0, 0.0, 2.0, 0.0])
    axis = StyleAxis(plain, plain + way)
    before = torch.randn(50, 6)
    assert axis.shift(before, before) == 0
    for share in (0.3, 1.0, 1.5, -0.5):
        assert axis.shift(before, before + share * way) == pytest.approx(share, rel=1e-5)


def test_what_else_changes_does_not_count() -> None:
    torch.manual_seed(0)
    plain = torch.randn(500, 3)
    axis = StyleAxis(plain, plain + torch.tensor([1.0, 0.0, 0.0]))
    assert axis.shift(plain, plain + torch.tensor([0.0, 5.0, -5.0])) == pytest.approx(0, abs=1e-6)


def test_every_statistic_counts_in_its_own_spread() -> None:
    """The second one is a hundred times as wide; the same number of deviations moves as far."""
    torch.manual_seed(0)
    plain = torch.randn(5000, 2) * torch.tensor([1.0, 100.0])
    axis = StyleAxis(plain, plain + torch.tensor([1.0, 100.0]))
    assert axis.shift(plain, plain + torch.tensor([1.0, 0.0])) == pytest.approx(0.5, abs=0.03)


def test_statistics_do_not_see_where_things_stand() -> None:
    torch.manual_seed(0)
    maps = [torch.randn(2, 4, 6, 6), torch.randn(2, 3, 3, 3)]
    found = style_statistics(maps)
    assert found.shape == (2, 14)
    assert torch.allclose(style_statistics([each.flip(3) for each in maps]), found, atol=1e-6)
    assert torch.allclose(found[:, :4], maps[0].mean((2, 3)), atol=1e-6)
    assert not torch.allclose(style_statistics([2 * each for each in maps]), found)
