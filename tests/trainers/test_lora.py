"""The LoRA trainer: short real runs, and what they publish in a stock pipeline."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from rf_app.registry.loras import WEIGHTS, Loras
from rf_app.registry.models import Registry
from tests.processes import command
from tests.trainers.commands import Command
from trainers import lora
from trainers.common import events
from trainers.common.models import load_frozen
from trainers.data.images import with_trigger
from trainers.lora import KOHYA

MEGABYTE = 2**20


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight noisy orange pictures with captions, and a file that is none."""
    folder = tmp_path_factory.mktemp("pictures")
    rng = np.random.default_rng(0)
    lines = []
    for i in range(8):
        noise = rng.integers(0, 60, (96, 96, 3)) + np.array([190, 90, 0])
        Image.fromarray(noise.astype(np.uint8)).save(folder / f"{i}.png")
        lines.append(json.dumps({"file_name": f"{i}.png", "text": f"a red tent {i}."}))
    (folder / "8.png").write_bytes(b"no picture")
    lines.append(json.dumps({"file_name": "8.png", "text": "a red tent 8."}))
    (folder / "metadata.jsonl").write_text("\n".join(lines))
    return folder


def options(pictures: Path, name: str, *more: object) -> tuple:
    return ("--base", "tiny-sd", "--images", pictures, "--output", name, "--batch", 4, *more)


def pixels(pipeline: object, **more: object) -> np.ndarray:
    return pipeline(
        "a red tent, orange",
        num_inference_steps=2,
        generator=torch.Generator().manual_seed(0),
        output_type="np",
        **more,
    ).images


def test_what_a_run_publishes(
    at_home: Path, pictures: Path, capsys: pytest.CaptureFixture, works: Command
) -> None:
    """Less loss, one LoRA under two kinds of names, and the same pixels from both in a stock pipeline."""
    more = ("--trigger", "orange", "--steps", 40, "--learning-rate", 0.02, "--ema", 0.9, "--rank", 8)
    more += ("--layers", "attention", "feed-forward", "convolutions")
    works(lora, *options(pictures, "orange", *more))
    said = capsys.readouterr().out
    assert "8 pictures to learn from, of " in said
    assert "left out, cannot be read: 1 (8.png)" in said
    heard = events.read(at_home / "runs" / "lora" / "orange" / "events.jsonl")
    assert heard[-1]["loss"] < 0.9 * heard[0]["loss"]
    assert 0.1 < heard[-1]["style"] < 1.5
    assert list((at_home / "runs" / "lora" / "orange" / "samples").glob("*.png"))

    loras = Loras.beside(Registry.default())
    card = loras.card("orange")
    assert (card.trigger, card.base_model, card.settings["rank"]) == ("orange", "tiny-sd", 8)
    folder = loras.file("orange").parent
    assert sorted(path.name for path in folder.iterdir()) == ["README.md", KOHYA, WEIGHTS]
    found = []
    for file in (WEIGHTS, KOHYA):
        weights = load_file(folder / file)
        assert (folder / file).stat().st_size < MEGABYTE
        assert {weight.dtype for weight in weights.values()} == {torch.float16}
        pipeline = load_frozen(Registry.default(), "tiny-sd")
        plain = pixels(pipeline)
        pipeline.load_lora_weights(weights, adapter_name="orange")
        found.append(pixels(pipeline))
        assert np.abs(found[-1] - plain).max() > 0.01
    assert np.array_equal(*found)


def test_attention_alone(at_home: Path, pictures: Path, works: Command) -> None:
    more = ("--layers", "attention", "--rank", 2, "--steps", 2)
    works(lora, *options(pictures, "attention", *more))
    weights = load_file(at_home / "loras" / "attention" / WEIGHTS)
    assert all(".attn" in name for name in weights)
    assert {min(weight.shape[:2]) for weight in weights.values()} == {2}


def test_a_killed_run_resumes_to_the_same_weights(pictures: Path, survives: Callable) -> None:
    def own(name: str) -> tuple:
        return options(pictures, name, "--steps", 8, "--checkpoint-every", 2)

    survives(lora, own, "loras", WEIGHTS)


def test_a_run_of_other_pictures_is_refused(
    at_home: Path, pictures: Path, tmp_path: Path, refused: Command, works: Command
) -> None:
    own = ("--run", tmp_path / "run", "--steps", 2)
    works(lora, *options(pictures, "first", *own))
    refused("trigger", lora, *options(pictures, "second", *own, "--trigger", "other"))


def test_a_full_disk_leaves_no_lora(at_home: Path, pictures: Path) -> None:
    own = options(pictures, "full", "--steps", 4)
    code, said = command(at_home, "lora", *own, file_limit=50_000).finish()
    assert code == 1
    assert "disk is full" in said
    assert "Traceback" not in said
    assert not list((at_home / "loras").glob("*full*"))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--base", "nobody"), "no model 'nobody'"),
        (("--output", "../x"), "'../x'"),
        (("--rank", 0), "--rank must be 1 to 256, not 0"),
        (("--images", "absent"), "absent holds no captioned pictures"),
    ],
)
def test_bad_input_is_named(at_home: Path, pictures: Path, refused: Command, more: tuple, said: str) -> None:
    refused(said, lora, *options(pictures, "x", *more))
    assert not (at_home / "loras" / "x").exists()


def test_a_caption_asks_for_the_style_once() -> None:
    assert with_trigger("A red tent.", "woodcut") == "A red tent, woodcut"
    assert with_trigger("a woodcut of a tent", "woodcut") == "a woodcut of a tent"
    assert with_trigger("", "woodcut") == "woodcut"
    assert with_trigger("a tent.", "") == "a tent."
