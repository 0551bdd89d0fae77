"""Distillation: its target, its stages in short real runs, stop and resume."""

import signal
from itertools import chain
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import Distill
from tests.processes import command
from tests.trainers.commands import UNET, Command
from trainers import distill
from trainers.common import checkpoints, events
from trainers.common.models import flow_scheduler, load_frozen, sample
from trainers.common.objectives import ON_THE_WAY, draw_begins, one_step
from trainers.data.store import Batch, Pairs


def options(home: Path, output: str, *more: object) -> tuple:
    batches = ("--l2-batch", 4, "--lpips-batch", 2, "--match-batch", 4)
    own = ("--pairs", home / "pairs", "--judge", home / "judge", "--output", output)
    return (*own, *batches, *(more if "--teacher" in more else ("--teacher", "tiny-2rf", *more)))


@pytest.mark.parametrize("id", ["tiny-2rf", "tiny-sd"])
def test_the_trained_step_is_the_published_schedulers(at_home: Path, id: str) -> None:
    """x0 + v(x0, 0) is what one step of the scheduler published with the model does."""
    model = load_frozen(Registry.default(), id)
    batch = Pairs(at_home / "pairs", model).batch(torch.arange(3))
    schedule = schedule_of(model.scheduler)
    scheduler = flow_scheduler(id, model.scheduler, matched=True)
    stepped = sample(model.unet, scheduler, batch.x0, batch.text, batch.text[:1], 1.0, 1)
    with torch.no_grad():
        assert torch.allclose(one_step(model.unet, batch, schedule), stepped, rtol=1e-4, atol=1e-3)


def test_a_step_from_anywhere_ends_at_the_data_whatever_point_of_a_straight_path_it_begins_at() -> None:
    generator = torch.Generator().manual_seed(0)
    x0, x1 = torch.randn(2, 400, 2, 3, 3, generator=generator)
    batch = Batch(x0, x1, torch.zeros(400, 1, 1))
    tau = draw_begins(400, generator)

    def straight(*_: object, **__: object) -> tuple[torch.Tensor]:
        return (x1 - x0,)

    assert torch.allclose(one_step(straight, batch, None, tau), x1, atol=1e-5)
    assert set(tau.tolist()) == {0.0, *torch.tensor(ON_THE_WAY).tolist()}
    assert 0.4 < (tau == 0).float().mean() < 0.6


def test_a_step_learned_from_anywhere_begins_nearer_to_a_picture(at_home: Path, works: Command) -> None:
    """The error of latents from half the way there, after as many steps with the option and without it."""
    model = load_frozen(Registry.default(), "tiny-2rf")
    batch = Pairs(at_home / "pairs", model).batch(torch.arange(8))

    def error(output: str, *more: object) -> float:
        options_ = options(at_home, output, "--l2-steps", 30, "--lpips-steps", 0, *more)
        works(distill, *options_)
        student = load_frozen(Registry.default(), output)
        with torch.no_grad():
            made = one_step(student.unet, batch, schedule_of(student.scheduler), 0.6)
        return float((made - batch.x1).square().mean())

    assert error("anywhere", "--anywhere") < error("noise-alone")
    assert Registry.default().card("anywhere").settings["anywhere"] is True
    with pytest.raises(UserError, match="anywhere"):
        distill.main(
            Distill(
                teacher="tiny-2rf",
                pairs=at_home / "pairs",
                output="anywhere",
                overwrite=True,
                l2_steps=31,
                lpips_steps=0,
                l2_batch=4,
            )
        )


def test_all_stages_learn_and_publish(at_home: Path, works: Command) -> None:
    more = ("--l2-steps", 20, "--lpips-steps", 10, "--match-steps", 10)
    works(distill, *options(at_home, "one", *more))
    run = at_home / "runs" / "distill" / "one"
    l2, lpips, match = (events.read(run / stage / "events.jsonl") for stage in ("l2", "lpips", "match"))
    assert l2[-1]["loss"] < l2[0]["loss"]
    assert lpips[-1].keys() >= {"lpips", "l2"}
    assert match[-1].keys() >= {"critic", "l2", "match", "psnr"}
    card = Registry.default().card("one")
    assert (card.kind, card.steps, card.lineage) == ("one-step", 1, ("tiny-sd", "tiny-2rf"))
    assert "then distribution matching against `tiny-sd`" in card.description
    assert (card.settings["match_teacher"], card.settings["match_guidance"]) == ("tiny-sd", 3.0)
    assert load_frozen(Registry.default(), "one").scheduler.config.prediction_type == "velocity"


@pytest.mark.parametrize(("start_from", "prediction"), [("matched", "epsilon"), ("raw", "velocity")])
def test_straight_from_the_diffusion_teacher(
    at_home: Path, works: Command, start_from: str, prediction: str
) -> None:
    id = f"straight-{start_from}"
    more = ("--teacher", "tiny-sd", "--start", start_from, "--l2-steps", 2, "--lpips-steps", 0)
    works(distill, *options(at_home, id, *more))
    assert load_frozen(Registry.default(), id).scheduler.config.prediction_type == prediction


def test_a_matched_network_polishes_in_float32(at_home: Path) -> None:
    learned = []
    for precision in ("bf16", "no"):
        more = ("--teacher", "tiny-sd", "--l2-steps", 0, "--lpips-steps", 2, "--precision", precision)
        code, said = command(at_home, "distill", *options(at_home, precision, *more)).finish()
        assert code == 0, said
        learned.append(load_file(at_home / "models" / precision / UNET))
        settings = Registry.default().card(precision).settings
        assert (settings["precision"], settings["float32"]) == (precision, ["lpips"])
    one, other = learned
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(("stage", "steps"), [("lpips", (2, 8, 0)), ("match", (2, 0, 8))])
def test_a_run_stopped_in_a_later_stage_resumes_to_the_same_weights(
    at_home: Path, works: Command, stage: str, steps: tuple[int, int, int]
) -> None:
    each = zip(("--l2-steps", "--lpips-steps", "--match-steps"), steps, strict=True)
    more = (*chain(*each), "--checkpoint-every", 2, "--match-every", 3)
    stopped_id, through_id = f"{stage}-stopped", f"{stage}-through"
    process = command(at_home, "distill", *options(at_home, stopped_id, *more))
    run = at_home / "runs" / "distill" / stopped_id / stage
    process.wait_until(lambda: checkpoints.steps_done(run) >= 2)
    process.send(signal.SIGTERM)
    code, said = process.finish()
    assert code == 0, said
    assert "the same command resumes" in said
    assert not (at_home / "models" / stopped_id).exists()
    for name in (stopped_id, through_id):
        works(distill, *options(at_home, name, *more))
    stopped, through = (load_file(at_home / "models" / name / UNET) for name in (stopped_id, through_id))
    assert all(torch.equal(stopped[name], through[name]) for name in through)


def test_a_finished_distillation_goes_on_with_more_steps(
    at_home: Path, works: Command, refused: Command, capsys: pytest.CaptureFixture
) -> None:
    """The first stage from its end; the others anew, for they began where the one before had ended."""

    def steps(l2: int, lpips: int, *more: str) -> tuple:
        given = ("--l2-steps", l2, "--lpips-steps", lpips, "--match-steps", 1)
        return options(at_home, "longer", *given, "--match-every", 1, "--accumulate", 2, *more)

    run = at_home / "runs" / "distill" / "longer"
    works(distill, *steps(2, 2))
    refused("already a model 'longer'", distill, *steps(4, 2))
    works(distill, *steps(2, 4, "--overwrite"))
    assert [checkpoints.steps_done(run / stage) for stage in ("l2", "lpips")] == [2, 4]
    capsys.readouterr()
    works(distill, *steps(4, 2, "--overwrite"))
    assert [checkpoints.steps_done(run / stage) for stage in ("l2", "lpips")] == [4, 2]
    assert checkpoints.steps_done(run / "match") == 1
    assert capsys.readouterr().out.count("resuming") == 1
    assert Registry.default().card("longer").settings["l2_steps"] == 4


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (("--l2-steps", 0, "--lpips-steps", 0), "one must be more than 0"),
        (("--judge", "absent"), "absent holds no judge.safetensors"),
        (("--teacher", "nobody"), "no model 'nobody'"),
        (("--match-steps", 1, "--match-teacher", "tiny-2rf"), "it must be a diffusion model"),
        (("--match-steps", 1, "--match-teacher", "pocket-sd"), "has not the text encoder"),
    ],
)
def test_bad_input_is_named(at_home: Path, refused: Command, more: tuple, said: str) -> None:
    refused(said, distill, *options(at_home, "x", *more))
