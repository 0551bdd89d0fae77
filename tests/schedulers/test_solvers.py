"""The choice of solvers: each follows the model's own flow to its end, afresh each time."""

import pytest
import torch
from diffusers import (
    DDIMScheduler,
    DEISMultistepScheduler,
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    LCMScheduler,
    TCDScheduler,
)

from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import heun
from rf_app.schedulers.perflow import PeRFlowScheduler
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import SOLVERS, TITLES, fresh
from tests.tiny import BETAS

OWN = {
    "diffusion": DPMSolverMultistepScheduler(**BETAS, steps_offset=1),
    "rectified-flow": RectifiedFlowScheduler(),
    "one-step": RectifiedFlowScheduler(),
    "piecewise-flow": PeRFlowScheduler(prediction_type="velocity", num_time_windows=1),
    "consistency": LCMScheduler(),
    "trajectory-consistency": TCDScheduler(),
    "few-step": DDIMScheduler(**BETAS),
    "turbo": EulerDiscreteScheduler(**BETAS),
    "one-step-diffusion": DEISMultistepScheduler(**BETAS),
}
FLOWS = {"rectified-flow": 1, "one-step": 1, "piecewise-flow": -1}  # and which way their velocity goes
CHOICES = [(kind, name) for kind, names in SOLVERS.items() for name in names]


def solve(scheduler, model, x, steps):
    """As the pipelines do it."""
    scheduler.set_timesteps(steps)
    x = x * scheduler.init_noise_sigma
    for t in scheduler.timesteps:
        output = model(scheduler.scale_model_input(x, t), t)
        x = scheduler.step(output, t, x).prev_sample
    return x


@pytest.fixture(autouse=True)
def noise_between_steps():
    """The same for each test: LCM draws some."""
    torch.manual_seed(0)


def test_every_solver_has_a_title():
    assert {name for _, name in CHOICES} == TITLES.keys()


@pytest.mark.parametrize("steps", [1, 4, 25])
@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_a_model_that_knows_the_picture_arrives_at_it(kind, name, steps):
    """However few the steps: the first starts at the noise and the last ends at the data."""
    noise, picture = torch.randn(2, 1, 8, 4, 4, dtype=torch.float64)
    abar = OWN["diffusion"].alphas_cumprod.double()

    def eps_of(z, t):  # z = sqrt(abar) x1 + sqrt(1 - abar) eps, solved for eps
        a = abar[int(t)]
        return (z - a.sqrt() * picture) / (1 - a).sqrt()

    model = (lambda x, t: FLOWS[kind] * (picture - noise)) if kind in FLOWS else eps_of
    found = solve(fresh(OWN[kind], kind, name), model, noise, steps)
    close = 0.15 if name in ("tcd", "deis") else 1e-4  # they end with the noise of the last timestep
    torch.testing.assert_close(found, picture, atol=close, rtol=close)


@pytest.mark.parametrize("steps", [1, 5])
def test_heun_is_the_one_of_flow_solvers(steps):
    noise = torch.randn(2, 8, 4, 4, dtype=torch.float64)
    scheduler = fresh(OWN["rectified-flow"], "rectified-flow", "heun")
    found = solve(scheduler, lambda x, t: torch.sin(x) + (1 - t / 1000) ** 2, noise, steps)
    expected = heun(lambda x, tau: torch.sin(x) + tau**2, noise, uniform_taus(steps))
    assert len(scheduler.timesteps) == steps * scheduler.order == expected.evaluations
    torch.testing.assert_close(found, expected.x, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("steps", [1, 5])
def test_heun_with_epsilon_arrives_where_the_noise_leads(steps):
    """Its last step is Euler's: at the data there is no velocity to be had from epsilon."""
    scheduler = fresh(RectifiedFlowScheduler(prediction_type="epsilon"), "rectified-flow", "heun")
    noise, picture = torch.randn(2, 1, 8, 4, 4, dtype=torch.float64)

    def eps_of(z, t):
        alpha, sigma = scheduler.schedule.alpha_sigma(scheduler._taus[scheduler._index])
        return (z - alpha * picture) / sigma

    found = solve(scheduler, eps_of, noise, steps)
    assert len(scheduler.timesteps) == 2 * steps - 1
    torch.testing.assert_close(found, picture, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_each_run_is_a_fresh_one(kind, name):
    first = fresh(OWN[kind], kind, name)
    solve(first, lambda x, t: x, torch.randn(1, 8, 4, 4), 3)
    second = fresh(OWN[kind], kind, name)
    assert second is not first
    assert second is not OWN[kind]
    noise = torch.randn(1, 8, 4, 4)
    torch.manual_seed(1)
    expected = solve(fresh(OWN[kind], kind, name), lambda x, t: x, noise, 2)
    torch.manual_seed(1)
    assert torch.equal(solve(second, lambda x, t: x, noise, 2), expected)
