"""Merging a LoRA: the weights are the teacher's plus the LoRA's, and the result is a teacher."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rf_app.registry.folders import Registry
from rf_app.registry.loading import load
from rf_app.registry.loras import WEIGHTS
from tests.plugins.lora_files import random_lora
from tests.trainers.commands import in_process
from trainers import merge


@pytest.fixture
def style(at_home: Path):
    """A LoRA `style` beside the tiny models; its tensors by name."""
    tensors = random_lora(load(Registry.default(), "tiny-sd").unet)
    folder = at_home / "loras" / "style"
    folder.mkdir(parents=True)
    save_file(tensors, folder / WEIGHTS)
    yield tensors
    shutil.rmtree(at_home / "loras")


@pytest.mark.parametrize("strength", [1.0, -0.5])
def test_the_weights_are_the_teachers_and_the_loras(
    at_home: Path, style: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch, strength: float
) -> None:
    output = f"styled{strength}"
    options = ("--teacher", "tiny-sd", "--lora", "style", "--output", output, f"--strength={strength}")
    assert in_process(merge, options, monkeypatch) == 0
    registry = Registry.default()
    own, merged = (load(registry, id).unet.state_dict() for id in ("tiny-sd", output))
    assert own.keys() == merged.keys()
    changed = {name.removeprefix("unet.").rsplit(".", 2)[0] + ".weight" for name in style}
    for name, weight in own.items():
        wanted = weight
        if name in changed:
            path = f"unet.{name.removesuffix('.weight')}"
            down, up = style[f"{path}.lora_A.weight"], style[f"{path}.lora_B.weight"]
            wanted = weight + strength * (up.flatten(1) @ down.flatten(1)).view(weight.shape)
        assert torch.allclose(merged[name], wanted, rtol=2e-3, atol=2e-3), name
    card = registry.card(output)
    assert (card.kind, card.base_model, card.lineage) == ("diffusion", "tiny-sd", ("tiny-sd",))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--lora", "nobody"), "no LoRA 'nobody'"),
        (("--lora", "style", "--strength", "9"), "--strength must be -2 to 2, not 9.0"),
        (("--lora", "style", "--teacher", "nobody"), "no model 'nobody'"),
    ],
)
def test_bad_input_is_named(
    at_home: Path,
    style: dict,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    more: tuple,
    said: str,
) -> None:
    given = more if "--teacher" in more else ("--teacher", "tiny-sd", *more)
    assert in_process(merge, (*given, "--output", "x"), monkeypatch) == 2
    assert said in capsys.readouterr().err
