"""Reflow: its loss at a known flow, its densities, short real runs with kill and resume."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from safetensors.torch import load_file
from scipy.stats import kstest
from torch import Tensor, nn

from rf_app.flow.conversion import NoiseSchedule
from rf_app.flow.coupling import crossings
from rf_app.flow.path import uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from tests.processes import command, in_two, run_command
from tests.tiny import tiny_unet
from tests.trainers.commands import UNET, Command
from trainers import pairs, reflow
from trainers.common import events
from trainers.common.models import load_frozen
from trainers.common.objectives import draw_tau, drop_text, reflow_loss
from trainers.data.shards import shard_paths
from trainers.data.store import Batch
from trainers.reflow import times_rectified

OPTIONS = ("--teacher", "tiny-sd", "--batch", 4)


class Constant(nn.Module):
    """A network that predicts one and the same array."""

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.value = value

    def forward(
        self, x: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool
    ) -> tuple[Tensor]:
        return (self.value,)


def batch() -> Batch:
    torch.manual_seed(0)
    return Batch(torch.randn(6, 8, 12, 12), torch.randn(6, 8, 12, 12), torch.randn(6, 5, 32))


@pytest.mark.parametrize("loss", ["velocity", "huber"])
def test_the_loss_is_zero_at_the_true_velocity(loss: str) -> None:
    given, tau = batch(), torch.linspace(0, 1, 6)
    assert reflow_loss(Constant(given.x1 - given.x0), given, tau, None, loss) == pytest.approx(0, abs=1e-6)


def test_the_losses_at_a_constant_error() -> None:
    """v off by 0.5 everywhere: squared error 0.25; x1_hat off by 0.5 (1 - tau)."""
    given, tau = batch(), torch.full((6,), 0.25)
    network = Constant(given.x1 - given.x0 + 0.5)
    assert reflow_loss(network, given, tau, None) == pytest.approx(0.25, rel=1e-4)
    expected = math.hypot(0.375, 1e-3) - 1e-3
    assert reflow_loss(network, given, tau, None, "huber") == pytest.approx(expected, rel=1e-4)


def test_a_matched_start_scores_the_diffusion_model_as_it_is(at_home: Path) -> None:
    """A network that predicts the pair's own noise is the true velocity, above the lowest tau."""
    schedule: NoiseSchedule = schedule_of(load_frozen(Registry.default(), "tiny-sd").scheduler)
    given, tau = batch(), torch.linspace(0.1, 1, 6)
    assert reflow_loss(Constant(given.x0), given, tau, schedule) < 1e-9


def test_densities() -> None:
    """Kolmogorov and Smirnov's test against the closed forms; the seed is fixed."""
    generator = torch.Generator().manual_seed(0)
    assert kstest(draw_tau("uniform", 20_000, generator).numpy(), "uniform").pvalue > 0.01

    def cumulative(tau: np.ndarray) -> np.ndarray:
        rising, falling = np.expm1(4 * tau), np.expm1(4) - np.expm1(4 * (1 - tau))
        return (rising + falling) / (2 * np.expm1(4))

    drawn = draw_tau("u-shaped", 20_000, generator).numpy()
    assert kstest(drawn, cumulative).pvalue > 0.01
    assert kstest(drawn, "uniform").pvalue < 1e-6


class Plane(nn.Module):
    """A small network on the plane, called as a U-Net is."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Linear(3, 48), nn.SiLU(), nn.Linear(48, 48), nn.SiLU(), nn.Linear(48, 2)
        )

    def forward(
        self, x: Tensor, t: Tensor, encoder_hidden_states: Tensor, return_dict: bool
    ) -> tuple[Tensor]:
        return (self.layers(torch.cat([x, t.expand(len(x))[:, None] / 1000], 1)),)


def rectified(x0: Tensor, x1: Tensor) -> Tensor:
    """Where the flow that `reflow_loss` learns from a coupling on the plane takes x0."""
    network, generator = Plane(), torch.Generator().manual_seed(1)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    text = torch.zeros(len(x0), 1, 1)
    for _ in range(120):
        picks = torch.randint(len(x0), (256,), generator=generator)
        tau = draw_tau("uniform", 256, generator)
        optimizer.zero_grad()
        reflow_loss(network, Batch(x0[picks], x1[picks], text[picks]), tau, None).backward()
        optimizer.step()
    with torch.no_grad():
        return euler(velocity_field(network, text), x0, uniform_taus(20)).x


def test_reflow_of_a_known_coupling_lowers_its_cost_and_crossings_and_keeps_its_ends() -> None:
    """A standard normal and two clusters beside it, paired at random: E |x1 - x0|^2 = 2 + 2 d^2 + m^2."""
    torch.manual_seed(0)
    count, apart, deviation = 4096, 2.0, 0.3
    x0 = torch.randn(count, 2)
    side = torch.where(torch.rand(count) < 0.5, -apart, apart)
    x1 = deviation * torch.randn(count, 2)
    x1[:, 0] += side

    def cost(ends: Tensor) -> float:
        return (ends - x0).square().sum(1).mean().item()

    once = rectified(x0, x1)
    twice = rectified(x0, once)
    costs = [cost(ends) for ends in (x1, once, twice)]
    assert costs[0] == pytest.approx(2 + 2 * deviation**2 + apart**2, rel=0.03)
    assert costs[1] < 0.7 * costs[0]
    assert costs[2] < 1.05 * costs[1]
    crossed = [crossings(x0, ends, torch.Generator().manual_seed(2)) for ends in (x1, once, twice)]
    assert max(crossed[1:]) < crossed[0] / 3
    for ends in (once, twice):
        assert torch.allclose(ends.mean(0), x1.mean(0), atol=0.3)
        assert ends[:, 0].abs().mean().item() == pytest.approx(apart, rel=0.2)


def test_dropped_texts_become_the_empty_one() -> None:
    text, null = torch.ones(2000, 3, 4), torch.zeros(1, 3, 4)
    dropped = drop_text(text, null, torch.Generator().manual_seed(0)).flatten(1)
    assert ((dropped == 0).all(1) | (dropped == 1).all(1)).all()
    assert 60 < int((dropped == 0).all(1).sum()) < 140


@pytest.mark.parametrize(("start_from", "prediction"), [("matched", "epsilon"), ("raw", "velocity")])
def test_a_run_publishes_a_flow_that_is_straighter_on_its_pairs(
    at_home: Path, works: Command, start_from: str, prediction: str
) -> None:
    id = f"flow-{start_from}"
    options = (*OPTIONS, "--pairs", at_home / "pairs", "--output", id, "--steps", 40, "--start", start_from)
    works(reflow, *options)
    first, *_, last = events.read(at_home / "runs" / "reflow" / id / "events.jsonl")
    assert last["loss"] < first["loss"]
    assert last.keys() >= {"psnr", "straightness"}

    registry = Registry.default()
    card = registry.card(id)
    assert (card.kind, card.base_model, card.lineage) == ("rectified-flow", "tiny-sd", ("tiny-sd",))
    assert card.settings["pairs"]["count"] == 40
    published = load_frozen(registry, id)
    assert published.scheduler.config.prediction_type == prediction
    assert published("a lake", num_inference_steps=2, guidance_scale=1.0).images[0].size == (96, 96)
    changed = [
        not torch.equal(a, b)
        for a, b in zip(published.unet.parameters(), tiny_unet(3).parameters(), strict=True)
    ]
    assert all(changed)
    assert list((at_home / "runs" / "reflow" / id / "samples").glob("*.png"))


def test_rectifications_are_counted_by_kind_not_by_name(tiny_registry: Registry) -> None:
    plain, flow, quick = (tiny_registry.card(id) for id in ("tiny-sd", "tiny-2rf", "tiny-instaflow"))
    merged = replace(flow, lineage=(*flow.lineage, flow.id), settings={"merged": {"strength": 1.0}})
    for teacher, times in ((plain, 2), (replace(plain, id="surf"), 2), (flow, 3), (quick, 3), (merged, 3)):
        assert times_rectified(tiny_registry, teacher) == times
    assert times_rectified(tiny_registry, replace(flow, id="straight")) == 3


def test_a_second_reflow_starts_from_the_first(at_home: Path, works: Command) -> None:
    own = ("--teacher", "tiny-2rf", "--output", "tiny-3rf")
    works(reflow, *own, "--pairs", at_home / "pairs", "--batch", 4, "--steps", 2)
    card = Registry.default().card("tiny-3rf")
    assert card.lineage == ("tiny-sd", "tiny-2rf")
    assert card.title.startswith("3-rectified flow")


def test_a_killed_run_resumes_to_the_same_weights(at_home: Path, survives: Callable) -> None:
    def options(name: str) -> tuple:
        own = ("--pairs", at_home / "pairs", "--output", name, "--steps", 20, "--checkpoint-every", 2)
        return (*OPTIONS, *own)

    survives(reflow, options, "models", UNET)


def in_one_thread(trainer: str, options: list[str]) -> None:
    """A command that leaves the other cores to the other process."""
    torch.set_num_threads(1)
    run_command(trainer, options)


@pytest.mark.slow
def test_two_processes_learn_as_one_with_their_batches_together(
    at_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, works: Command
) -> None:
    """Pairs without duplicates or holes, the loss of one process; what cannot be shared is refused."""

    def in_both(trainer: str, *options: object) -> list[tuple[int, str]]:
        both = in_two(monkeypatch, in_one_thread, trainer, [str(each) for each in options])
        return [each.finish() for each in both]

    made = ("--teacher", "tiny-sd", "--steps", 2, "--shard", 16, "--count", 100, "--output")
    assert [code for code, _ in in_both("pairs", *made, tmp_path / "two")] == [0, 0]
    works(pairs, *made, tmp_path / "one")
    two, one = (pq.ParquetDataset(shard_paths(tmp_path / name)).read() for name in ("two", "one"))
    assert two["seed"].to_pylist() == list(range(100))
    assert two["noise"].equals(one["noise"])

    own = ("--teacher", "tiny-sd", "--pairs", tmp_path / "two", "--steps", 60)
    own += ("--start", "raw", "--output")
    works(reflow, *own, "alone", "--batch", 16)
    ended = in_both("reflow", *own, "shared", "--batch", 8)
    assert [code for code, _ in ended] == [0, 0], ended
    runs = at_home / "runs" / "reflow"
    alone, shared = (
        np.mean([event["loss"] for event in events.read(runs / name / "events.jsonl")[-3:]])
        for name in ("alone", "shared")
    )
    assert shared == pytest.approx(alone, rel=0.1)
    assert Registry.default().card("shared").settings["processes"] == 2

    judged = ("--judge", at_home / "judge", "--match-steps", 2)
    refused = in_both(
        "distill", "--teacher", "tiny-sd", "--pairs", tmp_path / "two", *judged, "--output", "no"
    )
    assert [code for code, _ in refused] == [2, 2]
    assert "--match-steps works in one process alone" in refused[0][1]


def test_a_training_says_what_ran(at_home: Path, works: Command) -> None:
    """Checkpointed gradients are the same gradients; the card has the arithmetic it ran in."""
    own = (*OPTIONS, "--pairs", at_home / "pairs", "--steps", 3, "--output")
    works(reflow, *own, "kept")
    works(reflow, *own, "again", "--gradient-checkpointing")
    kept, again = (events.read(at_home / "runs/reflow" / name / "events.jsonl") for name in ("kept", "again"))
    assert again[-1]["loss"] == pytest.approx(kept[-1]["loss"], rel=1e-3)
    said = Registry.default().card("again").settings
    assert said["gradient_checkpointing"] is True
    assert (said["precision"], said["batch"], said["accumulate"]) == ("no", 4, 1)


def test_a_full_disk_while_publishing_leaves_no_model(at_home: Path, works: Command) -> None:
    options = (*OPTIONS, "--pairs", at_home / "pairs", "--output", "full", "--steps", 4)
    works(reflow, *options, "--models", at_home / "other")
    code, said = command(at_home, "reflow", *options, file_limit=50_000).finish()
    assert code == 1
    assert "disk is full" in said
    assert "Traceback" not in said
    assert not (at_home / "models" / "full").exists()
    assert not [path for path in (at_home / "models").iterdir() if path.name.startswith(".")]


def test_a_run_computes_in_the_precision_asked_for(home: Path) -> None:
    own = (*OPTIONS, "--pairs", home / "pairs", "--steps", 2, "--output")
    code, said = command(home, "reflow", *own, "halved", "--precision", "bf16").finish()
    assert code == 0, said
    code, said = command(home, "reflow", *own, "float32", "--precision", "no").finish()
    assert code == 0, said
    halved, full = (load_file(home / "models" / name / UNET) for name in ("halved", "float32"))
    assert any(not torch.equal(halved[name], full[name]) for name in full)
    assert Registry([home / "models"]).card("halved").settings["precision"] == "bf16"


@pytest.mark.skipif(torch.accelerator.is_available(), reason="a GPU computes in fp16")
def test_a_precision_that_the_device_does_not_have_is_named(home: Path) -> None:
    own = (*OPTIONS, "--pairs", home / "pairs", "--steps", 2, "--output", "x", "--precision", "fp16")
    code, said = command(home, "reflow", *own).finish()
    assert code == 2
    assert "error: --precision fp16 needs a GPU" in said


def test_a_network_in_parts_is_refused(
    at_home: Path, monkeypatch: pytest.MonkeyPatch, refused: Command
) -> None:
    monkeypatch.setenv("ACCELERATE_USE_FSDP", "true")  # as `accelerate launch --use_fsdp` has it
    options = ("--teacher", "tiny-sd", "--pairs", at_home / "pairs", "--output", "parted")
    refused("accelerate is set to FSDP, but the trainers hold the whole network", reflow, *options)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--teacher", "nobody", "--output", "x"), "no model 'nobody'"),
        (("--teacher", "tiny-sd", "--output", "../x"), "'../x'"),
        (("--teacher", "tiny-sd", "--output", "tiny-2rf"), "already a model 'tiny-2rf'"),
        (("--teacher", "tiny-sd", "--output", "x", "--steps", 0), "steps must be at least 1"),
        (("--teacher", "tiny-sd", "--output", "x", "--batch", 41), "fewer than a batch of 41"),
        (("--teacher", "tiny-sd", "--output", "x", "--start", "cold"), "cold"),
        (("--teacher", "tiny-sd", "--output", "x", "--pairs", "absent"), "no pairs in absent"),
    ],
)
def test_bad_input_is_named(at_home: Path, refused: Command, options: tuple, said: str) -> None:
    options = options if "--pairs" in options else (*options, "--pairs", at_home / "pairs")
    refused(said, reflow, *options)
    assert not (at_home / "models" / "x").exists()


def test_a_shard_cut_short_is_named(at_home: Path, tmp_path: Path, refused: Command) -> None:
    for path in (at_home / "pairs").glob("*.parquet"):
        (tmp_path / path.name).write_bytes(
            path.read_bytes()[: -50 if path.name.endswith("1.parquet") else None]
        )
    refused("pairs-00001.parquet is cut short", reflow, *OPTIONS, "--pairs", tmp_path, "--output", "x")
