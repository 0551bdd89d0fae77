"""The commands a wish becomes, and what it takes."""

from dataclasses import replace
from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.jobs import estimate, events, training
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.plan import MAX_PROMPT, Wish, check_prompts, stages
from rf_app.jobs.progress import progress
from rf_app.jobs.runner import _Attended, _measured
from rf_app.jobs.stage import Stage
from rf_app.registry.models import Registry
from tests.tiny import tiny_card

TEACHER = tiny_card("tiny-sd", "diffusion", 4, 3.0)


def planned(recipe: str = "instaflow", **more) -> tuple:
    wish = Wish(recipe, "tiny-sd", "mine", **more)
    return stages(wish, TEACHER, Path("/j/1"), Path("/m/models"))


def test_the_whole_chain_has_its_stages_in_order() -> None:
    assert [stage.module for stage in planned()] == [
        f"trainers.{name}" for name in ("pairs", "reflow", "pairs", "distill")
    ]
    assert planned()[-1].product == "/m/models/mine"
    with_style = planned(style="woodcut")
    assert with_style[0].module == "trainers.merge"
    teacher = with_style[1].arguments[with_style[1].arguments.index("--teacher") + 1]
    assert teacher == "mine-teacher"


def test_pairs_made_before_are_used_again() -> None:
    (only,) = planned("reflow", pairs="/old/pairs")
    assert only.arguments[only.arguments.index("--pairs") + 1] == "/old/pairs"


def test_own_settings_go_before_the_presets() -> None:
    stage = planned("reflow", preset="quick", settings={"reflow.steps": "77", "reflow.start": "raw"})[-1]
    assert stage.arguments[stage.arguments.index("--steps") + 1] == "77"
    assert stage.loops[0].samples == 77 * 24
    assert "raw" in stage.arguments


def value(stage: Stage, option: str) -> str | None:
    return stage.arguments[stage.arguments.index(option) + 1] if option in stage.arguments else None


def test_pairs_are_drawn_as_suits_the_model_that_draws_them() -> None:
    """Guidance 2 for the targets of a straight model; a diffusion model's own guidance, in 12 steps."""
    teacher, _, straight, _ = planned()
    assert (value(teacher, "--steps"), value(teacher, "--guidance")) == ("12", None)
    assert (value(straight, "--steps"), value(straight, "--guidance")) == ("8", "2.0")
    assert straight.loops[0].samples == teacher.loops[0].samples * 8 / 12
    own = planned(settings={"pairs.steps": 20, "pairs.guidance": 1})[2]
    assert (value(own, "--steps"), value(own, "--guidance")) == ("20", "1.0")


def test_the_whole_way_is_reflow_and_distillation_of_its_result() -> None:
    """As `make weights` runs them one after the other: one recipe, one product."""
    flow = tiny_card("mine-2rf", "rectified-flow", 4, 1.0)
    whole = planned(preset="bundled")
    first = planned("reflow", preset="bundled")
    second = stages(
        Wish("distill", "mine-2rf", "mine", preset="bundled"), flow, Path("/j/2"), Path("/m/models")
    )
    named = ("--output", "--title", "--pairs", "--run")  # differ, as what is made has other names
    assert [stage.module for stage in whole] == [stage.module for stage in (*first, *second)]
    for one, other in zip(whole, (*first, *second), strict=True):
        assert settings_of(one, named) == settings_of(other, named)


def settings_of(stage: Stage, but: tuple[str, ...]) -> dict[str, str]:
    pairs = dict(zip(stage.arguments[::2], stage.arguments[1::2], strict=True))
    return {name: given for name, given in pairs.items() if name not in but}


def test_accumulated_batches_are_counted() -> None:
    plain, more = (planned("reflow", settings=own)[-1] for own in ({}, {"reflow.accumulate": 4}))
    assert more.loops[0].samples == 4 * plain.loops[0].samples


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"recipe": "dreambooth"}, "no recipe 'dreambooth'; there are instaflow, reflow"),
        ({"preset": "best"}, "'best'; it must be one of quick, medium, good, bundled"),
        ({"settings": {"reflow.step": 3}}, "no setting 'reflow.step'"),
        ({"settings": {"reflow.output": "x"}}, "no setting 'reflow.output'"),
        ({"settings": {"reflow.steps": "many"}}, "steps is 'many'; it must be a whole number"),
        ({"settings": {"reflow.steps": 2.5}}, "steps is 2.5; it must be a whole number"),
        ({"settings": {"reflow.start": "cold"}}, "one of matched, raw"),
        ({"settings": {"pairs.count": 3}}, "Pictures to learn from is 3; it must be at least 48"),
        ({"settings": {"reflow.ema": 2}}, "--ema must be at least 0 and under 1, not 2"),
        ({"recipe": "lora", "settings": {"lora.rank": 0}}, "--rank must be 1 to 256, not 0"),
        ({"output": "../x"}, "Model id '../x'"),
        ({"recipe": "pairs", "output": ""}, "Model id ''"),
        ({"prompts": "a" * (MAX_PROMPT + 1)}, "Prompt 1 has 1,001 characters"),
        ({"images": "/pictures"}, "takes no images"),
    ],
)
def test_bad_wishes_are_named(more: dict, said: str) -> None:
    wish = Wish(**({"recipe": "instaflow", "teacher": "tiny-sd", "output": "mine"} | more))
    with pytest.raises(UserError, match=said.replace(".", r"\.")):
        stages(wish, TEACHER, Path("/j"), Path("/m"))


def test_a_recipe_says_which_models_it_begins_with() -> None:
    flow = tiny_card("tiny-2rf", "rectified-flow", 4, 1.0)
    with pytest.raises(UserError, match="begins with a diffusion model; tiny-2rf is a rectified-flow one"):
        stages(Wish("instaflow", "tiny-2rf", "mine"), flow, Path("/j"), Path("/m"))


def test_empty_lines_are_no_prompts() -> None:
    assert check_prompts("\n a lake \n\n\na tent\n") == ["a lake", "a tent"]


def test_an_estimate_is_a_guess_until_measured_and_says_so(tmp_path: Path) -> None:
    database, size = Database(tmp_path), estimate.ModelSize(11e6, 1152, 12)
    guess = estimate.estimate(database, planned(), size)
    assert guess.sure == "guessed"
    for stage in planned():
        for loop in stage.loops:
            database.measured(loop.key, size.work, 2 * loop.seconds)
    database.measured(estimate.START_KEY, 0.0, 0.0)
    measured = estimate.estimate(database, planned(), size)
    work = sum(loop.samples * loop.seconds for stage in planned() for loop in stage.loops)
    assert measured.sure == "measured"
    assert measured.seconds == pytest.approx(2 * work)
    larger = estimate.estimate(database, planned(), estimate.ModelSize(110e6, 1152, 12))
    assert larger.sure == "scaled"
    assert larger.seconds == pytest.approx(20 * work)


def test_few_pictures_are_a_small_batch(tmp_path: Path) -> None:
    """Before it is trained, and in what is remembered of its pace for other numbers of pictures."""
    for name in ("a.png", "b.JPG", "a.txt"):
        (tmp_path / name).touch()
    wish = Wish("lora", "tiny-sd", "mine", images=str(tmp_path), settings={"lora.steps": 10})
    (stage,) = stages(wish, TEACHER, tmp_path / "1", tmp_path / "models")
    assert stage.loops[0].samples == 2 * 10
    job = Job(1, stages=(replace(stage, loops=(replace(stage.loops[0], samples=999),)),), size=1.0)
    run = Path(stage.loops[0].run)
    run.mkdir(parents=True)
    events.append(run, {"step": 5, "of": 10, "seconds_left": 5.0, "samples_per_second": 2.0})
    database = Database(tmp_path)
    _measured(database, _Attended(job, None, False, 0.0), 12.0)
    assert database.rates("lora steps") == {1.0: 0.5}


def test_a_guess_goes_by_the_pace_of_what_was_measured(tmp_path: Path) -> None:
    database, size = Database(tmp_path), estimate.ModelSize(11e6, 1152, 12)
    guess = estimate.estimate(database, planned(), size)
    database.measured(estimate.PACE_KEY, 0.0, 3.0)
    starts = len(planned()) * estimate.START
    paced = estimate.estimate(database, planned(), size)
    assert paced.sure == "guessed"
    assert paced.seconds - starts == pytest.approx(3 * (guess.seconds - starts))


def test_the_disk_an_estimate_names_is_what_pairs_take(tmp_path: Path) -> None:
    (stage,) = planned("pairs", settings={"pairs.count": 1000})
    needs = estimate.estimate(Database(tmp_path), [stage], estimate.ModelSize(11e6, 1152, 12))
    assert needs.disk == pytest.approx(1000 * 2 * 2 * 1152, rel=0.1)


def test_a_disk_without_room_is_named_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="The disk is too full: this needs about"):
        estimate.check_disk(tmp_path / "jobs", 1e18)


def test_what_cannot_begin_leaves_no_job(tiny_registry: Registry, tmp_path: Path) -> None:
    database = Database(tmp_path / "jobs")
    for wish, said in (
        (Wish("reflow", "nobody", "mine"), "no model 'nobody'"),
        (Wish("reflow", "tiny-sd", "tiny-2rf"), "already 'tiny-2rf'"),
        (Wish("instaflow", "tiny-sd", "tiny"), "already 'tiny-2rf'"),  # on its way to tiny
        (Wish("lora", "tiny-sd", "mine"), "needs captioned pictures"),
        (Wish("reflow", "tiny-sd", "mine", settings={"pairs.count": 10**12}), "disk is too full"),
    ):
        with pytest.raises(UserError, match=said):
            training.start(database, wish, tiny_registry)
    assert database.jobs() == []
    assert not any(path.is_dir() for path in (tmp_path / "jobs").iterdir())


def test_a_world_begins_with_pictures_alone_and_takes_the_time_it_is_given(
    tiny_registry: Registry, tmp_path: Path
) -> None:
    database = Database(tmp_path / "jobs")
    own = {"world.hours": "1.5", "world.size": 64}
    wish = Wish("world", "", "mine", preset="medium", images=str(tmp_path), settings=own)
    needs = training.needs(database, wish, tiny_registry)
    assert needs.sure == "given"
    assert needs.seconds == pytest.approx(1.5 * 3600 + estimate.START)
    (stage,) = training.planned(database, wish, tiny_registry)
    given = [value(stage, name) for name in ("--hours", "--size", "--output")]
    assert given == ["1.5", "64", "mine"]
    with pytest.raises(UserError, match="needs captioned pictures"):
        training.planned(database, replace(wish, images=""), tiny_registry)
    with pytest.raises(
        UserError, match="already 'tiny-2rf'"
    ):  # of which its last stage's product says nothing
        training.planned(database, replace(wish, output="tiny-2rf"), tiny_registry)
    database.add(lambda folder, others: training._plan(database, wish, tiny_registry, folder))
    with pytest.raises(UserError, match="Job 1 is about to make 'mine'"):
        training.planned(database, wish, tiny_registry)


def test_a_stage_of_several_parts_says_at_which_it_is(tiny_registry: Registry, tmp_path: Path) -> None:
    database = Database(tmp_path / "jobs")
    wish = Wish("world", "", "mine", preset="medium", images=str(tmp_path))
    job = database.add(lambda folder, others: training._plan(database, wish, tiny_registry, folder))
    job = replace(job, state="running", begun=True, pid=1)
    for name, done in (("autoencoder", 100), ("teacher", 20)):
        run = Path(next(loop.run for loop in job.stages[0].loops if loop.run.endswith(name)))
        run.mkdir(parents=True)
        events.append(run, {"step": done, "of": 100, "seconds_left": 10.0 * (100 - done), "loss": 1.0})
        events.append(run, {"step": done, "of": 100, "seconds_left": 10.0 * (100 - done), "loss": 1.0})
    way = progress(database, job)
    assert way.text == "The teacher learns to draw them, 20 of 100"
    assert 0.3 < way.share < 0.5
