"""What imports begin with: an application without models, and a model in somebody's folder or file."""

import shutil
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from rf_app.actions.application import Application
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.models import Registry
from tests.single_file import save_single_file


@pytest.fixture
def app(database, tmp_path, monkeypatch):
    """One with an empty folder of models, as a process of its own finds it, too."""
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "home"))
    found = replace(Application.on(Registry.default(tmp_path / "models"), "cpu"), jobs=database)
    yield found
    found.worker.close()


@pytest.fixture
def elsewhere(tiny_models, tmp_path):
    """tiny-sd as it may lie in anybody's folder: other file names, no card of ours, and things beside it."""
    folder = tmp_path / "elsewhere" / "My Model (v2)"
    shutil.copytree(tiny_models / "tiny-sd", folder)
    (folder / "README.md").write_text("---\nlicense: [mit, 'cc-by-4.0']  # two\n---\n# Somebody's\n")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04 a pickle")
    (folder / "safety_checker").mkdir()
    (folder / "run-me.py").write_text("raise SystemExit('run')")
    weights = folder / "vae" / WEIGHTS["vae"]
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    return folder


@pytest.fixture
def whole(tiny_models, tmp_path, shape):
    """Every tensor of tiny-sd, in the names of the original code."""
    path = tmp_path / "whole.safetensors"
    source = tiny_models / "tiny-sd"
    save_single_file({piece: source / piece for piece in ("unet", "vae", "text_encoder")}, path)
    return load_file(path)
