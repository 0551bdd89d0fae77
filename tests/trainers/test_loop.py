"""The loop: learns, resumes bit for bit after a kill or a stop, and fails clearly."""

import json
import os
import signal
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from rf_app.errors import UserError
from tests.processes import Started, in_two
from tests.trainers.runs import run
from trainers.common import LoopConfig, checkpoints, events, train
from trainers.common.loop import Diverged, learning_rate

STEPS = 30


def started(folder: Path, step: int) -> Started:
    """A slow run in a process of its own that has come to a step."""
    process = Started(run, folder, STEPS, 0.05)
    process.wait_until(lambda: f"step {step}\n" in process.said())
    return process


def same_result(first: Path, second: Path) -> None:
    a, b = (load_file(folder / "result.safetensors") for folder in (first, second))
    assert a.keys() == b.keys()
    assert all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("whole")
    run(folder, STEPS)
    return folder


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, uninterrupted: Path) -> None:
    started(tmp_path, 10).kill()
    assert [path.stem for path in checkpoints.files(tmp_path)] == ["step-00000004", "step-00000008"]
    run(tmp_path, STEPS)
    same_result(tmp_path, uninterrupted)
    steps = [event["step"] for event in events.read(tmp_path / "events.jsonl")]
    assert steps == sorted(set(steps))
    assert steps[-1] == STEPS


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stopped_run_saves_its_step_and_resumes(tmp_path: Path, uninterrupted: Path, number: int) -> None:
    process = started(tmp_path, 5)
    process.send(number)
    code, said = process.finish()
    assert code == 0
    stopped = int(checkpoints.files(tmp_path)[-1].stem.removeprefix("step-"))
    assert 6 <= stopped < STEPS
    assert f"stopped at step {stopped}; the same command resumes" in said
    run(tmp_path, STEPS)
    same_result(tmp_path, uninterrupted)


@pytest.mark.parametrize("rank", [0, 1])
def test_a_signal_to_one_of_two_processes_ends_both_with_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rank: int
) -> None:
    """Both leave at the same step, whoever was asked, and the training goes on from there."""
    both = in_two(monkeypatch, run, tmp_path, STEPS, 0.05)
    both[0].wait_until(lambda: "step 5\n" in both[0].said())
    both[rank].send(signal.SIGTERM)
    (code, said), (other, _) = both[0].finish(), both[1].finish()
    assert (code, other) == (0, 0)
    stopped = checkpoints.steps_done(tmp_path)
    assert 6 <= stopped < STEPS
    assert f"stopped at step {stopped}; the same command resumes" in said
    assert [each.finish()[0] for each in in_two(monkeypatch, run, tmp_path, stopped + 1)] == [0, 0]
    assert checkpoints.steps_done(tmp_path) == stopped + 1


def run_apart(folder: Path, steps: int) -> None:
    """As on machines that share no folder."""
    run(folder / os.environ["RANK"], steps)


def test_processes_that_would_resume_at_different_steps_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "0").mkdir()
    run(tmp_path / "0", 4)
    ends = [each.finish() for each in in_two(monkeypatch, run_apart, tmp_path, 6)]
    assert all(code for code, _ in ends)
    assert "holds checkpoints of the steps 4, 0 for the processes" in ends[0][1]
    assert checkpoints.steps_done(tmp_path / "0") == 4


def test_a_second_training_in_a_run_folder_is_refused(tmp_path: Path) -> None:
    """While the first lives, and not when it has been killed: its lock goes with it."""
    first = started(tmp_path, 0)
    with pytest.raises(UserError, match=f"Another process works in {tmp_path}: wait until it has ended"):
        run(tmp_path, STEPS)
    first.kill()
    run(tmp_path, 1)


def test_a_finished_run_returns_at_once(uninterrupted: Path, capsys: pytest.CaptureFixture) -> None:
    before = (uninterrupted / "result.safetensors").read_bytes()
    run(uninterrupted, STEPS)
    assert (uninterrupted / "result.safetensors").read_bytes() == before
    assert "step 0" not in capsys.readouterr().out


def test_events_say_how_far(uninterrupted: Path) -> None:
    lines = [json.loads(line) for line in (uninterrupted / "events.jsonl").read_text().splitlines()]
    assert {"step", "of", "loss", "lr", "seconds_left", "samples_per_second"} <= lines[0].keys()
    assert lines[-1]["step"] == lines[-1]["of"] == STEPS
    assert lines[-1]["seconds_left"] == 0
    assert lines[-1]["loss"] < lines[0]["loss"]


def test_the_damaged_newest_checkpoint_is_skipped(tmp_path: Path, uninterrupted: Path) -> None:
    run(tmp_path, STEPS)
    newest = checkpoints.files(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    (tmp_path / "result.safetensors").unlink()
    run(tmp_path, STEPS)
    same_result(tmp_path, uninterrupted)


def test_a_run_folder_of_another_subject_is_refused(tmp_path: Path) -> None:
    def go(pairs: int) -> None:
        config = LoopConfig(tmp_path, 4, 1e-2, warmup=1, subject={"teacher": "sd", "pairs": pairs})
        train(config, nn.Linear(2, 2), lambda model, step, generator: model(torch.ones(1, 2)).square().sum())

    go(100)
    before = checkpoints.files(tmp_path)[-1].read_bytes()
    with pytest.raises(UserError, match="with pairs 100, not 200"):
        go(200)
    assert checkpoints.files(tmp_path)[-1].read_bytes() == before


def test_memory_layout_survives_resuming(tmp_path: Path) -> None:
    """Fused AdamW reads raw memory, so moments must come back in their parameter's layout."""

    def go(folder: Path, stop_at: int | None) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)).to(memory_format=torch.channels_last)

        def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
            if step == stop_at:
                signal.raise_signal(signal.SIGTERM)
            return (model(torch.randn(4, 3, 8, 8, generator=generator)) - 1).square().mean()

        return train(LoopConfig(folder, 8, 1e-2, warmup=1), model, loss)

    with pytest.raises(SystemExit):
        go(tmp_path / "stopped", 4)
    resumed, whole = go(tmp_path / "stopped", None), go(tmp_path / "whole", None)
    for a, b in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


def test_a_full_disk_keeps_the_last_checkpoint(tmp_path: Path) -> None:
    """A file-size limit is what one process can do to make the kernel refuse bytes."""
    run(tmp_path, 8)
    last = checkpoints.files(tmp_path)[-1]
    code, said = Started(run, tmp_path, STEPS, file_limit=last.stat().st_size // 2).finish()
    assert code == 1
    assert "disk is full" in said
    assert checkpoints.files(tmp_path)[-1] == last
    assert not list(last.parent.glob(".*.tmp"))


def test_divergence_stops_before_the_state_is_saved(tmp_path: Path) -> None:
    def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        return model(torch.ones(1, 1)).mean() * (torch.nan if step > 20 else 1)

    said = rf"loss is nan at step 30 .* The checkpoint of step 20 in {tmp_path} is intact"
    with pytest.raises(Diverged, match=said):
        train(LoopConfig(tmp_path, 50, 1e-3, checkpoint_every=10), nn.Linear(1, 1), loss)
    assert checkpoints.files(tmp_path)[-1].stem == "step-00000020"


def test_a_loss_far_above_what_it_was_ends_the_training(tmp_path: Path) -> None:
    def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        return model(torch.ones(1, 1)).square().mean() * 0 + (1 if step < 20 else 200)

    with pytest.raises(
        Diverged, match=f"loss is 200 at step 30 .it began at 1.. {tmp_path} has no checkpoint"
    ):
        train(LoopConfig(tmp_path, 50, 1e-3, checkpoint_every=40), nn.Linear(1, 1), loss)


def test_eight_bit_moments_resume_to_the_same_weights(tmp_path: Path) -> None:
    pytest.importorskip("bitsandbytes")

    def go(folder: Path, steps: int, **more: bool) -> nn.Module:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(64, 64), nn.Linear(64, 1))
        config = LoopConfig(folder, 6, 1e-2, warmup=1, checkpoint_every=2, **more)

        def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
            if step == steps:
                signal.raise_signal(signal.SIGTERM)
            return (model(torch.randn(4, 64, generator=generator)) - 1).square().mean()

        return train(config, model, loss)

    whole = go(tmp_path / "whole", 6, use_8bit_adam=True)
    with pytest.raises(SystemExit):
        go(tmp_path / "cut", 3, use_8bit_adam=True)
    with pytest.raises(UserError, match="a training with --use-8bit-adam"):
        go(tmp_path / "cut", 6)
    resumed = go(tmp_path / "cut", 6, use_8bit_adam=True)
    for a, b in zip(resumed.parameters(), whole.parameters(), strict=True):
        assert torch.equal(a, b)


def test_eight_bit_moments_want_their_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(UserError, match="--use-8bit-adam needs bitsandbytes"):
        train(
            LoopConfig(tmp_path, 2, 1e-2, use_8bit_adam=True), nn.Linear(1, 1), lambda m, s, g: m.weight.sum()
        )


def tracked(folder: Path, steps: int) -> nn.Module:
    """A training that TensorBoard follows, stopped after so many steps."""

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        if step == steps:
            signal.raise_signal(signal.SIGTERM)
        return model(torch.ones(1, 1)).square().mean()

    return train(
        LoopConfig(folder, 30, 1e-3, checkpoint_every=10, tracker="tensorboard"), nn.Linear(1, 1), loss
    )


def test_tensorboard_has_the_events_once_over_a_stop(tmp_path: Path) -> None:
    reader = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    with pytest.raises(SystemExit):
        tracked(tmp_path, 14)
    checkpoints.files(tmp_path)[-1].unlink()  # as after a kill: what came after step 10 is done again
    tracked(tmp_path, 30)
    shown = reader.EventAccumulator(str(tmp_path / "instaflow")).Reload()
    heard = events.read(tmp_path / "events.jsonl")
    assert [each.step for each in shown.Scalars("loss")] == [event["step"] for event in heard] == [10, 20, 30]
    assert [each.value for each in shown.Scalars("loss")] == pytest.approx([e["loss"] for e in heard], 1e-4)


def test_a_tracker_wants_its_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(
        UserError, match="--tracker tensorboard needs tensorboard, which is not installed: pip"
    ):
        tracked(tmp_path, 30)
    assert not list(tmp_path.iterdir())


def test_weights_broken_by_the_last_update_are_not_saved(tmp_path: Path) -> None:
    model, calls = nn.Linear(1, 1), []

    def loss(model: nn.Module, step: int, generator: torch.Generator) -> torch.Tensor:
        calls.append(step)
        return model(torch.ones(1, 1)).square().mean()

    model.weight.register_hook(lambda slope: slope * (torch.nan if len(calls) == 20 else 1))
    with pytest.raises(Diverged, match="not finite any more at step 20"):
        train(LoopConfig(tmp_path, 50, 1e-3, checkpoint_every=10), model, loss)
    assert checkpoints.files(tmp_path)[-1].stem == "step-00000010"


def test_the_checkpoint_of_another_model_is_refused(uninterrupted: Path) -> None:
    with pytest.raises(UserError, match="another model"):
        train(
            LoopConfig(uninterrupted, STEPS, 1e-3), nn.Linear(2, 2), lambda m, s, g: m(torch.ones(1, 2)).sum()
        )


def weights_after(folder: Path, steps: int, **more: int) -> dict[str, torch.Tensor]:
    """A small training without dropout, whose draws are functions of their number."""
    torch.manual_seed(0)

    def loss(model: nn.Module, draw: int, generator: torch.Generator) -> torch.Tensor:
        return (model(torch.full((1, 2), float(draw))) - 1).square().mean()

    config = LoopConfig(folder, steps, 1e-2, warmup=1, checkpoint_every=2, **more)
    return train(config, nn.Linear(2, 1), loss).state_dict()


def test_accumulated_draws_are_averaged(tmp_path: Path) -> None:
    """Three draws a step are as one draw of the mean of their losses."""
    torch.manual_seed(0)

    def whole(model: nn.Module, draw: int, generator: torch.Generator) -> torch.Tensor:
        x = torch.arange(3 * draw, 3 * draw + 3).float()[:, None].expand(-1, 2)
        return (model(x) - 1).square().mean()

    config = LoopConfig(tmp_path / "a", 4, 1e-2, warmup=1, checkpoint_every=2)
    at_once = train(config, nn.Linear(2, 1), whole).state_dict()
    parts = weights_after(tmp_path / "b", 4, accumulate=3)
    assert all(torch.allclose(parts[name], at_once[name], atol=1e-6) for name in at_once)
    losses = [events.read(tmp_path / name / "events.jsonl")[-1]["loss"] for name in "ab"]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_accumulated_draws_resume_to_the_same_weights(tmp_path: Path) -> None:
    whole = weights_after(tmp_path / "whole", 4, accumulate=2)
    newest = weights_after(tmp_path / "cut", 4, accumulate=2) and checkpoints.files(tmp_path / "cut")[-1]
    newest.unlink()
    resumed = weights_after(tmp_path / "cut", 4, accumulate=2)
    assert all(torch.equal(resumed[name], whole[name]) for name in whole)


def test_a_finished_run_goes_on_with_more_steps(tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    """From its last checkpoint, at the rate that the new length has there."""
    weights_after(tmp_path, 2)
    weights_after(tmp_path, 4)
    assert "resuming" in capsys.readouterr().out
    assert checkpoints.steps_done(tmp_path) == 4
    heard = events.read(tmp_path / "events.jsonl")
    assert [event["step"] for event in heard] == [2, 4]
    longer = LoopConfig(tmp_path, 4, 1e-2, warmup=1)
    assert heard[-1]["lr"] == pytest.approx(learning_rate(longer, 3), rel=1e-4)
    with pytest.raises(UserError, match="a training of 4 steps, more than 3"):
        weights_after(tmp_path, 3)


def test_learning_rate_warms_up_and_falls_to_zero() -> None:
    config = LoopConfig(Path("r"), 1000, 1e-3, warmup=10)
    assert learning_rate(config, 0) == pytest.approx(1e-4, rel=1e-3)
    assert learning_rate(config, 500) == pytest.approx(0.5e-3)
    assert learning_rate(config, 999) < 1e-8


def test_samples_see_the_averaged_weights_and_leave_training_alone(tmp_path: Path) -> None:
    seen: list[torch.Tensor] = []

    def go(folder: Path, samples: object) -> nn.Module:
        torch.manual_seed(0)
        config = LoopConfig(folder, 6, 1e-1, warmup=1, sample_every=3)
        return train(
            config,
            nn.Linear(2, 1),
            lambda m, s, g: m(torch.randn(4, 2, generator=g)).square().mean(),
            samples,
        )

    with_samples = go(tmp_path / "a", lambda model, step: seen.append(model.weight.detach().clone()))
    without = go(tmp_path / "b", None)
    assert torch.equal(with_samples.weight, without.weight)
    assert len(seen) == 2
    assert torch.equal(seen[-1], with_samples.weight)
