"""Frames between key frames: at each of them its own picture, and only the way counts."""

from dataclasses import replace

import numpy as np
import pytest

from rf_app.errors import UserError
from rf_app.pipeline.turns import Step, result_of
from rf_app.settings.picture import CheckedSettings, PictureSettings
from rf_app.settings.way import KeyFrame, Way

KEYS = (
    KeyFrame("a lake", 3),
    KeyFrame("a red tent at sunset", 4),
    KeyFrame("a mountain", 2**32 - 1),
    KeyFrame("a photograph of a lake", 0),
)
ROW = Way(KEYS[:3], (0.3,), PictureSettings("a lake", "tiny-instaflow", seed=3))
SQUARE = replace(ROW, key_frames=KEYS, position=(0.3, 0.8))


@pytest.fixture(scope="module")
def worker(app):
    return app.worker


def with_picture(way, **values):
    return replace(way, picture=replace(way.picture, **values))


def frame(worker, way):
    return result_of(worker.draw(way.picture, between=way))


def pixels(worker, way):
    return np.asarray(frame(worker, way).image)


def drawn(worker, settings):
    return np.asarray(result_of(worker.draw(settings)).image)


@pytest.mark.parametrize("model", ["tiny-instaflow", "tiny-2rf", "tiny-sd"])
@pytest.mark.parametrize("noise", ["slerp", "lerp"])
def test_at_a_key_frame_it_is_its_own_picture(worker, model, noise):
    for index, key in enumerate(ROW.key_frames):
        way = replace(with_picture(ROW, model=model), noise=noise, position=(index / 2,))
        expected = drawn(worker, PictureSettings(key.prompt, model, seed=key.seed))
        assert np.array_equal(pixels(worker, way), expected)
    for index, key in enumerate(KEYS):
        way = replace(with_picture(SQUARE, model=model), noise=noise, position=(index % 2, index // 2))
        expected = drawn(worker, PictureSettings(key.prompt, model, seed=key.seed))
        assert np.array_equal(pixels(worker, way), expected)


@pytest.mark.parametrize("text", ["lerp", "first"])
def test_a_key_frame_names_the_settings_of_its_picture(worker, text):
    for base, position in ((ROW, (0.5,)), (SQUARE, (1, 0))):
        way = replace(with_picture(base, steps=2, guidance=1.5), text=text, position=position)
        found = frame(worker, way)
        same = found.way.at_key_frame()
        assert same.prompt == ("a lake" if text == "first" else "a red tent at sunset")
        assert (same.seed, same.steps, same.guidance) == (4, 2, 1.5)
        assert np.array_equal(np.asarray(found.image), drawn(worker, same))
    assert ROW.at_key_frame() is None
    assert SQUARE.at_key_frame() is None
    assert replace(SQUARE, position=(0.5, 0)).at_key_frame() is None


@pytest.mark.parametrize(("model", "solver"), [("tiny-sd", "ddim"), ("tiny-2rf", "heun")])
def test_negative_prompt_and_solver_act_as_in_any_picture(worker, model, solver):
    way = replace(with_picture(ROW, model=model, steps=3, guidance=4.0), position=(0.5,))
    plain = pixels(worker, way)
    for values in ({"negative_prompt": "a lake"}, {"solver": solver}):
        changed = with_picture(way, **values)
        found = pixels(worker, changed)
        assert np.array_equal(found, drawn(worker, changed.at_key_frame()))
        assert not np.array_equal(found, plain)


def test_a_frame_depends_on_its_way_alone(worker):
    ways = [ROW, SQUARE, replace(ROW, noise="lerp"), replace(ROW, text="first"), with_picture(ROW, steps=3)]
    first = [pixels(worker, way) for way in ways]
    for i, one in enumerate(first):
        for other in first[i + 1 :]:
            assert not np.array_equal(one, other)
    drawn(worker, PictureSettings("a mountain", "tiny-sd", seed=9))
    again = [pixels(worker, way) for way in reversed(ways)]
    for one, same in zip(first, reversed(again), strict=True):
        assert np.array_equal(one, same)


def test_a_small_step_changes_little(worker):
    """Neighbouring frames are nearly alike, far ones are not."""

    def difference(u, v):
        frames = [pixels(worker, replace(ROW, position=(p,))).astype(float) for p in (u, v)]
        return np.abs(frames[0] - frames[1]).mean()

    assert 0 < difference(0.3, 0.301) < 0.1 * difference(0.0, 0.5)


def test_an_edge_of_the_square_is_the_way_between_its_corners(worker):
    edge = pixels(worker, replace(SQUARE, position=(1.0, 0.3)))
    way = pixels(worker, replace(SQUARE, key_frames=(KEYS[1], KEYS[3]), position=(0.3,)))
    assert np.array_equal(edge, way)


def test_it_says_what_was_done(worker):
    found = frame(worker, replace(ROW, key_frames=(KeyFrame(" a lake ", 3.0), KEYS[1]), position=(1,)))
    picture = CheckedSettings("a lake", "tiny-instaflow", 1, 1.0, 3, solver="euler")
    assert found.way == Way((KeyFrame("a lake", 3), KEYS[1]), (1.0,), picture)
    assert found.settings == picture
    times = found.timings
    assert min(times.text, times.unet, times.decode) > 0
    assert times.total >= times.text + times.unet + times.decode


def test_it_tells_its_steps(worker):
    way = with_picture(ROW, model="tiny-sd", steps=3)
    heard = [news for news in worker.draw(way.picture, between=way) if news]
    assert heard == [Step(done, 3) for done in (1, 2, 3)]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"key_frames": KEYS[:1]}, "The number of key frames is 1; 2 to 16"),
        ({"key_frames": ()}, "The number of key frames is 0"),
        ({"key_frames": KEYS * 5}, "The number of key frames is 20"),
        (
            {"key_frames": KEYS[:3], "position": (0, 0)},
            "A square has 4 key frames, one in each corner, not 3",
        ),
        ({"position": ()}, "position is ()"),
        ({"position": (0, 0, 0)}, "position is (0, 0, 0)"),
        ({"position": (1.01,)}, "position is (1.01,)"),
        ({"position": (float("nan"),)}, "position is (nan,)"),
        ({"position": ("0",)}, "position is ('0',)"),
        ({"noise": "bent"}, "noise is 'bent'; it must be one of slerp, lerp"),
        ({"noise": []}, "noise is []"),
        ({"text": "last"}, "text is 'last'; it must be one of lerp, first"),
        ({"key_frames": (KEYS[0], KeyFrame(" ", 1))}, "Key frame 2: The prompt is empty"),
        ({"key_frames": (KEYS[0], KeyFrame("a" * 2001, 1))}, "Key frame 2: The prompt has 2,001 characters"),
        ({"key_frames": (KeyFrame("a", -1), KEYS[0])}, "Key frame 1: seed is -1"),
        ({"key_frames": (KeyFrame(None, 1), KEYS[0])}, "Key frame 1: The prompt must be text"),
        ({"picture": replace(ROW.picture, steps=0)}, "steps is 0"),
        ({"picture": replace(ROW.picture, guidance=21)}, "guidance is 21"),
        (
            {"picture": replace(ROW.picture, solver="dpm++")},
            "solver is 'dpm++'; tiny-instaflow takes one of euler, heun",
        ),
        (
            {"picture": replace(ROW.picture, negative_prompt="a" * 2001)},
            "The negative prompt has 2,001 characters",
        ),
        ({"picture": replace(ROW.picture, model="no-such")}, "no-such"),
        ({"picture": replace(ROW.picture, model=None)}, "Model id None"),
    ],
)
def test_a_bad_way_is_answered_with_its_message(worker, values, message):
    with pytest.raises(UserError) as error:
        frame(worker, replace(ROW, **values))
    assert message in str(error.value)
    frame(worker, ROW)
