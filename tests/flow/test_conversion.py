"""Between a diffusion model's predictions and velocity, on Stable Diffusion 1.5's own noise schedule."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from rf_app.flow.conversion import (
    NoiseSchedule,
    epsilon_from_velocity,
    velocity_from_epsilon,
    velocity_from_v_prediction,
    x1_from_velocity,
)
from rf_app.flow.path import interpolate

BETAS = torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2
ALPHAS_CUMPROD = torch.cumprod(1 - BETAS, 0)
SCHEDULE = NoiseSchedule(ALPHAS_CUMPROD)
TAUS = st.floats(0, 1)


@pytest.mark.parametrize(
    ("timestep", "tau", "scale"), [(749, 0.1968, 1.2092), (499, 0.3827, 1.3768), (249, 0.5906, 1.3916)]
)
def test_published_values_of_stable_diffusion(timestep, tau, scale):
    assert SCHEDULE.tau(timestep) == pytest.approx(tau, abs=5e-5)
    assert SCHEDULE.scale(SCHEDULE.tau(timestep)) == pytest.approx(scale, abs=5e-5)


def test_range_of_stable_diffusion():
    assert SCHEDULE.tau_range == pytest.approx((0.0640, 0.9717), abs=5e-5)
    assert SCHEDULE.tau(999) == SCHEDULE.tau_range[0]
    assert SCHEDULE.tau(0) == SCHEDULE.tau_range[1]


def test_scale_is_alpha_plus_sigma_at_every_timestep():
    expected = ALPHAS_CUMPROD.sqrt() + (1 - ALPHAS_CUMPROD).sqrt()
    found = torch.tensor([SCHEDULE.scale(SCHEDULE.tau(t)) for t in range(1000)], dtype=torch.float64)
    torch.testing.assert_close(found, expected)


def test_timestep_inverts_tau_and_lies_between_neighbours():
    taus = torch.tensor([SCHEDULE.tau(t) for t in range(1000)], dtype=torch.float64)
    torch.testing.assert_close(SCHEDULE.timestep(taus), torch.arange(1000.0), atol=1e-3, rtol=0)
    halves = SCHEDULE.timestep((taus[:-1] + taus[1:]) / 2)
    torch.testing.assert_close(halves, torch.arange(999) + 0.5, atol=1e-3, rtol=0)


def test_timestep_is_clamped_outside_the_schedule():
    assert SCHEDULE.timestep(torch.tensor([0.0, 0.01, 0.99, 1.0])).tolist() == [999, 999, 0, 0]


@pytest.mark.parametrize("timestep", [999, 749, 499, 249, 1])
def test_the_true_epsilon_gives_the_true_velocity(timestep):
    x0, x1 = torch.randn(4, 8, dtype=torch.float64), torch.randn(4, 8, dtype=torch.float64)
    tau = SCHEDULE.tau(timestep)
    x = interpolate(x0, x1, tau)
    alpha, sigma = ALPHAS_CUMPROD[timestep].sqrt(), (1 - ALPHAS_CUMPROD[timestep]).sqrt()
    torch.testing.assert_close(SCHEDULE.scale(tau) * x, alpha * x1 + sigma * x0)
    velocity = velocity_from_epsilon(x, x0, tau, SCHEDULE)
    torch.testing.assert_close(velocity, x1 - x0)
    torch.testing.assert_close(x1_from_velocity(x, velocity, tau), x1)
    v_prediction = alpha * x0 - sigma * x1
    torch.testing.assert_close(velocity_from_v_prediction(x, v_prediction, tau, SCHEDULE), x1 - x0)


@given(TAUS)
def test_epsilon_to_velocity_and_back(tau):
    x, eps = torch.randn(2, 5, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    velocity = velocity_from_epsilon(x, eps, tau, SCHEDULE)
    assert velocity.isfinite().all()
    torch.testing.assert_close(epsilon_from_velocity(x, velocity, tau, SCHEDULE), eps)


@given(TAUS)
def test_a_velocity_from_a_v_prediction_is_finite_and_says_what_is_predicted(tau):
    x, prediction = torch.randn(2, 5, dtype=torch.float64), torch.randn(2, 5, dtype=torch.float64)
    velocity = velocity_from_v_prediction(x, prediction, tau, SCHEDULE)
    assert velocity.isfinite().all()
    alpha, sigma = SCHEDULE.alpha_sigma(tau)
    z = SCHEDULE.scale(tau) * x
    if tau < 0.5:
        torch.testing.assert_close(x1_from_velocity(x, velocity, tau), alpha * z - sigma * prediction)
    else:
        torch.testing.assert_close(x - tau * velocity, alpha * prediction + sigma * z)


@pytest.mark.parametrize(
    "convert", [velocity_from_epsilon, epsilon_from_velocity, velocity_from_v_prediction]
)
def test_a_batch_of_taus_is_each_tau_by_itself(convert):
    tau = torch.tensor([0.0, 0.05, 0.0641, 0.5, 0.98, 1.0], dtype=torch.float64)
    x, prediction = torch.randn(6, 3, 2, dtype=torch.float64), torch.randn(6, 3, 2, dtype=torch.float64)
    each = [convert(x[i : i + 1], prediction[i : i + 1], float(t), SCHEDULE) for i, t in enumerate(tau)]
    torch.testing.assert_close(convert(x, prediction, tau, SCHEDULE), torch.cat(each))


def test_below_the_schedule_the_velocity_leads_to_the_predicted_data():
    """At tau = 0 the model sees the bare noise as t = 999 and predicts data from it."""
    x0, eps = torch.randn(2, 6, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
    alpha, sigma = ALPHAS_CUMPROD[999].sqrt(), (1 - ALPHAS_CUMPROD[999]).sqrt()
    velocity = velocity_from_epsilon(x0, eps, 0.0, SCHEDULE)
    torch.testing.assert_close(x0 + velocity, (x0 - sigma * eps) / alpha)


def test_the_velocity_is_continuous_where_the_two_forms_meet():
    x, eps = torch.randn(2, 6, dtype=torch.float64), torch.randn(2, 6, dtype=torch.float64)
    low = SCHEDULE.tau_range[0]
    below, above = (velocity_from_epsilon(x, eps, low + step, SCHEDULE) for step in (-1e-9, 1e-9))
    torch.testing.assert_close(below, above, atol=1e-5, rtol=1e-6)
