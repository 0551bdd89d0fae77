"""Frames between key frames: at each of them the picture of `generate`, and only the request counts."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.interpolation import FrameRequest, KeyFrame
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import Registry

KEYS = (
    KeyFrame("a lake", 3),
    KeyFrame("a red tent at sunset", 4),
    KeyFrame("a mountain", 2**32 - 1),
    KeyFrame("a photograph of a lake", 0),
)
ROW = FrameRequest(KEYS[:3], (0.3,), "tiny-instaflow")
SQUARE = FrameRequest(KEYS, (0.3, 0.8), "tiny-instaflow")


@pytest.fixture(scope="module")
def worker(tiny_models):
    worker = Worker(Registry([tiny_models]), "cpu")
    yield worker
    worker.close()


def pixels(worker, request):
    return np.asarray(worker.frame(request).image)


def drawn(worker, request):
    return np.asarray(worker.generate(request).images[0])


@pytest.mark.parametrize("model", ["tiny-instaflow", "tiny-2rf", "tiny-sd"])
@pytest.mark.parametrize("noise", ["slerp", "lerp"])
def test_at_a_key_frame_it_is_the_picture_of_generate(worker, model, noise):
    for index, key in enumerate(ROW.key_frames):
        request = replace(ROW, model=model, noise=noise, position=(index / 2,))
        expected = drawn(worker, GenerateRequest(key.prompt, model, seed=key.seed))
        assert np.array_equal(pixels(worker, request), expected)
    for index, key in enumerate(KEYS):
        request = replace(SQUARE, model=model, noise=noise, position=(index % 2, index // 2))
        expected = drawn(worker, GenerateRequest(key.prompt, model, seed=key.seed))
        assert np.array_equal(pixels(worker, request), expected)


@pytest.mark.parametrize("text", ["lerp", "first"])
def test_a_key_frame_names_the_request_for_its_picture(worker, text):
    for base, position in ((ROW, (0.5,)), (SQUARE, (1, 0))):
        result = worker.frame(replace(base, text=text, position=position, steps=2, guidance=1.5))
        same = result.request.at_key_frame()
        assert (same.prompt, same.seed, same.steps, same.guidance) == (
            "a lake" if text == "first" else "a red tent at sunset",
            4,
            2,
            1.5,
        )
        assert np.array_equal(np.asarray(result.image), drawn(worker, same))
    assert ROW.at_key_frame() is None
    assert SQUARE.at_key_frame() is None
    assert replace(SQUARE, position=(0.5, 0)).at_key_frame() is None


@pytest.mark.parametrize(("model", "solver"), [("tiny-sd", "ddim"), ("tiny-2rf", "heun")])
def test_negative_prompt_and_solver_act_as_in_generate(worker, model, solver):
    way = replace(ROW, model=model, position=(0.5,), steps=3, guidance=4.0)
    plain = pixels(worker, way)
    for values in ({"negative_prompt": "a lake"}, {"solver": solver}):
        same = replace(way, **values).at_key_frame()
        found = pixels(worker, replace(way, **values))
        assert np.array_equal(found, drawn(worker, same))
        assert not np.array_equal(found, plain)


def test_a_frame_depends_on_its_request_alone(worker):
    requests = [ROW, SQUARE, replace(ROW, noise="lerp"), replace(ROW, text="first"), replace(ROW, steps=3)]
    first = [pixels(worker, request) for request in requests]
    for i, one in enumerate(first):
        for other in first[i + 1 :]:
            assert not np.array_equal(one, other)
    drawn(worker, GenerateRequest("a mountain", "tiny-sd", seed=9))
    again = [pixels(worker, request) for request in reversed(requests)]
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
    result = worker.frame(replace(ROW, key_frames=(KeyFrame(" a lake ", 3.0), KEYS[1]), position=(1,)))
    assert result.request == FrameRequest(
        (KeyFrame("a lake", 3), KEYS[1]), (1.0,), "tiny-instaflow", 1, 1.0, "slerp", "lerp", solver="euler"
    )
    times = result.timings
    assert min(times.text, times.unet, times.decode) > 0
    assert times.total >= times.text + times.unet + times.decode


def test_it_stops_within_a_step(worker):
    asked = []

    def cancelled():
        asked.append(threading.current_thread().name)
        return len(asked) == 3

    with pytest.raises(Cancelled):
        worker.frame(replace(ROW, model="tiny-sd", steps=50), cancelled)
    assert len(asked) == 3
    assert all(name.startswith("pipeline") for name in asked)


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
        ({"steps": 0}, "steps is 0"),
        ({"guidance": 21}, "guidance is 21"),
        ({"solver": "dpm++"}, "solver is 'dpm++'; tiny-instaflow takes one of euler, heun"),
        ({"negative_prompt": "a" * 2001}, "The negative prompt has 2,001 characters"),
        ({"model": "no-such"}, "no-such"),
        ({"model": None}, "Model id None"),
    ],
)
def test_a_bad_request_is_answered_with_its_message(worker, values, message):
    with pytest.raises(UserError) as error:
        worker.frame(replace(ROW, **values))
    assert message in str(error.value)
    worker.frame(ROW)
