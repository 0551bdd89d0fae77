"""A U-Net as a velocity field: times, guidance and the epsilon form, on a tiny real U-Net."""

import pytest
import torch

from rf_app.flow.conversion import velocity_from_epsilon
from rf_app.flow.velocity import velocity_field
from tests.flow.test_conversion import SCHEDULE
from tests.tiny import tiny_unet


@pytest.fixture(scope="module")
def unet():
    return tiny_unet(7).eval()


@pytest.fixture(scope="module")
def inputs():
    torch.manual_seed(0)
    return torch.randn(2, 8, 12, 12), torch.randn(2, 32, 32), torch.randn(1, 32, 32)


def call(unet, x, timestep, embeds):
    return unet(x, timestep, encoder_hidden_states=embeds, return_dict=False)[0]


@torch.no_grad()
def test_velocity_model_is_called_at_1000_times_one_minus_tau(unet, inputs):
    x, embeds, _ = inputs
    torch.testing.assert_close(velocity_field(unet, embeds)(x, 0.25), call(unet, x, 750.0, embeds))


@torch.no_grad()
def test_each_sample_has_its_tau(unet, inputs):
    x, embeds, _ = inputs
    velocity = velocity_field(unet, embeds)
    both = velocity(x, torch.tensor([0.0, 0.6]))
    torch.testing.assert_close(both[:1], call(unet, x[:1], 1000.0, embeds[:1]))
    torch.testing.assert_close(both[1:], call(unet, x[1:], 400.0, embeds[1:]))


@torch.no_grad()
def test_guidance_extrapolates_from_the_empty_text(unet, inputs):
    x, embeds, null = inputs
    with_text, without = call(unet, x, 500.0, embeds), call(unet, x, 500.0, null.expand(2, -1, -1))
    guided = velocity_field(unet, embeds, null, guidance=1.5)(x, 0.5)
    torch.testing.assert_close(guided, without + 1.5 * (with_text - without))
    torch.testing.assert_close(velocity_field(unet, embeds, null, guidance=0.0)(x, 0.5), without)


@torch.no_grad()
@pytest.mark.parametrize("tau", [0.0, 0.3, 0.9])
def test_epsilon_model_is_called_at_the_same_signal_to_noise_ratio(unet, inputs, tau):
    x, embeds, null = inputs
    z, t = SCHEDULE.scale(tau) * x, SCHEDULE.timestep(tau)
    with_text, without = call(unet, z, t, embeds), call(unet, z, t, null.expand(2, -1, -1))
    expected = velocity_from_epsilon(x, without + 3 * (with_text - without), tau, SCHEDULE)
    found = velocity_field(unet, embeds, null, guidance=3.0, schedule=SCHEDULE)(x, tau)
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-4)


def test_gradients_reach_the_weights(unet, inputs):
    x, embeds, _ = inputs
    velocity_field(unet, embeds, schedule=SCHEDULE)(x, torch.tensor([0.0, 0.5])).square().mean().backward()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in unet.parameters())
    unet.zero_grad(set_to_none=True)
