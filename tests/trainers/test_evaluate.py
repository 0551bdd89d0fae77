"""Evaluation: what it writes, that it is right, and that two processes measure what one does."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import LCMScheduler
from PIL import Image
from safetensors.torch import save_file

from rf_app.errors import UserError
from rf_app.metrics.clip_score import clip_score
from rf_app.registry.models import Registry
from tests.metrics.test_inception import random_inception
from tests.tiny import save_tiny_clip, tiny_card
from tests.trainers.commands import Command
from trainers import evaluate
from trainers.common.held_out import one_size
from trainers.common.pixels import to_tensor
from trainers.common.references import Photographs
from trainers.data.images import ImageFolder


def options(home: Path, file: Path, *more: object) -> tuple:
    return ("--judge", home / "judge", "--prompts", 12, "--json", file, *more)


def test_one_row_is_an_object(at_home: Path, tmp_path: Path, works: Command) -> None:
    file = tmp_path / "one.json"
    more = ("--model", "tiny-2rf", "--steps", 2, "--guidance", 1.5, "--seed", 7)
    works(evaluate, *options(at_home, file, *more))
    row = json.loads(file.read_text())
    assert {"fid", "fidelity", "straightness", "transport_cost", "seconds_per_image"} <= row.keys()
    assert (row["model"], row["steps"], row["guidance"]) == ("tiny-2rf", 2, 1.5)
    assert 0 <= row["fidelity"]["mean"] <= 1
    assert 0 <= row["recall"] <= 1
    assert min(row["sharpness"], row["variety"], row["kernel"]) > 0
    floors = row["measured_on"]["floors"]
    assert floors.keys() == {"captions drawn again", "autoencoder", "other scenes"}
    assert floors["captions drawn again"]["kernel"] < row["kernel"]
    assert "fidelity" not in floors["other scenes"]
    assert row["measured_on"]["drawings_sharpness"] == 1
    assert row["measured_on"]["first_seed"] == 1_000_000_007
    assert row["measured_on"]["prompts"] == 12
    assert Registry.default().card("tiny-2rf").measured == {}


def test_rows_share_the_run_and_go_into_the_cards(at_home: Path, tmp_path: Path, works: Command) -> None:
    """One-step models are measured at 1 step only; S is one figure, transport has one for each row."""
    file = tmp_path / "rows.json"
    more = ("--model", "tiny-sd", "tiny-instaflow", "--steps", 1, 2, "--write-card")
    works(evaluate, *options(at_home, file, *more))
    rows = json.loads(file.read_text())
    measured = [(row["model"], row["steps"]) for row in rows]
    assert measured == [("tiny-sd", 1), ("tiny-sd", 2), ("tiny-instaflow", 1)]
    assert rows[0]["straightness"] == rows[1]["straightness"]
    assert rows[0]["transport_cost"] != rows[1]["transport_cost"]
    measured = Registry.default().card("tiny-sd").measured
    assert measured["2 steps"]["fid"] == rows[1]["fid"]
    assert measured["measured_on"]["prompts"] == 12
    works(evaluate, *options(at_home, file, *more, "--steps", 1, "--prompts", 4))
    measured = Registry.default().card("tiny-sd").measured  # no row of other prompts is left
    assert (measured.keys(), measured["measured_on"]["prompts"]) == ({"1 step", "measured_on"}, 4)


def test_models_of_two_sizes_are_not_measured_together() -> None:
    """One had the other's drawings as its reference, and the one's batches."""
    small = tiny_card("small", "one-step", 1, 1.0)
    assert one_size([small, small]) == small.resolution
    with pytest.raises(UserError, match="small 96, large 512 pixels"):
        one_size([small, replace(small, id="large", resolution=512)])


def test_steps_that_a_model_cannot_be_drawn_in_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A consistency model's scheduler raised an error of its own, after hours of other models."""
    monkeypatch.setattr(evaluate, "load_frozen", lambda *_: SimpleNamespace(scheduler=LCMScheduler()))
    monkeypatch.setattr(evaluate, "Subject", lambda *_: None)
    own = SimpleNamespace(seeds=(), reference=SimpleNamespace(captions=()), batch=1)
    own._row = lambda card, subject, steps, curved: (steps, curved)
    card = tiny_card("quick", "consistency", 4, 1.0)
    assert evaluate.Evaluation.rows(own, None, card, (2, 100), None) == [(2, None)]
    assert evaluate.Evaluation.rows(own, None, card, (100,), None) == [(4, None)]


@pytest.mark.slow  # two more processes, with PyTorch each
def test_two_processes_measure_what_one_does(at_home: Path, tmp_path: Path, works: Command) -> None:
    """66 prompts are two batches, one for each process."""
    own = ("--model", "tiny-2rf", "--steps", 1, "--judge", at_home / "judge", "--prompts", 66)
    works(evaluate, *own, "--json", tmp_path / "1.json")
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m"]
    command = [*launch, "trainers.evaluate", *own, "--json", tmp_path / "2.json"]
    subprocess.run(
        [str(part) for part in command], check=True, env=os.environ | {"ACCELERATE_USE_CPU": "true"}
    )
    one, two = (json.loads((tmp_path / f"{n}.json").read_text()) for n in (1, 2))
    assert two["measured_on"]["device"] == "cpu:0" != one["measured_on"]["device"]
    assert two["fid"] == pytest.approx(one["fid"], rel=1e-3)
    assert two["fidelity"] == one["fidelity"]
    assert two["straightness"] == pytest.approx(one["straightness"], rel=1e-3)
    assert two["transport_cost"] == pytest.approx(one["transport_cost"], rel=1e-4)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """COCO's layout with five pictures of noise, and random networks."""
    folder = tmp_path_factory.mktemp("photographs")
    (folder / "coco/val2017").mkdir(parents=True)
    (folder / "coco/annotations").mkdir()
    rng, images, captions = np.random.default_rng(0), [], []
    for i in range(5):
        images.append({"id": 70 - i, "file_name": f"{i:012}.jpg", "height": 120, "width": 100})
        captions += [{"id": 9, "image_id": 70 - i, "caption": "a later one"}]
        captions += [{"id": 1 + i, "image_id": 70 - i, "caption": f"a lake of kind {i} "}]
        picture = rng.integers(0, 256, (120, 100, 3), dtype=np.uint8)
        Image.fromarray(picture).save(folder / "coco/val2017" / images[-1]["file_name"])
    content = json.dumps({"info": {}, "images": images, "annotations": captions})
    (folder / "coco/annotations/captions_val2017.json").write_text(content)
    save_tiny_clip(folder / "clip")
    (folder / "clip/pytorch_model.bin").write_bytes(b"never read")
    save_file(random_inception(), folder / "inception.safetensors")
    return folder


def against(photographs: Path) -> tuple:
    networks = ("--inception", photographs / "inception.safetensors", "--clip", photographs / "clip")
    return ("--images", photographs / "coco/val2017", *networks)


def test_photographs_are_seen_by_inception_and_clip(photographs: Path) -> None:
    """Their own score, and what FID compares, are those of the pictures as they lie there, by number."""
    _, folder, _, inception, _, clip = against(photographs)
    reference = Photographs(folder, inception, clip, 1, 4, 96, torch.device("cpu"))
    assert reference.captions == [f"a lake of kind {i}" for i in (1, 2, 3, 4)]
    images = reference.pictures([0, 2])
    assert images.shape == (2, 3, 96, 96)
    seen = reference.see(images, [0, 2])
    pixels = ImageFolder(folder, 96).pixels([1, 3])
    assert torch.equal(to_tensor(pixels), images)
    with torch.no_grad():
        assert torch.allclose(reference.features(seen), reference.inception(images))
    model, processor = reference.clip, reference.processor
    scores = clip_score(model, processor, pixels, ["a lake of kind 1", "a lake of kind 3"])
    assert reference.figures(seen, seen) == {"clip_score": pytest.approx(float(scores.mean()))}
    assert torch.equal(reference.see(images + 1e-4, [0, 2]), seen)  # as a PNG would have them


@pytest.mark.slow  # the root of 2048x2048 numbers
def test_the_paper_s_table_against_photographs(
    at_home: Path, photographs: Path, tmp_path: Path, works: Command
) -> None:
    more = (*against(photographs), "--prompts", 5, "--json", tmp_path / "table.json", "--write-card")
    own = ("--model", "tiny-2rf", "--steps", 1)
    works(evaluate, *own, *more)
    row = json.loads((tmp_path / "table.json").read_text())
    assert row["fid"] > 0
    assert -1 <= row["clip_score"] <= 1
    assert "fidelity" not in row
    on = row["measured_on"]
    assert on["reference"] == "5 photographs of val2017, their middle squares of 96x96"
    assert (on["features"], on["clip"]) == ("inception.safetensors", "clip")
    assert -1 <= on["photographs_clip_score"] <= 1
    assert Registry.default().card("tiny-2rf").measured["1 step"]["clip_score"] == row["clip_score"]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--prompts", 6), "holds 5 captioned pictures; --prompts 6"),
        (("--seed", 4, "--prompts", 2), "--prompts 2 of them from --seed 4"),
        (("--clip", "absent"), "absent: this folder is missing"),
        (("--clip", "bare"), "no tokenizer and image processor of CLIP"),
        (("--inception", "absent"), "absent: not a complete safetensors file"),
    ],
)
def test_what_photographs_need_is_named(
    at_home: Path,
    photographs: Path,
    monkeypatch: pytest.MonkeyPatch,
    refused: Command,
    more: tuple,
    said: str,
) -> None:
    monkeypatch.chdir(photographs)
    if not (photographs / "bare").exists():
        shutil.copytree("clip", "bare", ignore=shutil.ignore_patterns("*token*", "*processor*", "*.json.*"))
    own = ("--model", "tiny-sd", "--prompts", 5)
    refused(said, evaluate, *own, *against(photographs), *more)


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "tiny-sd", "--images", "coco"), "--images, --inception and --clip belong"),
        (("--model", "nobody"), "no model 'nobody'"),
        (("--model", "tiny-sd", "--steps", 4, 0), "1 to 100, not 0"),
        (("--model", "tiny-sd", "--guidance", 21), "0 to 20, not 21"),
        (("--model", "tiny-sd", "--prompts", 1), "2 to 100000, not 1"),
        (("--model", "tiny-sd", "--judge", "absent"), "absent holds no judge.safetensors"),
    ],
)
def test_bad_input_is_named(at_home: Path, tmp_path: Path, refused: Command, more: tuple, said: str) -> None:
    refused(said, evaluate, *options(at_home, tmp_path / "x.json", *more))
    assert not (tmp_path / "x.json").exists()
