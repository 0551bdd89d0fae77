"""The Interpolate workflow: settings in every file, videos of the right frames, messages for bad wishes."""

import json
import re
from dataclasses import asdict, replace
from itertools import pairwise

import av
import numpy as np
import pytest

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.interpolation import FrameRequest, KeyFrame
from rf_app.pipeline.png import read_json, read_settings
from rf_app.pipeline.requests import GenerateRequest
from rf_app.workflows.interpolate import Interpolator, VideoRequest, read_request

KEYS = tuple(
    KeyFrame(prompt, seed) for seed, prompt in enumerate(("a lake", "a tent", "sunset", "a mountain"))
)
ROW = FrameRequest(KEYS[:3], (0.25,), "tiny-instaflow")
SQUARE = FrameRequest(KEYS, (0.25, 0.5), "tiny-instaflow")


@pytest.fixture(scope="module")
def interpolator(studio):
    return Interpolator(studio.registry, studio.worker)


def saved(frame, tmp_path):
    (tmp_path / "frame.png").write_bytes(frame.png)
    return tmp_path / "frame.png"


@pytest.mark.parametrize("way", [ROW, SQUARE])
def test_a_saved_frame_brings_its_way_and_position_back(interpolator, tmp_path, way):
    frame = interpolator.frame(replace(way, noise="lerp", text="first", steps=2, guidance=1.5))
    restored = interpolator.restore(saved(frame, tmp_path))
    assert restored == frame.result.request
    assert frame.same is None
    assert interpolator.frame(restored).png == frame.png


def test_a_frame_at_a_key_frame_is_a_picture_of_generate_too(interpolator, studio, tmp_path):
    frame = interpolator.frame(replace(ROW, position=(0.5,)))
    path = saved(frame, tmp_path)
    assert read_settings(path) == frame.same
    found = studio.restore(path)
    assert (found.prompt, found.seed, found.model) == ("a tent", 1, "tiny-instaflow")
    picture = studio.generate(GenerateRequest(found.prompt, found.model, seed=found.seed)).pictures[0]
    assert np.array_equal(np.asarray(picture.image), np.asarray(frame.result.image))


def test_a_frame_in_between_is_not_for_generate(interpolator, studio, tmp_path):
    with pytest.raises(UserError, match="lies between others"):
        studio.restore(saved(interpolator.frame(ROW), tmp_path))


def test_a_picture_of_generate_becomes_a_key_frame(interpolator, studio, tmp_path):
    request = GenerateRequest(
        "a red tent", "tiny-2rf", steps=3, seed=8, guidance=3, negative_prompt="a lake", solver="heun"
    )
    picture = studio.generate(request).pictures[0]
    (tmp_path / "picture.png").write_bytes(picture.png)
    for found in (
        interpolator.restore(tmp_path / "picture.png"),
        interpolator.receive(json.dumps(picture.settings)),
    ):
        assert found == request


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "{" * 5000,
        '{"prompt": 5}',
        '{"prompt": "a lake", "model": "../../etc"}',
        '{"prompt": "a lake", "model": "tiny-sd", "seed": -1}',
        '{"prompt": "a lake", "model": "tiny-sd", "steps": 1e9}',
    ],
)
def test_what_is_sent_may_come_from_anyone(interpolator, text):
    with pytest.raises(UserError):
        interpolator.receive(text)


@pytest.mark.parametrize(
    "found",
    [
        None,
        5,
        "key_frames",
        [],
        {},
        {"key_frames": 3},
        {"key_frames": ["a", "b"]},
        {"key_frames": [{"prompt": "a"}], "position": [0], "model": "tiny-sd"},
        {"key_frames": [], "position": 0, "model": "tiny-sd"},
        {"key_frames": [], "position": [0]},
    ],
)
def test_settings_of_another_form_are_refused(found):
    with pytest.raises(UserError, match="not readable"):
        read_request(found)


def test_settings_survive_json():
    assert read_request(json.loads(json.dumps(asdict(SQUARE)))) == SQUARE
    assert read_request(asdict(SQUARE), [0, 1]) == replace(SQUARE, position=(0, 1))


def positions(**values):
    return list(VideoRequest(**values).positions())


def test_a_video_begins_at_the_first_key_frame_and_ends_at_the_last():
    assert positions(way=ROW, frames=5) == [0, 0.25, 0.5, 0.75, 1]
    assert positions(way=ROW, frames=2) == [0, 1]


def test_there_and_back_repeats_without_a_jump():
    assert positions(way=ROW, frames=4, back=True) == [0, 0.5, 1, 0.5]
    found = positions(way=ROW, frames=7, back=True)
    steps = {round(abs(b - a), 9) for a, b in pairwise([*found, found[0]])}
    assert max(steps) == pytest.approx(2 / 7)


def test_a_square_is_gone_round_and_closed():
    request = VideoRequest(SQUARE, frames=4)
    assert list(request.positions()) == [0, 0.25, 0.5, 0.75]
    assert [key.seed for key in request.row().key_frames] == [0, 1, 3, 2, 0]


@pytest.mark.parametrize(("form", "way"), [("mp4", ROW), ("webp", SQUARE)])
def test_a_video_has_its_frames_and_tells_how_far_it_is(interpolator, tmp_path, form, way):
    heard = []
    path = tmp_path / f"way.{form}"
    interpolator.export(VideoRequest(way, 9, form), path, lambda done, of: heard.append((done, of)))
    assert heard == [(i, 9) for i in range(1, 10)]
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    if form == "mp4":
        with av.open(str(path)) as video:
            frames = [frame.to_ndarray(format="rgb24") for frame in video.decode(video=0)]
            settings = json.loads(video.metadata["comment"])
        assert len(frames) == 9
        assert read_request(settings["interpolation"]) == replace(way, steps=1, guidance=1.0, solver="euler")
        # The middle one is the middle key frame, but for the compression and the enlarging.
        key = np.asarray(interpolator.frame(replace(way, position=(0.5,))).result.image).astype(float)
        shrunk = frames[4].reshape(96, 4, 96, 4, 3).mean((1, 3))
        assert np.abs(shrunk - key).mean() < 6


def test_a_cancelled_video_stops_within_a_step_and_leaves_nothing(interpolator, tmp_path):
    heard = []
    request = VideoRequest(replace(ROW, model="tiny-sd", steps=10), 600)
    with pytest.raises(Cancelled):
        interpolator.export(
            request, tmp_path / "way.mp4", lambda *news: heard.append(news), lambda: len(heard) >= 2
        )
    assert heard == [(1, 600), (2, 600)]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 0}, "frames is 0; a video has a whole number of frames in 2..600"),
        ({"frames": 1}, "frames is 1;"),
        ({"frames": 10_000}, "frames is 10000;"),
        ({"frames": 2.5}, "frames is 2.5;"),
        ({"frames": None}, "frames is None;"),
        ({"frames": "many"}, "frames is 'many';"),
        ({"form": "avi"}, "The format is 'avi'; it must be one of mp4, webp"),
        ({"form": []}, "The format is []"),
        ({"way": replace(ROW, model="no-such")}, "no-such"),
        ({"way": replace(ROW, key_frames=(KEYS[0], KeyFrame("", 1)))}, "Key frame 2: The prompt is empty"),
    ],
)
def test_a_bad_wish_is_answered_before_anything_is_drawn(interpolator, tmp_path, values, message):
    drawn = []
    with pytest.raises(UserError, match=re.escape(message)):
        interpolator.export(
            VideoRequest(**({"way": ROW} | values)), tmp_path / "way.mp4", lambda *news: drawn.append(news)
        )
    assert drawn == []
    assert list(tmp_path.iterdir()) == []


def test_what_a_png_carries_besides_settings_is_read_whole(interpolator, tmp_path):
    assert set(read_json(saved(interpolator.frame(ROW), tmp_path))) == {"interpolation"}
