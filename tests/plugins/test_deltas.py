"""Differences and LoRAs added to weights: the sums, what is refused, what is remembered, and the memory."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load_file, save_file

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import of_folders, of_single_file, places, short, write_tensors
from rf_app.plugins.deltas import Merge, merge
from rf_app.registry.checking import WEIGHTS, read_json
from tests.plugins.lora_files import as_kohya, random_lora, write
from tests.single_file import save_single_file
from tests.tiny import load, tiny_card, tiny_unet

ROOT = Path(__file__).parents[2]


def weights(registry, id, piece="unet"):
    return load_file(registry.pieces(id)[piece] / WEIGHTS[piece])


@pytest.fixture
def tuned(tiny_registry):
    """tiny-tuned: tiny-sd, and then another U-Net and a changed text encoder."""

    def build(folder: Path) -> None:
        shutil.copytree(tiny_registry.folder("tiny-sd"), folder, dirs_exist_ok=True)
        tiny_unet(9).save_pretrained(folder / "unet")
        path = folder / "text_encoder" / WEIGHTS["text_encoder"]
        changed = {name: tensor + 0.25 for name, tensor in load_file(path).items()}
        save_file(changed, path, metadata={"format": "pt"})

    tiny_registry.publish("tiny-tuned", build, tiny_card("tiny-tuned", "diffusion", 4, 3.0))
    return tiny_registry


def wish(**changes):
    return Merge(**{"model": "tiny-2rf", "output": "mine"} | changes)


def test_the_difference_is_added_to_every_piece_that_has_one(tuned):
    merge(tuned, wish(fine_tuned="tiny-tuned", base="tiny-sd", strength=0.5))
    for piece in ("unet", "text_encoder"):
        new, own, fine, base = (
            weights(tuned, id, piece) for id in ("mine", "tiny-2rf", "tiny-tuned", "tiny-sd")
        )
        assert new.keys() == own.keys()
        for name in own:
            torch.testing.assert_close(new[name], own[name] + 0.5 * (fine[name] - base[name]))
    names = sorted(path.name for path in tuned.folder("mine").iterdir())
    assert names == ["README.md", "scheduler", "text_encoder", "unet", "vocabulary.json"]
    card = tuned.card("mine")
    assert (card.kind, card.base_model) == ("rectified-flow", "tiny-2rf")
    assert card.lineage == ("tiny-sd", "tiny-2rf")
    assert card.settings == {"merged": {"fine_tuned": "tiny-tuned", "base": "tiny-sd", "strength": 0.5}}


def test_a_fine_tune_of_the_model_itself_comes_out_at_strength_one(tuned):
    merge(tuned, wish(model="tiny-sd", fine_tuned="tiny-tuned", base="tiny-sd"))
    new, fine = weights(tuned, "mine"), weights(tuned, "tiny-tuned")
    for name in fine:
        torch.testing.assert_close(new[name], fine[name])


def test_folders_and_single_files_are_as_good_as_ids(tuned, tmp_path):
    save_single_file(tuned.pieces("tiny-tuned"), tmp_path / "tuned.safetensors")
    merge(tuned, wish(fine_tuned="tiny-tuned", base="tiny-sd", output="by-id"))
    merge(
        tuned,
        wish(
            fine_tuned=str(tmp_path / "tuned.safetensors"),
            base=str(tuned.folder("tiny-sd")),
            output="by-path",
        ),
    )
    for piece in ("unet", "text_encoder"):
        one, other = weights(tuned, "by-id", piece), weights(tuned, "by-path", piece)
        assert all(torch.equal(one[name], other[name]) for name in one)
    assert str(tmp_path) not in (tuned.folder("by-path") / "README.md").read_text()


def test_the_home_in_a_path_is_found(tuned, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    merge(tuned, wish(fine_tuned="~/models/tiny-tuned", base="tiny-sd"))
    assert tuned.card("mine").settings["merged"]["fine_tuned"] == "tiny-tuned"
    write(tmp_path / "lora.safetensors", as_kohya(random_lora(load(tuned, "tiny-sd").unet)))
    merge(tuned, wish(model="tiny-sd", output="with-lora", lora="~/lora.safetensors"))
    assert tuned.card("with-lora").settings["merged"]["lora"] == "lora.safetensors"


def test_a_single_file_gives_every_tensor_its_name_in_diffusers(tiny_registry, tmp_path):
    pieces = tiny_registry.pieces("tiny-sd")
    save_single_file(pieces, tmp_path / "one.safetensors")
    configs = {piece: read_json(pieces[piece] / "config.json") for piece in ("unet", "vae", "text_encoder")}
    found, expected = of_single_file(tmp_path / "one.safetensors", configs), of_folders(pieces)
    assert {piece: named.keys() for piece, named in found.items()} == {
        piece: named.keys() for piece, named in expected.items()
    }
    for piece, named in expected.items():
        for name, place in named.items():
            assert torch.equal(found[piece][name].read(), place.read())


def test_a_lora_is_added_to_unet_and_text_encoder(tiny_registry, tmp_path):
    teacher = load(tiny_registry, "tiny-sd")
    tensors = random_lora(teacher.unet, teacher.text_encoder)
    path = write(tmp_path / "lora.safetensors", as_kohya(tensors))
    merge(tiny_registry, wish(model="tiny-sd", lora=str(path), strength=0.7))
    for piece in ("unet", "text_encoder"):
        new, own = weights(tiny_registry, "mine", piece), weights(tiny_registry, "tiny-sd", piece)
        for name, weight in own.items():
            layer = f"{piece}.{name.removesuffix('.weight')}"
            change = torch.zeros_like(weight)
            if f"{layer}.lora_A.weight" in tensors:
                change = 0.7 * tensors[f"{layer}.lora_B.weight"] @ tensors[f"{layer}.lora_A.weight"]
            torch.testing.assert_close(new[name], weight + change)
    assert tiny_registry.card("mine").settings["merged"] == {"lora": "lora.safetensors", "strength": 0.7}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({}, "either a fine-tune and its base, or a LoRA"),
        ({"fine_tuned": "tiny-sd"}, "either a fine-tune and its base, or a LoRA"),
        ({"fine_tuned": "tiny-sd", "base": "tiny-sd", "lora": "x"}, "either a fine-tune"),
        (
            {"fine_tuned": "tiny-sd", "base": "tiny-sd", "strength": 3.0},
            "strength is 3.0; it must be in -2..2",
        ),
        ({"fine_tuned": "tiny-sd", "base": "tiny-sd", "strength": float("nan")}, "strength is nan"),
        ({"fine_tuned": "../x", "base": "tiny-sd"}, r"'\.\./x': expected the id of a model, a folder"),
        ({"fine_tuned": "a\0b", "base": "tiny-sd"}, "expected the id of a model"),
        ({"fine_tuned": "<b>", "base": "tiny-sd"}, "expected the id of a model"),
        ({"fine_tuned": "~nobody-of-that-name/x", "base": "tiny-sd"}, "expected the id of a model"),
        ({"fine_tuned": "/tmp", "base": "tiny-sd"}, "no diffusers model; it has no folder unet/"),
        ({"lora": "none"}, "There is no LoRA 'none'"),
        ({"fine_tuned": "tiny-sd", "base": "tiny-sd", "output": "../x"}, "use 1 to 64"),
        ({"fine_tuned": "tiny-sd", "base": "tiny-sd", "output": "tiny-sd"}, "already a model 'tiny-sd'"),
    ],
)
def test_what_cannot_be_is_refused(tiny_registry, changes, message):
    with pytest.raises(UserError, match=message):
        merge(tiny_registry, wish(**changes))
    assert [card.id for card in tiny_registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]


def test_a_fine_tune_of_another_shape_is_refused_by_name(tiny_registry, tmp_path):
    UNet2DConditionModel.from_config({**tiny_unet(1).config, "cross_attention_dim": 48}).save_pretrained(
        tmp_path / "other" / "unet"
    )
    with pytest.raises(UserError, match=r"other does not fit tiny-2rf: .*to_k.weight of its unet has shape"):
        merge(tiny_registry, wish(fine_tuned=str(tmp_path / "other"), base="tiny-sd"))


def test_single_files_that_are_no_model(tiny_registry, tmp_path):
    path = tmp_path / "x.safetensors"
    for tensors, message in (
        ({"weight": torch.zeros(2)}, "is nothing that is known here; expected a model"),
        ({"conditioner.embedders.1.model.x": torch.zeros(2)}, "is a Stable Diffusion XL model"),
        ({"cond_stage_model.model.x": torch.zeros(2)}, "is a text encoder by itself"),
    ):
        save_file(tensors, path)
        with pytest.raises(UserError, match=message):
            merge(tiny_registry, wish(fine_tuned=str(path), base="tiny-sd"))
    path.write_bytes(b"PK\x03\x04" + bytes(100))
    with pytest.raises(UserError, match=r"x\.safetensors: This is a zip archive"):
        merge(tiny_registry, wish(fine_tuned=str(path), base="tiny-sd"))


MEASURE = """
import resource, sys
from pathlib import Path
from rf_app.plugins.checkpoint import places, write_tensors
own, fine, base, target = map(Path, sys.argv[1:])
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
own, fine, base = places(own), places(fine), places(base)
before = peak()
write_tensors(target, own, lambda n: (fine[n].read() - base[n].read()).add_(own[n].read()))
print(peak() - before)
"""


def test_memory_holds_a_few_tensors_never_the_model(tmp_path):
    """160 MB of model in tensors of 8 MB: the peak of a process that merges it grows by less than 60 MB."""
    for name in ("own", "fine", "base"):
        tensors = {f"layer.{i}": torch.full((2, 1024, 1024), float(i)) for i in range(20)}
        save_file(tensors, tmp_path / name)
    paths = [str(tmp_path / name) for name in ("own", "fine", "base", "new")]
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, *paths],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(done.stdout) < 60 * 2**20
    new = load_file(tmp_path / "new")
    assert all(torch.equal(new[f"layer.{i}"], torch.full((2, 1024, 1024), float(i))) for i in range(20))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_written_tensors_are_read_by_the_library(tmp_path, dtype):
    tensors = {
        "a": torch.randn(3, 5).to(dtype),
        "b.c": torch.randn(7).to(dtype),
        "d": torch.tensor(2.0, dtype=dtype),
    }
    save_file(tensors, tmp_path / "one")
    own = places(tmp_path / "one")
    write_tensors(tmp_path / "two", own, lambda name: own[name].read().float())
    assert all(torch.equal(tensor, tensors[name]) for name, tensor in load_file(tmp_path / "two").items())
    assert load_file(tmp_path / "two").keys() == tensors.keys()


def test_old_names_are_those_of_today():
    assert (
        short("text_model.encoder.layers.0.self_attn.q_proj.weight")
        == "encoder.layers.0.self_attn.q_proj.weight"
    )
    assert (
        short("decoder.mid_block.attentions.0.query.weight") == "decoder.mid_block.attentions.0.to_q.weight"
    )
    assert (
        short("decoder.mid_block.attentions.0.proj_attn.bias")
        == "decoder.mid_block.attentions.0.to_out.0.bias"
    )
