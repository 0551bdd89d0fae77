"""The scheduler against closed-form flows, against the solvers, and inside the stock pipeline."""

import pytest
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline

from rf_app.errors import UserError
from rf_app.flow.conversion import velocity_from_epsilon
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from tests.flow.flows import gaussian, gaussian_path
from tests.tiny import BETAS, load


def sample(scheduler, predict, x, steps):
    """The loop of the stock pipelines. predict: (scaled input, timestep) -> what the U-Net would say."""
    scheduler.set_timesteps(steps)
    for t in scheduler.timesteps:
        x = scheduler.step(predict(scheduler.scale_model_input(x, t), t), t, x, return_dict=False)[0]
    return x


def epsilon_predictor(scheduler, mean, deviation):
    """The best epsilon a network could predict for data from N(mean, deviation^2): E[eps | z]."""
    abar = torch.cumprod(1 - torch.linspace(0.00085**0.5, 0.012**0.5, 1000, dtype=torch.float64) ** 2, 0)

    def predict(z, t):
        below, above = int(t), min(int(t) + 1, 999)
        share = float(t) - below
        ratio = ((1 - abar) / abar).sqrt()
        noise = float((1 - share) * ratio[below] + share * ratio[above])  # sigma / alpha between two entries
        alpha, sigma = 1 / (1 + noise**2) ** 0.5, noise / (1 + noise**2) ** 0.5
        variance = alpha**2 * deviation**2 + sigma**2
        return sigma * (z - alpha * mean) / variance

    return predict


@pytest.mark.parametrize("steps", [1, 3, 25])
def test_constant_velocity_arrives_exactly(steps):
    x0, x1 = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    torch.testing.assert_close(sample(RectifiedFlowScheduler(), lambda x, t: x1 - x0, x0, steps), x1)


def test_a_flow_matching_checkpoint_has_the_other_sign():
    x0, x1 = torch.randn(2, 4, 3, 3), torch.randn(2, 4, 3, 3)
    scheduler = RectifiedFlowScheduler(prediction_type="flow_prediction")
    torch.testing.assert_close(sample(scheduler, lambda x, t: x0 - x1, x0, 3), x1)
    with pytest.raises(UserError, match="predicts x0 - x1"):  # a velocity field of its U-Net runs backwards
        schedule_of(scheduler)


def test_timesteps_run_from_1000_down():
    scheduler = RectifiedFlowScheduler()
    scheduler.set_timesteps(4)
    assert scheduler.timesteps.tolist() == [1000, 750, 500, 250]
    assert scheduler.init_noise_sigma == 1.0


def test_gaussian_flow_converges_to_the_closed_form():
    x0 = torch.linspace(-2, 2, 8).reshape(1, 8)
    velocity = gaussian(1.5, 0.4)
    end = sample(RectifiedFlowScheduler(), lambda x, t: velocity(x, 1 - float(t) / 1000), x0, 1000)
    torch.testing.assert_close(end, gaussian_path(x0, 1.0, 1.5, 0.4), atol=2e-3, rtol=0)


def test_epsilon_model_follows_the_same_flow():
    """Exact epsilons of Gaussian data give the same flow as exact velocities, but for the clamped ends."""
    x0 = torch.linspace(-2, 2, 8).reshape(1, 8)
    scheduler = RectifiedFlowScheduler(prediction_type="epsilon")
    end = sample(scheduler, epsilon_predictor(scheduler, 1.5, 0.4), x0, 1000)
    torch.testing.assert_close(end, gaussian_path(x0, 1.0, 1.5, 0.4), atol=2e-2, rtol=0)


@torch.no_grad()
def test_one_epsilon_step_is_the_model_s_picture_of_the_bare_noise():
    """One step from tau = 0 lands on x1 = (z - sigma eps) / alpha at t = 999, as one DDIM step does."""
    x0, eps = torch.randn(2, 4, dtype=torch.float64), torch.randn(2, 4, dtype=torch.float64)
    scheduler = RectifiedFlowScheduler(prediction_type="epsilon")
    ddim = DDIMScheduler(**BETAS, clip_sample=False, set_alpha_to_one=True)
    ddim.set_timesteps(1)
    predicted = ddim.step(eps, 999, x0).pred_original_sample
    torch.testing.assert_close(sample(scheduler, lambda z, t: eps, x0, 1), predicted, atol=1e-4, rtol=1e-4)


def test_many_epsilon_steps_share_the_clamped_timestep_and_still_advance():
    scheduler = RectifiedFlowScheduler(prediction_type="epsilon")
    scheduler.set_timesteps(50)
    assert scheduler.timesteps[:4].tolist() == [999, 999, 999, 999]
    assert bool((scheduler.timesteps[4:].diff() < 0).all())
    x0 = torch.linspace(-2, 2, 8).reshape(1, 8)
    end = sample(scheduler, epsilon_predictor(scheduler, 1.5, 0.4), x0, 50)
    torch.testing.assert_close(end, gaussian_path(x0, 1.0, 1.5, 0.4), atol=0.1, rtol=0)


def test_half_precision_is_only_rounded_at_the_end_of_a_step():
    x0, eps = torch.randn(4, 64).half(), torch.randn(4, 64).half()
    scheduler = RectifiedFlowScheduler(prediction_type="epsilon")
    scheduler.set_timesteps(1)
    end = scheduler.step(eps, scheduler.timesteps[0], x0).prev_sample
    assert end.dtype == torch.float16
    assert torch.equal(
        end, (x0 + velocity_from_epsilon(x0.double(), eps.double(), 0.0, scheduler.schedule)).half()
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prediction_type": "v"}, "'velocity', 'flow_prediction', 'epsilon'"),
        ({"num_train_timesteps": 500}, "takes 1000"),
        ({"shift": 0}, "shift is 0; expected a number in 0.01..100"),
        ({"prediction_type": "epsilon", "beta_schedule": "cosine"}, "'scaled_linear' or 'linear'"),
    ],
)
def test_settings_it_does_not_have(settings, message):
    with pytest.raises(UserError, match=message):
        RectifiedFlowScheduler(**settings)


@torch.no_grad()
@pytest.mark.parametrize("guidance", [1.0, 1.5])
def test_the_stock_pipeline_is_an_euler_solve_of_the_velocity_field(tiny_registry, guidance):
    stock = load(tiny_registry, "tiny-2rf")
    embeds, null = stock.encode_prompt("a lake", "cpu", 1, True, negative_prompt="night")
    x0 = torch.randn(1, 8, 12, 12)
    found = stock(
        "a lake",
        negative_prompt="night",
        latents=x0,
        num_inference_steps=3,
        guidance_scale=guidance,
        output_type="latent",
    ).images
    expected = euler(velocity_field(stock.unet, embeds, null, guidance), x0, uniform_taus(3)).x
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@torch.no_grad()
def test_epsilon_scheduler_in_the_stock_pipeline_with_a_diffusion_model(tiny_registry):
    stock = load(tiny_registry, "tiny-sd")
    stock.scheduler = RectifiedFlowScheduler(prediction_type="epsilon")
    embeds, null = stock.encode_prompt("a lake", "cpu", 1, True, negative_prompt="")
    x0 = torch.randn(1, 8, 12, 12)
    found = stock(
        "a lake", latents=x0, num_inference_steps=3, guidance_scale=3.0, output_type="latent"
    ).images
    field = velocity_field(stock.unet, embeds, null, 3.0, stock.scheduler.schedule)
    torch.testing.assert_close(found, euler(field, x0, uniform_taus(3)).x, atol=1e-3, rtol=1e-3)


def test_saved_in_a_pipeline_and_found_again(tiny_registry, tmp_path):
    stock = load(tiny_registry, "tiny-2rf")
    stock.scheduler = RectifiedFlowScheduler(prediction_type="epsilon", beta_end=0.02)
    stock.save_pretrained(tmp_path / "whole")
    again = StableDiffusionPipeline.from_pretrained(tmp_path / "whole")
    assert type(again.scheduler) is RectifiedFlowScheduler
    assert again.scheduler.config.prediction_type == "epsilon"
    assert again.scheduler.schedule.tau_range == stock.scheduler.schedule.tau_range
    pictures = [
        p(
            "a lake", num_inference_steps=2, generator=torch.Generator().manual_seed(3), output_type="np"
        ).images
        for p in (stock, again)
    ]
    assert (pictures[0] == pictures[1]).all()
