"""The way from noise to a picture: closed forms, and what is recorded of real models."""

import math

import numpy as np
import pytest
import torch

from rf_app.errors import UserError
from rf_app.flow.path import uniform_taus
from rf_app.pipeline.trajectory import Recorder, look_back
from rf_app.pipeline.turns import Step, result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.picture import PictureSettings
from tests.flow.flows import gaussian, gaussian_path

MODELS = ["tiny-sd", "tiny-2rf", "tiny-instaflow"]


@pytest.fixture(scope="module")
def worker(tiny_models):
    worker = Worker(Registry([tiny_models]), device="cpu")
    yield worker
    worker.close()


def follow(worker, frames=6, **values):
    """The picture and what a recorder has seen of it."""
    recorder = Recorder(frames)
    settings = PictureSettings(**({"prompt": "a lake", "model": "tiny-2rf"} | values))
    return result_of(worker.draw(settings, observe=recorder)), recorder


def solve(velocity, noise, steps, frames):
    """Euler's method, looked back at."""
    points, velocities = [noise], []
    for tau in uniform_taus(steps)[:-1]:
        velocities.append(velocity(points[-1], tau))
        points.append(points[-1] + velocities[-1] / steps)
    return look_back(points, velocities, frames)


def test_a_straight_flow_foresees_its_end_from_the_start():
    noise, end = torch.randn(2, 1, 3, 4, 4, dtype=torch.float64)
    found = solve(lambda x, tau: end - noise, noise, steps=10, frames=6)
    assert found.taus == (0, 0.2, 0.4, 0.6, 0.8, 1)
    torch.testing.assert_close(found.estimates, end.expand(6, -1, -1, -1))
    assert found.curve == pytest.approx([0] * 10, abs=1e-20)
    assert [x for x, _ in found.path] == pytest.approx([i / 10 for i in range(11)])
    assert [y for _, y in found.path] == pytest.approx([0] * 11, abs=1e-9)
    assert found.miss == pytest.approx(0, abs=1e-12)


def test_a_rotation():
    """v = w J x turns by w in all: |v| = w r, the chord is 2 r sin(w/2), and the start sees w r ahead.

    So the curve is (w r)^2 + chord^2 - 2 (w r) chord cos(w tau - w/2), the arc's height over its chord
    tan(w/4) / 2, and miss^2 is that curve at 0 over the chord^2.
    """
    turn, steps = math.pi / 2, 4000
    noise = torch.tensor([[[[2.0, 0.0]]]], dtype=torch.float64)
    spin = torch.tensor([[0, turn], [-turn, 0]], dtype=torch.float64)
    found = solve(lambda x, tau: x @ spin, noise, steps, frames=3)
    speed, chord = turn * 2, 2 * 2 * math.sin(turn / 2)
    curve = [
        speed**2 + chord**2 - 2 * speed * chord * math.cos(turn * (i / steps - 0.5)) for i in range(steps)
    ]
    assert found.curve == pytest.approx(curve, rel=5e-3, abs=5e-3)
    assert max(y for _, y in found.path) == pytest.approx(math.tan(turn / 4) / 2, rel=1e-3)
    assert found.path[steps // 2][0] == pytest.approx(0.5, abs=1e-3)
    assert found.miss == pytest.approx(math.sqrt(curve[0]) / chord, rel=1e-3)


def test_estimates_of_the_flow_between_gaussians():
    """What is foreseen is x + (1 - tau) v on a path known in closed form."""
    noise = torch.randn(1, 8, dtype=torch.float64)
    flow = gaussian(2.0, 0.5)
    found = solve(flow, noise, steps=2000, frames=5)
    for estimate, tau in zip(found.estimates, found.taus, strict=True):
        x = gaussian_path(noise[0], tau, 2.0, 0.5)
        torch.testing.assert_close(estimate, x + (1 - tau) * flow(x, tau), rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("steps", "frames", "taus"), [(1, 6, (0, 1)), (2, 6, (0, 0.5, 1)), (8, 2, (0, 1))])
def test_there_are_no_more_pictures_than_moments(steps, frames, taus):
    found = solve(lambda x, tau: x + 1, torch.randn(1, 4), steps, frames)
    assert found.taus == taus
    assert len(found.estimates) == len(taus)
    assert (len(found.curve), len(found.path)) == (steps, steps + 1)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("steps", [1, 3])
def test_the_last_picture_is_the_one_that_is_drawn(worker, model, steps):
    drawn, recorder = follow(worker, model=model, steps=steps, seed=9)
    assert recorder.images[-1].tobytes() == drawn.image.tobytes()
    if model != "tiny-sd":  # whose own path is a curved one
        same = result_of(worker.draw(PictureSettings("a lake", model, steps, seed=9))).image
        levels = np.abs(np.asarray(drawn.image).astype(int) - np.asarray(same).astype(int))
        assert levels.max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_what_is_recorded(worker, model):
    drawn, recorder = follow(worker, model=model, steps=10, seed=2, prompt=" a dragon near a lake ")
    found = recorder.trajectory
    assert drawn.settings.guidance == worker.registry.card(model).guidance
    assert found.taus == (0, 0.2, 0.4, 0.6, 0.8, 1)
    assert [image.size for image in recorder.images] == [(96, 96)] * 7  # the noise is the first
    assert (len(found.curve), len(found.path)) == (10, 11)
    assert found.straightness == pytest.approx(sum(found.curve) / 10)
    assert found.straightness > 0
    assert found.path[0] == pytest.approx((0, 0), abs=1e-9)
    assert found.path[-1] == pytest.approx((1, 0), abs=1e-9)
    assert drawn.unknown_words == ("dragon",)


def test_watching_a_picture_leaves_no_trace_in_the_next(worker):
    plain = result_of(worker.draw(PictureSettings("a lake", "tiny-sd"))).image.tobytes()
    watched, _ = follow(worker, model="tiny-sd")
    assert watched.image.tobytes() != plain  # Euler's method on the straight path, not the model's own
    assert result_of(worker.draw(PictureSettings("a lake", "tiny-sd"))).image.tobytes() == plain


def test_seed_guidance_and_prompt_matter_and_nothing_else(worker):
    first = follow(worker, steps=3)[1].trajectory
    assert follow(worker, steps=3, solver="heun")[1].trajectory.curve == first.curve
    for change in ({"seed": 1}, {"guidance": 6.0}, {"prompt": "a tent"}, {"negative_prompt": "a tent"}):
        assert follow(worker, steps=3, **change)[1].trajectory.curve != first.curve


def test_it_ends_with_who_asked(worker):
    recorder = Recorder(3)
    turn = worker.draw(PictureSettings("a lake", "tiny-2rf", 100), observe=recorder)
    while next(turn) != Step(1, 100):
        pass
    turn.close()
    result_of(worker.draw(PictureSettings("a lake", "tiny-instaflow")))
    assert recorder.trajectory is None


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"steps": 0}, "steps is 0"),
        ({"model": "no-such"}, "no model 'no-such'"),
    ],
)
def test_what_cannot_be_is_named(worker, values, message):
    with pytest.raises(UserError, match=message):
        follow(worker, **values)


def test_a_model_of_another_kind_is_refused_with_its_kind(worker):
    scheduler = worker._turns.wait_for(lambda: worker._models.get("tiny-sd")).pipeline.scheduler
    other = type(scheduler).from_config(scheduler.config, prediction_type="sample")
    with pytest.raises(UserError, match="'sample'"):
        schedule_of(other)
