import pytest
import torch

from rf_app.flow.inversion import inverted
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import Velocity

TURN = torch.tensor([[0.0, -1.5], [1.5, 0.3]])


def turning(x: torch.Tensor, tau: float) -> torch.Tensor:
    return (1 + tau) * x @ TURN


@pytest.mark.parametrize("begin", [0.0, 0.4])
def test_euler_leads_back_to_where_the_inversion_began(begin):
    x = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    taus = [begin + (1 - begin) * tau for tau in uniform_taus(20)]
    errors = []
    for corrections in (0, 1, 3, 6):
        start = inverted(turning, x, taus, corrections=corrections)
        assert start.evaluations == 20 * (1 + corrections)
        errors.append((euler(turning, start.x, taus).x - x).abs().max().item())
    assert errors[0] > 2 * errors[1] > 20 * errors[2]
    assert errors[3] < 1e-5


def test_a_straight_flow_needs_one_step_and_one_evaluation():
    x1 = torch.randn(16, 2, generator=torch.Generator().manual_seed(1))
    x0 = x1 + torch.tensor([3.0, -1.0])
    straight: Velocity = lambda x, tau: (x1 - x0).expand_as(x)  # noqa: E731
    assert torch.allclose(inverted(straight, x1, [0.0, 1.0], corrections=0).x, x0, atol=1e-6)


def test_each_step_back_is_told():
    seen = []
    x = torch.ones(1, 2)
    inverted(turning, x, [0.2, 0.6, 1.0], lambda i, tau, point: seen.append((i, tau, point.shape)))
    assert seen == [(1, 0.6, x.shape), (2, 0.2, x.shape)]
