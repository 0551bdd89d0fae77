"""Pairs: exact, independent of batching, whole shards only, resumed after a kill."""

import shutil
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file, save_file

from rf_app.registry.models import Registry
from tests.processes import command, in_two, run_command
from tests.tiny import tiny_unet
from tests.trainers.commands import Command
from trainers import pairs
from trainers.common.models import encode, load_frozen, noise_of, sample
from trainers.data.shards import inspect, shard_path, shard_paths
from trainers.pocket.first_edition.world import describe  # tiny-sd knows no word of the second

OPTIONS = ("--teacher", "tiny-sd", "--steps", 2, "--shard", 16)


def rows(folder: Path) -> dict[str, np.ndarray]:
    """All rows of a folder; noise and latents as [N, C H W]."""
    table = pq.ParquetDataset(shard_paths(folder)).read()
    matrices = {name: np.stack(table[name].to_numpy()) for name in ("noise", "latent")}
    return matrices | {name: table[name].to_numpy() for name in ("prompt", "seed")}


def test_a_pair_is_the_teachers_own(at_home: Path) -> None:
    """Row i: caption and noise of seed i, and the latent that the teacher makes of that very noise."""
    made, number = rows(at_home / "pairs"), 21
    assert made["seed"].tolist() == list(range(40))
    assert made["prompt"][number] == describe(number)[1].text
    assert made["noise"].dtype == made["latent"].dtype == np.float16
    noise = torch.from_numpy(made["noise"][number]).reshape(1, 8, 12, 12).float()
    assert torch.equal(noise, noise_of([number], (8, 12, 12)).half().float())

    model = load_frozen(Registry.default(), "tiny-sd")
    text, null = encode(model, [made["prompt"][number]]), encode(model, [""])
    latent = sample(model.unet, model.scheduler, noise, text, null, 3.0, 2)
    assert np.allclose(latent.flatten(), made["latent"][number], rtol=2e-3, atol=2e-3)


@pytest.mark.parametrize(("guidance", "told"), [(3.0, False), (0.0, False), (8.0, True), (1.0, True)])
def test_sampling_is_the_stock_pipelines(at_home: Path, guidance: float, told: bool) -> None:
    """Also of a U-Net that takes its guidance as an input, as LCM's."""
    model = load_frozen(Registry.default(), "tiny-sd")
    if told:
        model.unet = tiny_unet(3, time_cond_proj_dim=32)
    noise = noise_of([1, 2], (8, 12, 12))
    texts = encode(model, ["a lake", "a tent"]), encode(model, [""])
    with torch.no_grad():
        ours = sample(model.unet, model.scheduler, noise, *texts, guidance, 4)
    options = {"num_inference_steps": 4, "guidance_scale": guidance, "output_type": "latent"}
    stock = model(["a lake", "a tent"], latents=noise, **options).images
    assert torch.allclose(ours, stock, rtol=1e-4, atol=1e-3)


def test_a_text_is_what_is_seen_of_it(at_home: Path) -> None:
    model = load_frozen(Registry.default(), "tiny-sd")
    assert torch.equal(encode(model, ["\ufeffa te\u200bnt"]), encode(model, ["a tent"]))


def test_batching_does_not_change_a_pair(at_home: Path, tmp_path: Path, works: Command) -> None:
    works(pairs, *OPTIONS, "--output", tmp_path, "--count", 20, "--batch", 3)
    first, second = rows(at_home / "pairs"), rows(tmp_path)
    assert np.array_equal(first["noise"][:20], second["noise"])
    assert np.allclose(first["latent"][:20].astype(np.float32), second["latent"], rtol=2e-3, atol=2e-3)


def test_a_killed_run_resumes_and_keeps_the_whole_shards(
    at_home: Path, tmp_path: Path, works: Command
) -> None:
    options = (*OPTIONS, "--output", tmp_path, "--batch", 16)
    process = command(at_home, "pairs", *options, "--count", 600)
    process.wait_until(lambda: shard_path(tmp_path, 1).exists())
    process.kill()
    kept = shard_paths(tmp_path)
    assert 2 <= len(kept) < 38
    assert all(inspect(path)[1] == 16 for path in kept)
    before = kept[0].stat()

    count = max(40, 16 * (len(kept) + 1))
    works(pairs, *options, "--count", count)
    assert kept[0].stat().st_mtime_ns == before.st_mtime_ns
    killed, whole = rows(tmp_path), rows(at_home / "pairs")
    assert killed["seed"].tolist() == list(range(count))
    assert all(np.array_equal(killed[name][:40], whole[name]) for name in whole)
    assert not list(tmp_path.glob(".*"))


def test_a_stopped_run_says_so(home: Path, tmp_path: Path) -> None:
    process = command(home, "pairs", *OPTIONS, "--output", tmp_path, "--count", 600, "--batch", 4)
    process.wait_until(lambda: shard_path(tmp_path, 0).exists())
    process.send(signal.SIGTERM)
    code, said = process.finish()
    assert code == 0
    assert "the same command resumes" in said


def test_a_signal_to_one_of_two_processes_ends_both(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: Command
) -> None:
    options = [*OPTIONS, "--output", tmp_path, "--batch", 4]
    both = in_two(monkeypatch, run_command, "pairs", [str(each) for each in (*options, "--count", 6000)])
    both[0].wait_until(lambda: shard_path(tmp_path, 0).exists())
    both[1].send(signal.SIGTERM)
    assert [each.finish()[0] for each in both] == [0, 0]
    assert "the same command resumes" in both[0].said()
    kept = shard_paths(tmp_path)
    works(pairs, *options, "--count", 16 * (len(kept) + 1))


def test_spoiled_shards_are_made_again_alone(
    at_home: Path, tmp_path: Path, capsys: pytest.CaptureFixture, works: Command
) -> None:
    options = (*OPTIONS, "--output", tmp_path, "--count", 60, "--batch", 16)
    works(pairs, *options)
    paths = shard_paths(tmp_path)
    before = [path.read_bytes() for path in paths]
    cut, changed, gone = paths[:3]
    cut.write_bytes(before[0][:-100])
    changed.write_bytes(before[1].replace(b"\x3c", b"\x3d", 1))
    gone.unlink()
    kept = paths[3].stat().st_mtime_ns
    works(pairs, *options)
    said = capsys.readouterr().out
    assert "pairs-00000.parquet is cut short" in said
    assert "pairs-00001.parquet is not as it was written" in said
    assert [path.read_bytes() for path in paths] == before
    assert paths[3].stat().st_mtime_ns == kept


def test_check_names_what_is_wrong_and_ends_with_an_error(at_home: Path, tmp_path: Path) -> None:
    said = [sys.executable, "-m", "trainers.pairs", "--check"]
    whole, none = (
        subprocess.run([*said, folder], capture_output=True, text=True)
        for folder in (at_home / "pairs", tmp_path)
    )
    assert (whole.returncode, none.returncode) == (0, 2)
    assert "40 pairs in" in whole.stdout
    assert f"error: There are no pairs in {tmp_path}" in none.stderr


def test_a_full_disk_leaves_no_half_shard(home: Path, tmp_path: Path) -> None:
    process = command(home, "pairs", *OPTIONS, "--output", tmp_path, "--count", 20, file_limit=20_000)
    code, said = process.finish()
    assert code == 1
    assert "disk is full" in said
    assert "Traceback" not in said
    assert [path.name for path in tmp_path.iterdir()] == ["events.jsonl"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--steps", 3), "made with steps 2, not 3"),
        (("--shard", 8), "made with shard 16, not 8"),
        (("--count", 30), "pairs-00001.parquet goes beyond --count 30"),
    ],
)
def test_other_settings_need_another_folder(
    at_home: Path, refused: Command, options: tuple, said: str
) -> None:
    given = (*OPTIONS, "--count", 40, "--output", at_home / "pairs", *options)
    refused(said, pairs, *given)


def test_a_teacher_of_another_content_needs_another_folder(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Command, works: Command
) -> None:
    """Under the same name: another noise schedule, another text encoder."""
    options = (*OPTIONS, "--count", 40, "--output", at_home / "pairs")
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    teacher = shutil.copytree(at_home / "models" / "tiny-sd", tmp_path / "models" / "tiny-sd")
    works(pairs, *options)
    config = teacher / "scheduler" / "scheduler_config.json"
    own = config.read_text()
    config.write_text(own.replace("0.012", "0.02"))
    refused("made with beta_end 0.012, not 0.02", pairs, *options)
    config.write_text(own)
    weights = teacher / "text_encoder" / "model.safetensors"
    save_file({name: 2 * each for name, each in load_file(weights).items()}, weights, {"format": "pt"})
    refused("made with weights", pairs, *options)


def test_prompts_come_from_a_file(at_home: Path, tmp_path: Path, works: Command) -> None:
    (tmp_path / "prompts.txt").write_text("a lake\n\nein Fluß 🌊\n")
    options = (*OPTIONS, "--output", tmp_path / "out", "--count", 3, "--prompts", tmp_path / "prompts.txt")
    works(pairs, *options)
    assert rows(tmp_path / "out")["prompt"].tolist() == ["a lake", "ein Fluß 🌊", "a lake"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--teacher", "nobody"), "no model 'nobody'"),
        (("--teacher", "../tiny-sd"), "'../tiny-sd'"),
        (("--teacher", "tiny-sd", "--steps", 0), "1 to 100, not 0"),
        (("--teacher", "tiny-sd", "--steps", 101), "1 to 100, not 101"),
        (("--teacher", "tiny-sd", "--guidance", -1), "0 to 20, not -1"),
        (("--teacher", "tiny-sd", "--count", 0), "at least 1, not 0"),
        (("--teacher", "tiny-sd", "--prompts", "absent.txt"), "absent.txt"),
    ],
)
def test_bad_input_is_named(
    at_home: Path, tmp_path: Path, refused: Command, options: tuple, said: str
) -> None:
    refused(said, pairs, *options, "--output", tmp_path / "out")
    assert not (tmp_path / "out").exists()
