"""Tiny models, a random judge and a few pairs, made once and shared by the trainers' tests."""

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest
import torch
from safetensors.torch import load_file

from rf_app.metrics.judge import Judge
from rf_app.settings.training import Pairs
from tests.processes import command
from tests.tiny import build_tiny
from tests.trainers.commands import Command, in_process
from trainers import pairs
from trainers.common import checkpoints


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An $INSTAFLOW_HOME with the tiny models, judge/ and 40 pairs of tiny-sd in pairs/."""
    folder = tmp_path_factory.mktemp("home")
    build_tiny(folder / "models")
    torch.manual_seed(0)
    Judge().save(folder / "judge")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("INSTAFLOW_HOME", str(folder))
        made = {"count": 40, "steps": 2, "batch": 16, "shard": 16}
        pairs.main(Pairs(teacher="tiny-sd", output=folder / "pairs", **made))
    return folder


@pytest.fixture
def at_home(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The same, with the environment pointing at it."""
    monkeypatch.setenv("INSTAFLOW_HOME", str(home))
    return home


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Runs a command to its good end."""

    def works(module: object, *options: object) -> None:
        assert in_process(module, options, monkeypatch) == 0

    return works


@pytest.fixture
def refused(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> Command:
    """Runs a command that ends with code 2 and says why."""

    def refused(said: str, module: object, *options: object) -> None:
        assert in_process(module, options, monkeypatch) == 2
        assert said in " ".join(capsys.readouterr().err.split())  # it is wrapped

    return refused


@pytest.fixture
def survives(at_home: Path, works: Command, capfd: pytest.CaptureFixture) -> Callable[..., str]:
    """Kills a training on its way, and sees it go on to the very weights of one that nobody disturbs."""

    def survives(
        trainer: ModuleType, options: Callable[[str], tuple], store: str, weights: str, stage: str = ""
    ) -> str:
        """What both said. options: of a training with this output, which goes to `store`; stage: the one to
        kill it in.
        """
        command_name = trainer.__name__.removeprefix("trainers.")
        run = at_home / "runs" / command_name / "killed" / stage
        process = command(at_home, command_name, *options("killed"))
        process.wait_until(lambda: checkpoints.steps_done(run) >= 2)
        process.kill()
        assert not (at_home / store / "killed").exists()
        for name in ("killed", "whole"):
            works(trainer, *options(name))
        said = capfd.readouterr().out
        assert f"resuming {run} " in said
        killed, whole = (load_file(at_home / store / name / weights) for name in ("killed", "whole"))
        assert all(torch.equal(killed[name], whole[name]) for name in whole)
        return said

    return survives
