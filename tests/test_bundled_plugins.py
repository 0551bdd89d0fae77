"""The bundled LoRAs and ControlNet against the figures they must reach, on prompts that no card is about."""

import json
from pathlib import Path

import pytest

from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import Loras
from rf_app.registry.models import BUNDLED, Registry
from trainers import evaluate_controlnet, evaluate_lora

STYLES = ("woodcut", "neon")
FIRST = 700_000
MEGABYTE = 2**20


def test_they_are_whole_and_light() -> None:
    registry = Registry([BUNDLED])
    loras, controlnets = Loras.beside(registry), ControlNets.beside(registry)
    assert loras.problems() == controlnets.problems() == {}
    assert {card.trigger for card in loras.cards()} == set(STYLES)
    assert [card.preprocessor for card in controlnets.cards()] == ["canny"]
    assert all(card.measured for card in (*loras.cards(), *controlnets.cards()))
    for file in (BUNDLED.parent / "loras").rglob("*.safetensors"):
        assert file.stat().st_size < MEGABYTE


@pytest.mark.slow
@pytest.mark.parametrize("style", STYLES)
def test_a_style_reaches_the_one_step_model(
    style: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    evaluate_lora.main(
        evaluate_lora.EvaluateLoraConfig(
            lora=f"pocket-{style}",
            style=style,
            model=("pocket-sd:25", "pocket-instaflow:1"),
            strength=(1.0,),
            prompts=100,
            seed=FIRST,
            json=tmp_path / "rows.json",
        )
    )
    rows = [row for row in json.loads((tmp_path / "rows.json").read_text()) if row["strength"] == 1]
    teacher, one, _ = rows  # and the drawings
    assert teacher["style_shift"] > 0.2
    assert one["style_shift"] >= 0.7 * teacher["style_shift"]
    assert one["fidelity"] >= teacher["fidelity"] - 0.05


@pytest.mark.slow
def test_the_one_step_model_follows_edges(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    evaluate_controlnet.main(
        evaluate_controlnet.EvaluateControlNetConfig(
            controlnet="pocket-controlnet-canny",
            model=("pocket-sd:25", "pocket-instaflow:1"),
            prompts=100,
            seed=FIRST,
            json=tmp_path / "rows.json",
        )
    )
    teacher, one = json.loads((tmp_path / "rows.json").read_text())
    assert teacher["gain"] > 0.1
    assert one["gain"] >= 0.8 * teacher["gain"]
