import pytest
import torch

from rf_app.flow.inversion import inverted
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler, heun, rk45
from rf_app.flow.velocity import Velocity
from tests.flow.flows import gaussian, gaussian_path

TURN = torch.tensor([[0.0, -1.5], [1.5, 0.3]])


def turning(x: torch.Tensor, tau: float) -> torch.Tensor:
    return (1 + tau) * x @ TURN


@pytest.mark.parametrize(("solver", "calls"), [(euler, 1), (heun, 2)])
@pytest.mark.parametrize("begin", [0.0, 0.4])
def test_the_solver_leads_back_to_where_the_inversion_began(begin, solver, calls):
    x = torch.randn(16, 2, generator=torch.Generator().manual_seed(0))
    taus = uniform_taus(20, begin)
    errors = []
    for corrections in (0, 1, 3, 6):
        start = inverted(turning, x, taus, corrections=corrections, solver=solver)
        assert start.evaluations == calls * 20 * (1 + corrections)
        errors.append((solver(turning, start.x, taus).x - x).abs().max().item())
    assert errors[0] > 2 * errors[1] > 20 * errors[2]
    assert errors[3] < 1e-5


def test_heuns_noise_is_nearer_to_the_flows_own_than_eulers():
    """The flow between two Gaussians is known: x0 = (x1 - mean) / deviation."""
    x1 = 2 + 0.5 * torch.randn(16, 2, generator=torch.Generator().manual_seed(2))
    flow, taus = gaussian(2.0, 0.5), uniform_taus(10)
    errors = [
        (inverted(flow, x1, taus, solver=solver, corrections=8).x - (x1 - 2) / 0.5).abs().max().item()
        for solver in (euler, heun)
    ]
    assert errors[1] < 0.1 * errors[0]


@pytest.mark.parametrize("begin", [0.0, 0.4])
def test_runge_kutta_goes_back_to_the_flows_own_noise_and_forth_again(begin):
    x0 = torch.randn(16, 2, generator=torch.Generator().manual_seed(3))
    x1, there = gaussian_path(x0, 1.0, 2.0, 0.5), gaussian_path(x0, begin, 2.0, 0.5)
    back = rk45(gaussian(2.0, 0.5), x1, 1.0, begin)
    assert torch.allclose(back.x, there, atol=1e-4)
    assert torch.allclose(rk45(gaussian(2.0, 0.5), back.x, begin, 1.0).x, x1, atol=1e-4)


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
