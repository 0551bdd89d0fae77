"""Several models from the same noise: all of them, in turn, whatever becomes of one; and the words."""

import shutil
from dataclasses import replace

import pytest
from rf_app.workflows.background import Progress

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.trajectory import TrajectoryRequest, TrajectoryResult
from rf_app.pipeline.worker import Worker
from rf_app.workflows.trajectory import Followed, follow, in_words

never = bool


def run(worker, models, cancelled=never, **values):
    heard = []
    wish = {"prompt": "a lake", "steps": 4, "seed": 3} | values
    follow(worker, models=models, emit=heard.append, cancelled=cancelled, **wish)
    return heard


def test_each_model_as_soon_as_it_is_there(studio):
    heard = run(studio.worker, ["tiny-sd", "tiny-instaflow"])
    kinds = [type(each) for each in heard]
    assert kinds == [Progress] * 4 + [Followed, Progress, Followed]
    assert [each.done for each in heard if isinstance(each, Progress)] == [2, 4, 6, 8, 9]
    assert {each.of for each in heard if isinstance(each, Progress)} == {9}  # guidance counts double
    sd, one = (each for each in heard if isinstance(each, Followed))
    assert (sd.title, sd.result.request.steps, one.result.request.steps) == ("Tiny Sd", 4, 1)
    assert sd.result.request.seed == one.result.request.seed == 3
    assert one.result.straightness == pytest.approx(0, abs=1e-6)


def test_a_model_is_followed_once_however_often_it_is_named(studio):
    assert sum(isinstance(each, Followed) for each in run(studio.worker, ["tiny-2rf"] * 3)) == 1


def test_a_model_that_fails_says_why_and_the_others_go_on(tiny_registry):
    shutil.rmtree(tiny_registry.folder("tiny-2rf") / "unet")
    worker = Worker(tiny_registry, "cpu")
    heard = run(worker, ["no-such", "tiny-2rf", "tiny-instaflow"])
    worker.close()
    missing, broken, good = (each for each in heard if isinstance(each, Followed))
    assert "no model 'no-such'" in missing.problem
    assert "missing" in broken.problem
    assert good.result


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 101}, "steps is 101"),
        ({"seed": -1}, "seed is -1"),
        ({"models": []}, "No model is chosen"),
    ],
)
def test_what_is_wrong_for_all_is_said_before_anything_is_done(studio, values, message):
    heard = []
    wish = {"prompt": "a lake", "steps": 4, "seed": 3, "models": ["tiny-instaflow"]} | values
    with pytest.raises(UserError, match=message):
        follow(studio.worker, emit=heard.append, cancelled=never, **wish)
    assert heard == []


def test_it_stops_within_a_step(studio):
    heard = []
    with pytest.raises(Cancelled):
        follow(studio.worker, "a lake", ["tiny-2rf", "tiny-sd"], 50, 0, heard.append, lambda: len(heard) >= 3)
    assert len(heard) == 3


def followed(title, straightness, miss, steps=25):
    request = TrajectoryRequest("a lake", "any", steps)
    result = TrajectoryResult(request, (), (), (straightness,) * steps, (), miss, ())
    return Followed("any", title, result)


def test_the_words_follow_the_figures():
    curved, straight, alike = (
        followed("Pocket SD", 812, 0.61),
        followed("2-RF", 58, 0.05),
        followed("Its twin", 800, 0.6),
    )
    one = followed("InstaFlow", 0, 0, steps=1)
    broken = replace(curved, title="Broken", result=None, problem="no")
    assert in_words([one, straight, broken, curved, alike]) == " ".join(
        (
            "Pocket SD bends (S = 812): one step would miss by 61% of the way, and its estimate goes on",
            "changing. Its twin is about as straight (S = 800): one step would miss by 60% of the way, and",
            "its estimate goes on changing.",
            "2-RF is 14 times straighter (S = 58): one step lands where 25 do, to within 5% of the way.",
            "InstaFlow takes a single step, a straight line by construction.",
        )
    )
    assert in_words([followed("2-RF", 5.8, 0.001, 8)]) == (
        "2-RF stays close to a straight line (S = 5.8): one step lands where 8 do, to within 1% of the way."
    )
    assert in_words([broken]) == ""


def test_a_defect_is_named_by_its_kind(tiny_registry):
    worker = Worker(tiny_registry, "cpu")
    worker.close()
    (found,) = run(worker, ["tiny-2rf"])
    assert found.problem == "tiny-2rf failed (RuntimeError)."
