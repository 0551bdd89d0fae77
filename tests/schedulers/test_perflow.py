"""PeRFlow's sampler against the constants of its paper, and on paths that are straight in every window."""

import pytest
import torch

from rf_app.errors import UserError
from rf_app.schedulers.perflow import PeRFlowScheduler

ABAR = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)
CONSTANTS = [(3.4858, -3.3393), (2.2145, -1.9758), (1.5596, -1.1969), (1.2163, -0.6923)]  # lambda, eta


def test_the_constants_of_stable_diffusion():
    scheduler = PeRFlowScheduler()
    found = [scheduler.window(number) for number in range(4)]
    assert [(start, end) for start, end, _, _ in found] == [(1, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0)]
    for (_, _, grown, eta), expected in zip(found, CONSTANTS, strict=True):
        assert (grown, eta) == pytest.approx(expected, abs=5e-5)


def test_ddim_eps_is_where_ddim_goes_in_one_step():
    """With the true epsilon the window's end is DDIM's from its start: x1 and eps stay what they are."""
    scheduler = PeRFlowScheduler(prediction_type="ddim_eps")
    picture, eps = torch.randn(2, 1, 4, 3, 3, dtype=torch.float64)
    for number, at in enumerate(((999, 749), (749, 499), (499, 249), (249, 0))):
        z_start, z_end = (ABAR[i].sqrt() * picture + (1 - ABAR[i]).sqrt() * eps for i in at)
        _, _, grown, eta = scheduler.window(number)
        torch.testing.assert_close(grown * z_start + eta * eps, z_end)


@pytest.mark.parametrize("steps", [4, 5, 7, 8, 25])
@pytest.mark.parametrize("prediction", ["ddim_eps", "diff_eps", "velocity"])
def test_a_path_of_straight_windows_is_followed_to_its_end(prediction, steps):
    """However many steps: what the network says in a window leads from its start to its end."""
    scheduler = PeRFlowScheduler(prediction_type=prediction)
    corners = torch.randn(5, 1, 4, 3, 3, dtype=torch.float64)

    def says(t):
        number = next(i for i in range(4) if t > 1000 * scheduler.window(i)[1])
        start, end, grown, eta = scheduler.window(number)
        z_start, z_end = corners[number : number + 2]
        if prediction == "velocity":
            return (z_end - z_start) / (end - start)
        return (z_end - grown * z_start) / eta

    scheduler.set_timesteps(steps)
    z = corners[0]
    for t in scheduler.timesteps:
        z = scheduler.step(says(int(t)), t, scheduler.scale_model_input(z, t)).prev_sample
    torch.testing.assert_close(z, corners[4], atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("steps", [4, 6, 16])
@pytest.mark.parametrize("prediction", ["ddim_eps", "diff_eps", "velocity"])
def test_windows_end_where_the_exact_ode_of_a_gaussian_does(prediction, steps):
    """Data from N(m, d^2): the probability flow keeps (z - alpha m) / deviation of z. In a window the network
    says the straight way from its start to where that ODE leads, all that it can see being z and t.
    """
    scheduler = PeRFlowScheduler(prediction_type=prediction)
    mean, deviation = 1.5, 0.4

    def at(s):
        """Mean and deviation of z at a window's bound."""
        each = ABAR[max(int(1000 * s) - 1, 0)]
        return each.sqrt() * mean, (each * deviation**2 + 1 - each).sqrt()

    def says(z, t):
        number = next(i for i in range(4) if t > 1000 * scheduler.window(i)[1])
        start, end, grown, eta = scheduler.window(number)
        (mean_0, deviation_0), (mean_1, deviation_1) = at(start), at(end)
        share = (t / 1000 - start) / (end - start)
        score = (z - (1 - share) * mean_0 - share * mean_1) / (
            (1 - share) * deviation_0 + share * deviation_1
        )
        z_start, z_end = mean_0 + score * deviation_0, mean_1 + score * deviation_1
        return (
            (z_end - z_start) / (end - start) if prediction == "velocity" else (z_end - grown * z_start) / eta
        )

    scheduler.set_timesteps(steps)
    noise = torch.linspace(-2, 2, 9, dtype=torch.float64)
    z = at(1)[0] + noise * at(1)[1]
    for t in scheduler.timesteps:
        z = scheduler.step(says(z, int(t)), t, z).prev_sample
    torch.testing.assert_close(z, at(0)[0] + noise * at(0)[1], atol=1e-9, rtol=1e-9)


def test_steps_are_shared_out_the_remainder_early():
    scheduler = PeRFlowScheduler()
    scheduler.set_timesteps(6)
    assert scheduler.timesteps.tolist() == [1000, 875, 750, 625, 500, 250]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prediction_type": "epsilon"}, "expected one of ddim_eps"),
        ({"num_time_windows": 0}, "num_time_windows is 0"),
        ({"num_time_windows": "4"}, "num_time_windows is '4'"),
        ({"num_train_timesteps": 999}, "takes 1000"),
        ({"beta_schedule": "cosine"}, "expected 'scaled_linear'"),
    ],
)
def test_what_it_does_not_have_is_named(settings, message):
    with pytest.raises(UserError, match=message):
        PeRFlowScheduler(**settings)


def test_fewer_steps_than_windows_are_refused():
    with pytest.raises(UserError, match="steps is 3; this model takes 4 or more"):
        PeRFlowScheduler().set_timesteps(3)
