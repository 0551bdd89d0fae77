"""Tiny models, a random judge and a few pairs, made once and shared by the trainers' tests."""

from pathlib import Path

import pytest
import torch

from rf_app.metrics.judge import Judge
from rf_app.settings.training import Pairs
from tests.tiny import build_tiny
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
