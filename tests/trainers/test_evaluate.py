"""Evaluation: what it writes, that it is right, and that two processes measure what one does."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from rf_app.registry.models import Registry
from tests.trainers.commands import in_process
from trainers import evaluate


def options(home: Path, file: Path, *more: object) -> tuple:
    return ("--judge", home / "judge", "--prompts", 12, "--json", file, *more)


def test_one_row_is_an_object(at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "one.json"
    more = ("--model", "tiny-2rf", "--steps", 2, "--guidance", 1.5, "--seed", 7)
    assert in_process(evaluate, options(at_home, file, *more), monkeypatch) == 0
    row = json.loads(file.read_text())
    assert {"fid", "fidelity", "straightness", "transport_cost", "seconds_per_image"} <= row.keys()
    assert (row["model"], row["steps"], row["guidance"]) == ("tiny-2rf", 2, 1.5)
    assert 0 <= row["fidelity"]["mean"] <= 1
    assert row["measured_on"]["first_seed"] == 1_000_000_007
    assert row["measured_on"]["prompts"] == 12
    assert Registry.default().card("tiny-2rf").measured == {}


def test_rows_share_the_run_and_go_into_the_cards(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One-step models are measured at 1 step only; S is one figure, transport has one for each row."""
    file = tmp_path / "rows.json"
    more = ("--model", "tiny-sd", "tiny-instaflow", "--steps", 1, 2, "--write-card")
    assert in_process(evaluate, options(at_home, file, *more), monkeypatch) == 0
    rows = json.loads(file.read_text())
    assert [(row["model"], row["steps"]) for row in rows] == [
        ("tiny-sd", 1),
        ("tiny-sd", 2),
        ("tiny-instaflow", 1),
    ]
    assert rows[0]["straightness"] == rows[1]["straightness"]
    assert rows[0]["transport_cost"] != rows[1]["transport_cost"]
    measured = Registry.default().card("tiny-sd").measured
    assert measured["2 steps"]["fid"] == rows[1]["fid"]
    assert measured["measured_on"]["prompts"] == 12


def test_two_processes_measure_what_one_does(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """66 prompts are two batches, one for each process."""
    own = ("--model", "tiny-2rf", "--steps", 1, "--judge", at_home / "judge", "--prompts", 66)
    assert in_process(evaluate, (*own, "--json", tmp_path / "1.json"), monkeypatch) == 0
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


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--model", "nobody"), "no model 'nobody'"),
        (("--model", "tiny-sd", "--steps", 4, 0), "1 to 100, not 0"),
        (("--model", "tiny-sd", "--guidance", 21), "0 to 20, not 21"),
        (("--model", "tiny-sd", "--prompts", 1), "2 to 100000, not 1"),
        (("--model", "tiny-sd", "--judge", "absent"), "absent holds no judge.safetensors"),
    ],
)
def test_bad_input_is_named(
    at_home: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture,
    more: tuple,
    said: str,
) -> None:
    assert in_process(evaluate, options(at_home, tmp_path / "x.json", *more), monkeypatch) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "x.json").exists()
