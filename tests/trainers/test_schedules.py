"""Teachers of every noise schedule: trained, published and drawn at the same times, or refused before."""

import json
import shutil
from pathlib import Path

import pytest
import torch
from diffusers import DPMSolverMultistepScheduler

from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from tests.trainers.commands import Command
from trainers import reflow
from trainers.common.models import load_frozen

ODD = {
    "zero terminal SNR": {"prediction_type": "v_prediction", "rescale_betas_zero_snr": True},
    "cosine": {"beta_schedule": "squaredcos_cap_v2"},
    "cosine of v": {"beta_schedule": "squaredcos_cap_v2", "prediction_type": "v_prediction"},
    "epsilon to pure noise": {"rescale_betas_zero_snr": True},
    "betas of its own": {"trained_betas": torch.linspace(1e-4, 0.03, 1000).tolist()},
}
REFUSED = {
    "'sample'": {"prediction_type": "sample"},
    "num_train_timesteps is 500": {"num_train_timesteps": 500},
}


@pytest.fixture
def odd(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    """An $INSTAFLOW_HOME whose tiny-sd has the scheduler of the test's parameter."""
    shutil.copytree(home / "models" / "tiny-sd", tmp_path / "models" / "tiny-sd")
    config = tmp_path / "models" / "tiny-sd" / "scheduler" / "scheduler_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | request.param))
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    return tmp_path


def two_steps(pairs: Path) -> tuple:
    """The options of a short reflow."""
    return ("--teacher", "tiny-sd", "--pairs", pairs, "--output", "flow", "--steps", 2, "--batch", 4)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD, indirect=True)
def test_the_flow_is_drawn_at_the_times_it_was_trained_at(odd: Path, home: Path, works: Command) -> None:
    works(reflow, *two_steps(home / "pairs"))
    teacher, flow = (load_frozen(Registry.default(), id) for id in ("tiny-sd", "flow"))
    assert isinstance(teacher.scheduler, DPMSolverMultistepScheduler)
    own, carried = schedule_of(teacher.scheduler), flow.scheduler.schedule
    taus = torch.linspace(0, 1, 50)
    assert torch.allclose(carried.timestep(taus), own.timestep(taus), atol=0.02)
    x, output = torch.randn(2, 50, 3)
    velocities = [schedule.velocity(x, output, taus) for schedule in (carried, own)]
    assert torch.allclose(*velocities, rtol=1e-3, atol=1e-3)
    assert torch.isfinite(velocities[0]).all()
    drawn = flow("a lake", num_inference_steps=2, guidance_scale=1.5, output_type="latent").images
    assert torch.isfinite(drawn).all()


@pytest.mark.parametrize(("odd", "said"), [(v, k) for k, v in REFUSED.items()], indirect=["odd"], ids=REFUSED)
def test_what_cannot_be_carried_on_is_refused_before_training(
    odd: Path, home: Path, said: str, refused: Command
) -> None:
    refused(said, reflow, *two_steps(home / "pairs"))
    assert not (odd / "runs").exists()
