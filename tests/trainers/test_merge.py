"""Merging a LoRA: the weights are the teacher's plus the LoRA's, and the result is a teacher."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rf_app.registry.loras import WEIGHTS
from rf_app.registry.models import Registry
from tests.plugins.lora_files import as_kohya, as_peft, random_lora, write
from tests.tiny import load
from tests.trainers.commands import in_process
from trainers import merge
from trainers.common.models import encode, publish_unet


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


@pytest.mark.parametrize("names", [as_kohya, as_peft])
def test_every_kind_of_names_goes_in(
    at_home: Path,
    style: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch,
    names: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    given = ("--teacher", "tiny-sd", "--lora", "style", "--overwrite", "--output")
    assert in_process(merge, (*given, "plain"), monkeypatch) == 0
    write(at_home / "loras" / "style" / WEIGHTS, names(style))
    assert in_process(merge, (*given, "renamed"), monkeypatch) == 0
    plain, renamed = (load(Registry.default(), id).unet.state_dict() for id in ("plain", "renamed"))
    assert all(torch.equal(renamed[name], weight) for name, weight in plain.items())


def test_what_is_made_from_a_merged_model_has_its_text_encoder(
    at_home: Path, style: dict[str, torch.Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = Registry.default()
    own = load(registry, "tiny-sd")
    write(at_home / "loras" / "style" / WEIGHTS, random_lora(None, own.text_encoder))
    options = ("--teacher", "tiny-sd", "--lora", "style", "--output", "with-words")
    assert in_process(merge, options, monkeypatch) == 0
    card = replace(registry.card("with-words"), id="made-from-it", lineage=("tiny-sd", "with-words"))
    publish_unet(registry, own.unet, own.scheduler, card, overwrite=True)
    assert registry.card("made-from-it").base_model == "with-words"
    plain, merged, made = (
        encode(load(registry, id), ["a lake"]) for id in ("tiny-sd", *card.lineage[1:], card.id)
    )
    assert torch.equal(made, merged)
    assert not torch.allclose(made, plain, atol=1e-2)
