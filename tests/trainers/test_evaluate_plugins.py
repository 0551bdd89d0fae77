"""Measuring a LoRA and a ControlNet: what the commands print and write, on the tiny models."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from rf_app.registry.card import read_card, write_card
from rf_app.registry.controlnets import ControlNetCard
from rf_app.registry.loras import LoraCard, Loras
from rf_app.registry.models import Registry
from tests.tiny import tiny_unet
from tests.trainers.commands import Command
from trainers import evaluate_controlnet, evaluate_lora
from trainers.controlnet import controlnet_of
from trainers.evaluate_controlnet import drawn_line, followed_share
from trainers.lora import add_lora
from trainers.lora import save as save_lora

MODELS = ("--model", "tiny-sd:2", "tiny-instaflow")


@pytest.fixture
def plugged(home: Path, at_home: Path) -> Path:
    """A LoRA and a ControlNet of random weights beside the tiny models."""
    unet = tiny_unet(3)
    add_lora(unet, ("attention",), 2, 0)
    torch.manual_seed(0)
    for name, parameter in unet.named_parameters():
        if "lora_B" in name:
            parameter.data.normal_()
    (home / "loras" / "random").mkdir(parents=True, exist_ok=True)
    save_lora(unet, "neon", home / "loras" / "random")
    write_card(home / "loras" / "random", LoraCard("random", "Random", trigger="neon"))
    net = controlnet_of(tiny_unet(3))
    for name, parameter in net.named_parameters():
        if "controlnet_down_blocks" in name:
            parameter.data.normal_()
    net.half().save_pretrained(home / "controlnets" / "random")
    card = ControlNetCard("random", "Random", preprocessor="canny")
    write_card(home / "controlnets" / "random", card)
    return home


def test_a_lora_s_figures(plugged: Path, tmp_path: Path, works: Command) -> None:
    """A row for each model and strength; without the LoRA nothing has moved; the sheet and the card agree."""
    written = ("--json", tmp_path / "rows.json", "--sheet", tmp_path / "sheet.png", "--write-card")
    own = ("--lora", "random", "--style", "neon", "--prompts", 4, "--judge", plugged / "judge")
    works(evaluate_lora, *own, *MODELS, *written)
    rows = json.loads((tmp_path / "rows.json").read_text())
    expected = [(model, s) for model in ("tiny-sd 2 steps", "tiny-instaflow 1 step") for s in (0, 0.5, 1)]
    assert [(row["model"], row["strength"]) for row in rows] == [*expected, ("drawings in the style", 1)]
    assert [row["style_shift"] for row in rows if row["strength"] == 0] == [0, 0]
    assert all(row["style_shift"] != 0 for row in rows if row["strength"])
    measured = Loras.beside(Registry.default()).card("random").measured
    figures = measured["tiny-instaflow 1 step, strength 1"]
    assert figures["style_shift"] == pytest.approx(rows[-2]["style_shift"], abs=1e-4)
    assert measured["measured_on"]["prompts"] == 4
    assert (tmp_path / "sheet.png").exists()


def test_a_controlnet_s_figures(plugged: Path, tmp_path: Path, works: Command) -> None:
    written = ("--json", tmp_path / "rows.json", "--sheet", tmp_path / "sheet.png", "--write-card")
    own = ("--controlnet", "random", "--prompts", 4, "--judge", plugged / "judge")
    works(evaluate_controlnet, *own, *MODELS, *written)
    rows = json.loads((tmp_path / "rows.json").read_text())
    assert [row["model"] for row in rows] == ["tiny-sd 2 steps", "tiny-instaflow 1 step"]
    for row in rows:
        assert 0 <= row["f1_without"] <= 1
        assert row["f1_with"] != row["f1_without"]
        assert 0 <= row["line_without"] <= 1
        assert 0 <= row["line_with"] <= 1
        assert row["gain"] == pytest.approx(row["f1_with"] - row["f1_without"])
    measured = read_card(plugged / "controlnets" / "random", ControlNetCard).measured
    assert measured["tiny-sd 2 steps"]["gain"] == pytest.approx(rows[0]["gain"], abs=1e-4)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--lora", "nobody"), "no LoRA 'nobody'"),
        (("--model", "tiny-sd:many"), "'tiny-sd:many': expected a model's id, or id:steps"),
        (("--model", "tiny-sd:²"), "'tiny-sd:²': expected a model's id, or id:steps"),
        (("--model", "tiny-sd:0"), "'tiny-sd:0': expected a model's id, or id:steps of 1 to 100"),
        (("--prompts", 1), "2 to 100000"),
    ],
)
def test_bad_input_is_named(plugged: Path, refused: Command, more: tuple, said: str) -> None:
    own = ("--lora", "random", "--style", "neon", "--judge", plugged / "judge")
    refused(said, evaluate_lora, *own, *more)


def test_tables_stand_without_a_share_of_nothing() -> None:
    """A strength that only the drawings have, and a ControlNet that changes no edge."""
    rows = [
        evaluate_lora.LoraRow(*row) for row in (("a", 0.0, 0.0, 1), ("a", 0.5, 0.2, 1), ("d", 1.0, 1.0, 1))
    ]
    assert "| d | 1 | 1.000 |  |" in evaluate_lora.table(rows)
    still = evaluate_controlnet.ControlRow("a", 0.3, 0.3, 1, 1, 1, 1)
    assert "| 0.000 |  |" in evaluate_controlnet.table([still])


def test_a_drawn_line_goes_from_side_to_side_with_peaks() -> None:
    for seed in range(40):
        line = drawn_line(seed, 96)
        assert line.any(axis=0).all()
        heights = line.argmax(axis=0)  # of the uppermost pixel
        assert 14 <= heights.min() < 39
        assert max(heights[0], heights[-1]) >= 43


def test_the_share_of_a_line_is_that_where_edges_are() -> None:
    """A picture that is black above the line and white below; one of a single colour."""
    line = drawn_line(0, 96)
    below = np.cumsum(line, axis=0) > 0
    images = torch.stack([torch.from_numpy(below), torch.ones(96, 96, dtype=bool)]).float()[:, None] * 2 - 1
    assert followed_share([line, line], images.expand(-1, 3, -1, -1)) == pytest.approx(0.5, abs=0.02)
