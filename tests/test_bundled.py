"""The bundled models against the figures they must reach, on a smaller sample than the README's."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.metrics.judge import BUNDLED as JUDGE
from rf_app.metrics.judge import Judge
from rf_app.registry.folders import BUNDLED, Registry
from trainers import evaluate
from trainers.pocket.judge import accuracies, labels, reconstructions
from trainers.pocket.pictures import pictures
from trainers.pocket.world import HELD_OUT

ASSETS = BUNDLED.parent
COUNT = 200
FIRST = HELD_OUT + 700_000  # other seeds than the README's

trained = pytest.mark.skipif(not BUNDLED.is_dir(), reason="no bundled model is here")


@pytest.fixture(scope="module")
def drawings() -> np.ndarray:
    return pictures(COUNT, FIRST)


def test_the_assets_stay_light() -> None:
    assert sum(file.stat().st_size for file in ASSETS.rglob("*") if file.is_file()) < 50e6


@trained
def test_every_bundled_model_is_whole() -> None:
    registry = Registry([BUNDLED])
    assert registry.problems() == {}
    assert "pocket-sd" in [card.id for card in registry.cards()]


def test_the_judge_knows_fresh_drawings(drawings: np.ndarray) -> None:
    found = accuracies(Judge.load(JUDGE), drawings, labels(range(FIRST, FIRST + COUNT)))
    assert set(found) == set(ATTRIBUTES)
    assert min(found.values()) >= 0.98, found


def test_the_judge_knows_reconstructions(drawings: np.ndarray) -> None:
    vae = AutoencoderKL.from_pretrained(ASSETS / "autoencoder").eval()
    found = accuracies(Judge.load(JUDGE), reconstructions(vae, drawings), labels(range(FIRST, FIRST + COUNT)))
    assert min(found.values()) >= 0.96, found


@trained
def test_a_stock_pipeline_draws_what_the_prompt_says() -> None:
    pipe = StableDiffusionPipeline.from_pretrained(str(BUNDLED / "pocket-sd"))
    pipe.set_progress_bar_config(disable=True)
    images = pipe(
        ["a red tent in the desert at night"] * 8, num_inference_steps=25, guidance_scale=3.0
    ).images
    wanted = {"land": "desert", "time": "night", "object": "tent", "colour": "red"}
    truth = {name: torch.full((8,), ATTRIBUTES[name].index(kind)) for name, kind in wanted.items()}
    found = accuracies(Judge.load(JUDGE), np.stack([np.asarray(image) for image in images]), truth)
    assert np.mean(list(found.values())) >= 0.9, found


@trained
def test_the_teacher_is_faithful(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    file = tmp_path / "figures.json"
    evaluate.main(evaluate.EvaluateConfig(("pocket-sd",), prompts=COUNT, seed=700_000, json=file))
    assert json.loads(file.read_text())["fidelity"]["mean"] >= 0.93
