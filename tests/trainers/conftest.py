"""Tiny models, a random judge and a few pairs, made once and shared by the trainers' tests."""

from pathlib import Path

import pytest
import torch

from rf_app.metrics.judge import Judge
from rf_app.settings.training import Pairs
from tests.tiny import build_tiny
from tests.trainers.commands import Command, in_process
from trainers import pairs


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
