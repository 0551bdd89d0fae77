"""Comparing models: the same pictures as alone, a failure of one is not the others', bad wishes are named."""

import numpy as np
import pytest
from rf_app.pipeline.requests import GenerateRequest, Timings
from rf_app.workflows.attempt import Attempt
from rf_app.workflows.generate import Studio

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.worker import Worker
from rf_app.workflows.compare import SideDone, SideProgress, compare, default_models, speed_up

PROMPT = "a mountain near a lake"
MODELS = ["tiny-sd", "tiny-instaflow", "tiny-2rf"]


def never():
    return False


def requests(models=MODELS, **values):
    return [GenerateRequest(**({"prompt": PROMPT, "model": model, "seed": 7} | values)) for model in models]


def pixels(attempt):
    return np.asarray(attempt.picture.image)


@pytest.fixture
def own_studio(tiny_registry):
    """A studio on models that may be broken."""
    worker = Worker(tiny_registry, "cpu")
    yield Studio(tiny_registry, worker)
    worker.close()


def test_the_pictures_are_those_each_model_draws_alone_in_any_order(studio):
    news = []
    attempts = compare(studio, requests(), news.append, never)
    backwards = compare(studio, requests(MODELS[::-1], steps=None), print, never)[::-1]
    for model, attempt, again in zip(MODELS, attempts, backwards, strict=True):
        alone = studio.generate(GenerateRequest(PROMPT, model, seed=7)).pictures[0]
        assert attempt.picture.settings == alone.settings
        assert np.array_equal(pixels(attempt), np.asarray(alone.image))
        assert np.array_equal(pixels(attempt), pixels(again))
        assert attempt.timings.total > 0


def test_the_quickest_is_drawn_first_and_progress_is_heard_of(studio):
    news = []
    compare(studio, requests(guidance=1.0), news.append, never)
    assert [each.index for each in news if isinstance(each, SideDone)] == [1, 0, 2]
    slowest = [(each.done, each.of) for each in news if isinstance(each, SideProgress) and each.index == 0]
    assert slowest == [(i, 4) for i in range(5)]
    left = [each.seconds_left for each in news if isinstance(each, SideProgress) and each.index == 0]
    assert left[0] is None
    assert min(left[1:-1]) > 0
    assert left[-1] == 0


def test_each_side_has_settings_of_its_own(studio):
    wishes = [
        GenerateRequest(PROMPT, "tiny-sd", 2, 5.0, 7, negative_prompt="tent", solver="ddim"),
        GenerateRequest(PROMPT, "tiny-sd", 3, 1.0, 7, solver="euler"),
    ]
    first, second = compare(studio, wishes, print, never)
    assert (first.picture.settings["steps"], first.picture.settings["solver"]) == (2, "ddim")
    assert first.picture.settings["negative_prompt"] == "tent"
    assert (second.picture.settings["guidance"], second.picture.settings["solver"]) == (1.0, "euler")
    assert not np.array_equal(pixels(first), pixels(second))


def test_a_model_that_does_not_load_says_why_and_the_others_go_on(own_studio):
    weights = own_studio.registry.folder("tiny-2rf") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    broken, fine, gone = compare(
        own_studio, requests(["tiny-2rf", "tiny-instaflow", "no-such"]), print, never
    )
    assert broken.picture is None
    assert "diffusion_pytorch_model.safetensors" in broken.error
    assert fine.picture is not None
    assert "no-such" in gone.error


@pytest.mark.parametrize(
    ("wishes", "message"),
    [
        (requests(prompt="  "), "prompt is empty"),
        (requests([None, ""]), "No model is chosen"),
        (requests(MODELS[:1]), "takes 2 to 8 models, not 1"),
        (requests(MODELS * 3), "takes 2 to 8 models, not 9"),
        (requests(seed=-1), "seed is -1"),
    ],
)
def test_a_wish_that_cannot_begin_is_an_error(studio, wishes, message):
    with pytest.raises(UserError, match=message):
        compare(studio, wishes, print, never)


def test_it_ends_within_a_step_when_cancelled(studio):
    news = []
    with pytest.raises(Cancelled):
        compare(
            studio,
            requests(["tiny-instaflow", "tiny-sd"], steps=50),
            news.append,
            lambda: any(isinstance(each, SideProgress) and each.done == 3 for each in news),
        )
    assert max(each.done for each in news if isinstance(each, SideProgress)) == 3
    assert not [each for each in news if isinstance(each, SideDone)]


def test_the_speed_up_is_between_the_slowest_and_the_quickest():
    def took(seconds):
        return Attempt(GenerateRequest("a", "m"), timings=Timings(0, 0, 0, seconds))

    found = speed_up([took(0.5), Attempt(GenerateRequest("a", "m"), error="no"), took(2.0), took(0.25)])
    assert (found.quickest, found.slowest, found.factor) == (3, 2, 8.0)
    assert speed_up([took(1.0)]) is None


def test_teacher_and_student_are_compared_unless_one_says_otherwise(studio, tmp_path):
    assert default_models(studio.registry, 2) == ["tiny-sd", "tiny-instaflow"]
    assert default_models(studio.registry, 4) == ["tiny-sd", "tiny-instaflow", "tiny-2rf", "tiny-sd"]
