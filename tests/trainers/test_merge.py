"""Merging a LoRA: the weights are the teacher's plus the LoRA's, and the result is a teacher."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from rf_app.registry.loras import WEIGHTS
from rf_app.registry.models import Registry
from rf_app.schedulers.perflow import PeRFlowScheduler
from tests.plugins.lora_files import as_kohya, as_peft, random_lora, write
from tests.tiny import load
from tests.trainers.commands import Command
from trainers import delta, merge
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
    at_home: Path, style: dict[str, torch.Tensor], works: Command, strength: float
) -> None:
    output = f"styled{strength}"
    options = ("--teacher", "tiny-sd", "--lora", "style", "--output", output, f"--strength={strength}")
    works(merge, *options)
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
def test_bad_input_is_named(at_home: Path, style: dict, refused: Command, more: tuple, said: str) -> None:
    given = more if "--teacher" in more else ("--teacher", "tiny-sd", *more)
    refused(said, merge, *given, "--output", "x")


@pytest.mark.parametrize("names", [as_kohya, as_peft])
def test_every_kind_of_names_goes_in(
    at_home: Path,
    style: dict[str, torch.Tensor],
    works: Command,
    names: Callable[[dict[str, torch.Tensor]], dict[str, torch.Tensor]],
) -> None:
    given = ("--teacher", "tiny-sd", "--lora", "style", "--overwrite", "--output")
    works(merge, *given, "plain")
    write(at_home / "loras" / "style" / WEIGHTS, names(style))
    works(merge, *given, "renamed")
    plain, renamed = (load(Registry.default(), id).unet.state_dict() for id in ("plain", "renamed"))
    assert all(torch.equal(renamed[name], weight) for name, weight in plain.items())


def test_what_is_made_from_a_merged_model_has_its_text_encoder(
    at_home: Path, style: dict[str, torch.Tensor], works: Command
) -> None:
    registry = Registry.default()
    own = load(registry, "tiny-sd")
    write(at_home / "loras" / "style" / WEIGHTS, random_lora(None, own.text_encoder))
    options = ("--teacher", "tiny-sd", "--lora", "style", "--output", "with-words")
    works(merge, *options)
    card = replace(registry.card("with-words"), id="made-from-it", lineage=("tiny-sd", "with-words"))
    publish_unet(registry, own.unet, own.scheduler, card, overwrite=True)
    assert registry.card("made-from-it").base_model == "with-words"
    plain, merged, made = (
        encode(load(registry, id), ["a lake"]) for id in ("tiny-sd", *card.lineage[1:], card.id)
    )
    assert torch.equal(made, merged)
    assert not torch.allclose(made, plain, atol=1e-2)


def test_what_a_training_added_makes_another_fine_tune_quick(
    at_home: Path, style: dict, tmp_path: Path, works: Command
) -> None:
    """W = W_styled + strength (W_trained - W_teacher), drawn as what was trained is."""
    registry, file = Registry.default(), tmp_path / "quick.safetensors"
    own = load(registry, "tiny-sd")
    with torch.no_grad():
        for number, weight in enumerate(own.unet.parameters()):
            weight += 0.01 * torch.randn(weight.shape, generator=torch.Generator().manual_seed(number))
    sampler = PeRFlowScheduler(prediction_type="ddim_eps", num_time_windows=2)
    drawn = {"kind": "piecewise-flow", "steps": 3, "guidance": 2.0}
    card = replace(registry.card("tiny-sd"), id="trained", lineage=("tiny-sd",), **drawn)
    publish_unet(registry, own.unet, sampler, card, overwrite=True)
    given = ("--teacher", "tiny-sd", "--lora", "style", "--overwrite", "--output", "styled")
    works(merge, *given)
    works(delta, "--model", "trained", "--output", file)
    quick = ("--delta", file, "--strength", 0.5, "--output", "quick")
    works(merge, "--teacher", "styled", *quick)

    made = load(registry, "quick")
    weights = {id: load(registry, id).unet.state_dict() for id in ("styled", "trained", "tiny-sd")}
    for name, weight in made.unet.state_dict().items():
        added = weights["trained"][name] - weights["tiny-sd"][name]
        assert torch.allclose(weight, weights["styled"][name] + 0.5 * added, atol=1e-3), name
        assert added.abs().max() > 0
    card = registry.card("quick")
    assert (card.kind, card.steps, card.guidance) == ("piecewise-flow", 3, 2.0)
    assert (card.lineage, card.base_model) == (("tiny-sd", "styled"), "styled")
    assert made.scheduler.config.num_time_windows == 2
    assert made.scheduler.config.prediction_type == "ddim_eps"
    assert made("a lake", num_inference_steps=2, negative_prompt="red").images[0].size == (96, 96)


def test_a_file_that_is_no_delta_is_refused(
    at_home: Path, style: dict, tmp_path: Path, refused: Command
) -> None:
    saved = {"bare": None, "odd": {"instaflow": '{"kind": "piecewise-flow", "steps": "many"}'}}
    for name, header in saved.items():
        save_file(style, tmp_path / f"{name}.safetensors", header)
    sound = {"base": "b", "kind": "turbo", "steps": 4, "guidance": 1.0, "scheduler": {}}
    save_file(style, tmp_path / "other.safetensors", {"instaflow": json.dumps(sound)})
    wrong = {"bare": "has no such header", "odd": "is no delta", "other": "does not fit tiny-sd"}
    for name, said in wrong.items():
        own = ("--teacher", "tiny-sd", "--output", "x", "--delta", tmp_path / f"{name}.safetensors")
        refused(said, merge, *own)
    refused("Give either --lora or --delta", merge, "--teacher", "tiny-sd", "--output", "x")
    assert not (at_home / "models" / "x").exists()
