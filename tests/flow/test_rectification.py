"""The theorems of Rectified Flow (arXiv 2209.03003), where the flow is known and where it is learned."""

import pytest
import torch

from rf_app.flow.coupling import convex_costs, energy_distance, fixed, independent
from rf_app.flow.path import uniform_taus
from rf_app.flow.regression import Network, fit, straight
from rf_app.flow.solvers import euler, heun
from rf_app.flow.straightness import straightness
from rf_app.flow.toys import eight_gaussians, gaussian, moved
from tests.flow import flows

MEAN, DEVIATION = 2.0, 0.5


@pytest.fixture(autouse=True)
def one_thread():
    """Small matrices take longer on two."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def random():
    return torch.Generator().manual_seed(0)


def mixture(x, tau):
    """E[X1 - X0 | X] of independent N(0, 1) and an even mixture of N(-2, 1/4) and N(2, 1/4)."""
    means = torch.tensor([-2.0, 2.0], dtype=x.dtype)
    variance = (1 - tau) ** 2 + tau**2 / 4
    off = x - tau * means  # [N, 2]: one column for each part
    share = torch.softmax(-(off**2) / (2 * variance), 1)
    return (share * (means + off * (tau / 4 - (1 - tau)) / variance)).sum(1, keepdim=True)


def test_marginals_are_preserved_at_every_moment(random):
    z0 = torch.randn(4000, 1, generator=random, dtype=torch.float64)
    noise = torch.randn(4000, 1, generator=random, dtype=torch.float64)
    x1 = torch.randn(4000, 1, generator=random, dtype=torch.float64) / 2
    x1 += torch.randint(2, (4000, 1), generator=random) * 4 - 2
    for tau in (0.3, 0.7, 1.0):
        z = heun(mixture, z0, [tau * each for each in uniform_taus(50)]).x
        assert energy_distance(z, (1 - tau) * noise + tau * x1) == pytest.approx(0, abs=0.01)


def test_no_convex_cost_grows(random):
    x0, x1 = torch.randn(2, 4000, 1, generator=random, dtype=torch.float64)
    z1 = heun(flows.gaussian(MEAN, DEVIATION), x0, uniform_taus(50)).x
    before, after = convex_costs(x0, MEAN + DEVIATION * x1), convex_costs(x0, z1)
    assert all(after[name] < before[name] for name in before)


def test_a_straight_coupling_is_a_fixed_point(random):
    """x1 = 3 + x0 / 2 is straight; so X = 3 tau + (1 - tau / 2) x0 says x0, and the flow is x1 - x0 again."""
    x0 = torch.randn(200, 2, generator=random, dtype=torch.float64)

    def velocity(x, tau):
        return 3 - (x - 3 * tau) / 2 / (1 - tau / 2)

    assert straightness(velocity, x0) == pytest.approx(0, abs=1e-20)
    for steps in (1, 7):
        torch.testing.assert_close(euler(velocity, x0, uniform_taus(steps)).x, 3 + x0 / 2)


def test_a_learned_flow_straightens_and_one_step_of_a_random_coupling_gives_the_mean(random):
    """On eight Gaussians: reflow, then distilling, has what distilling random pairs has not."""
    source, target = gaussian, moved(eight_gaussians, 2.0)
    draw, data = independent(source, target, random), target(1000, random)
    z0 = source(1000, random)
    curved = []
    for steps in (400, 200):
        flow = Network(2, 2, random)
        fit(flow, straight(draw, random), steps, 0.03)
        with torch.no_grad():
            x0 = source(4096, random)
            x1 = heun(flow, x0, uniform_taus(20)).x
            curved.append(straightness(flow, z0, 20))
            assert energy_distance(heun(flow, z0, uniform_taus(20)).x, data) < 0.1
        draw = fixed(x0, x1, random)
    assert curved[1] < curved[0] / 10

    def one_step(draw):
        network = Network(2, 2, random)

        def examples(n):
            x0, x1 = draw(n)
            return x0, torch.zeros(n), x1

        fit(network, examples, 200, 0.03)
        return network(z0, 0.0).detach()

    means = one_step(independent(source, target, random))
    torch.testing.assert_close(means, torch.tensor([2.0, 0.0]).expand_as(means), atol=0.35, rtol=0)
    assert energy_distance(one_step(draw), data) < energy_distance(means, data) / 4
