"""Comparing models: the same pictures as alone, a failure of one is not the others', bad wishes are named."""

import numpy as np
import pytest
from PIL import Image

from rf_app.actions.attempt import Attempt
from rf_app.actions.compare import Compare, SideDone, SideProgress, compare, default_models, speed_up
from rf_app.actions.generate import Generate, generate
from rf_app.actions.picture import Picture
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.drawn import Drawn, Timings
from rf_app.pipeline.png import read_png_settings
from rf_app.settings.picture import PictureSettings, Side

PROMPT = "a mountain near a lake"
MODELS = ("tiny-sd", "tiny-instaflow", "tiny-2rf")


def wish(models=MODELS, **values):
    return Compare(**{"prompt": PROMPT, "models": models, "seed": 7} | values)


def done(app, wish):
    """The attempts, in the order of the sides."""
    found = [each for each in results(compare(app, wish)) if isinstance(each, SideDone)]
    return [each.attempt for each in sorted(found, key=lambda each: each.index)]


def pixels(attempt):
    return np.asarray(attempt.picture.drawn.image)


def test_the_pictures_are_those_each_model_draws_alone_in_any_order(app):
    attempts = done(app, wish())
    backwards = done(app, wish(MODELS[::-1]))[::-1]
    for model, attempt, again in zip(MODELS, attempts, backwards, strict=True):
        (alone,) = results(generate(app, Generate(PictureSettings(PROMPT, model, seed=7))))
        assert attempt.picture.settings == alone.settings
        assert np.array_equal(pixels(attempt), np.asarray(alone.drawn.image))
        assert np.array_equal(pixels(attempt), pixels(again))
        assert attempt.picture.drawn.timings.total > 0


def test_the_quickest_is_drawn_first_and_progress_is_heard_of(app):
    sides = tuple(Side(model, guidance=1.0) for model in MODELS)
    news = list(compare(app, wish(sides)))
    assert [each.index for each in news if isinstance(each, SideDone)] == [1, 0, 2]
    slowest = [each for each in news if isinstance(each, SideProgress) and each.index == 0]
    assert [(each.done, each.of) for each in slowest] == [(i, 4) for i in range(5)]
    left = [each.seconds_left for each in slowest]
    assert left[0] is None
    assert min(left[1:-1]) > 0
    assert left[-1] == 0


def test_each_side_has_settings_of_its_own(app):
    sides = (
        Side("tiny-sd", 2, 5.0, negative_prompt="tent", solver="ddim"),
        Side("tiny-sd", 3, 1.0, solver="euler"),
    )
    first, second = done(app, wish(sides))
    assert (first.picture.settings["steps"], first.picture.settings["solver"]) == (2, "ddim")
    assert first.picture.settings["negative_prompt"] == "tent"
    assert (second.picture.settings["guidance"], second.picture.settings["solver"]) == (1.0, "euler")
    assert not np.array_equal(pixels(first), pixels(second))


def test_a_model_that_does_not_load_says_why_and_the_others_go_on(own_app):
    weights = own_app.registry.folder("tiny-2rf") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    broken, fine, gone = done(own_app, wish(("tiny-2rf", "tiny-instaflow", "no-such")))
    assert broken.picture is None
    assert "diffusion_pytorch_model.safetensors" in broken.error
    assert fine.picture is not None
    assert "no-such" in gone.error


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": "  "}, "prompt is empty"),
        ({"models": ("", "")}, "No model is chosen"),
        ({"models": MODELS[:1]}, "takes 2 to 8 models, not 1"),
        ({"models": MODELS * 3}, "takes 2 to 8 models, not 9"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_wish_that_cannot_begin_is_an_error(app, values, message):
    with pytest.raises(UserError, match=message):
        done(app, wish(**values))


def test_it_ends_within_a_step_when_closed(app):
    sides = tuple(Side(model, steps=50) for model in ("tiny-instaflow", "tiny-sd"))
    events = compare(app, wish(sides))
    for each in events:
        assert not isinstance(each, SideDone)
        if isinstance(each, SideProgress) and each.done == 3:
            break
    events.close()
    # The worker has gone on to the next wish.
    assert done(app, wish(MODELS[1:]))[0].picture


def test_the_speed_up_is_between_the_slowest_and_the_quickest():
    settings = PictureSettings("a", "m")

    def took(seconds):
        timings = Timings(0, 0, 0, seconds)
        return Attempt(settings, Picture(Drawn(Image.new("RGB", (8, 8)), settings, None, timings, (), "")))

    found = speed_up([took(0.5), Attempt(settings, error="no"), took(2.0), took(0.25)])
    assert (found.quickest, found.slowest, found.factor) == (3, 2, 8.0)
    assert speed_up([took(1.0)]) is None


def test_alternatives_are_chosen_by_the_seed_for_all_and_stored_as_chosen(app, tmp_path):
    for each in done(app, wish(MODELS[:2], prompt="a {red|blue} tent", seed=5)):
        (tmp_path / "side.png").write_bytes(each.picture.png)
        assert read_png_settings(tmp_path / "side.png")["prompt"] == "a blue tent"


def test_teacher_and_student_are_compared_unless_one_says_otherwise(app):
    assert [each.settings.model for each in done(app, wish(None))] == ["tiny-sd", "tiny-instaflow"]
    assert default_models(app.registry, 4) == ["tiny-sd", "tiny-instaflow", "tiny-2rf", "tiny-sd"]
