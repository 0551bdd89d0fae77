"""The action behind the Interpolate tab: settings in every file, videos of the right frames, messages for bad
wishes.
"""

import json
import re
import tempfile
from dataclasses import replace
from itertools import pairwise

import av
import numpy as np
import pytest
from PIL import Image

from rf_app.actions.asking import File
from rf_app.actions.interpolate import Interpolate, Video, ask, interpolate
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Progress
from rf_app.actions.restore import restore, restore_sent
from rf_app.actions.run import results, run
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_way
from rf_app.pipeline.png import as_png, read_png_settings
from rf_app.pipeline.turns import result_of
from rf_app.plugins.picture import decode_map, encode_map
from rf_app.settings.picture import Control, PictureSettings
from rf_app.settings.way import KeyFrame, Way, read_way
from tests.full_disk import full_disk

KEYS = tuple(
    KeyFrame(prompt, seed) for seed, prompt in enumerate(("a lake", "a tent", "sunset", "a mountain"))
)
ROW = Way(KEYS[:3], (0.25,), PictureSettings("a lake", "tiny-instaflow"))
SQUARE = replace(ROW, key_frames=KEYS, position=(0.25, 0.5))


@pytest.fixture
def place(tmp_path, monkeypatch):
    """The folder for files of a moment."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def frame(app, way):
    return results(interpolate(app, Interpolate(way)))[0]


def made(app, way, **values):
    return results(interpolate(app, Interpolate(way, Video(**values))))[0]


def checked(app, way):
    return check_way(way, app.registry.card(way.picture.model))


def saved(picture, tmp_path):
    (tmp_path / "frame.png").write_bytes(picture.png)
    return tmp_path / "frame.png"


@pytest.mark.parametrize("form", ["mp4", "webp"])
def test_a_full_disk_is_named_without_the_server_s_paths(app, place, form):
    said = rf"^The disk is full: cannot write instaflow-interpolation\.{form} \(\d+ MiB free\)"
    with full_disk(2000), pytest.raises(UserError, match=said):
        made(app, ROW, frames=4, form=form)
    assert list(place.iterdir()) == []


@pytest.mark.parametrize("way", [ROW, SQUARE])
def test_a_saved_frame_brings_its_way_and_position_back(app, tmp_path, way):
    picture = replace(way.picture, steps=2, guidance=1.5)
    found = frame(app, replace(way, noise="lerp", text="first", picture=picture))
    restored = restore(app, saved(found, tmp_path))
    assert (restored.way, restored.settings) == (found.drawn.way, None)
    assert found.same is None
    assert frame(app, restored.way).png == found.png


def test_a_frame_at_a_key_frame_is_a_picture_of_generate_too(app, tmp_path):
    found = frame(app, replace(ROW, position=(0.5,)))
    restored = restore(app, saved(found, tmp_path))
    assert restored.way == found.drawn.way
    same = restored.settings
    assert (same.prompt, same.seed, same.model) == ("a tent", 1, "tiny-instaflow")
    picture = result_of(app.worker.draw(same))
    assert np.array_equal(np.asarray(picture.image), np.asarray(found.drawn.image))


def test_a_picture_of_generate_becomes_a_key_frame(app, tmp_path):
    settings = PictureSettings(
        "a red tent", "tiny-2rf", steps=3, seed=8, guidance=3, negative_prompt="a lake", solver="heun"
    )
    picture = Picture(result_of(app.worker.draw(settings)))
    path = saved(picture, tmp_path)
    for found in (restore(app, path), restore_sent(app, json.dumps(picture.settings))):
        assert (found.settings, found.way) == (picture.drawn.settings, None)


def test_a_frame_saved_by_an_earlier_version_comes_back(app, tmp_path):
    """Its settings stood beside the key frames, all of them, with nothing left out."""
    way = {"key_frames": [{"prompt": "a lake", "seed": 1}, {"prompt": "a tent", "seed": 2}]}
    way |= {"position": [0.25], "model": "tiny-2rf", "steps": 2, "guidance": 1.5, "noise": "lerp"}
    way |= {"text": "first", "negative_prompt": "", "solver": "heun", "loras": [], "control": []}
    (tmp_path / "old.png").write_bytes(as_png(Image.new("RGB", (96, 96)), {"interpolation": way}))
    picture = PictureSettings("a lake", "tiny-2rf", 2, 1.5, 1, solver="heun")
    keys = (KeyFrame("a lake", 1), KeyFrame("a tent", 2))
    expected = checked(app, Way(keys, (0.25,), picture, "lerp", "first"))
    assert restore(app, tmp_path / "old.png").way == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        "{" * 5000,
        '{"prompt": 5}',
        '{"prompt": "a lake", "model": "tiny-sd", "seed": -1}',
        '{"prompt": "a lake", "model": "tiny-sd", "steps": 1e9}',
    ],
)
def test_what_is_sent_may_come_from_anyone(app, text):
    with pytest.raises(UserError):
        restore_sent(app, text)


def positions(closed=False, **values):
    return list(Video(**values).positions(closed))


def test_a_video_begins_at_the_first_key_frame_and_ends_at_the_last():
    assert positions(frames=5) == [0, 0.25, 0.5, 0.75, 1]
    assert positions(frames=2) == [0, 1]


def test_there_and_back_repeats_without_a_jump():
    assert positions(frames=4, there_and_back=True) == [0, 0.5, 1, 0.5]
    found = positions(frames=7, there_and_back=True)
    steps = {round(abs(b - a), 9) for a, b in pairwise([*found, found[0]])}
    assert max(steps) == pytest.approx(2 / 7)


def test_a_square_is_gone_round_and_closed():
    assert positions(closed=True, frames=4) == [0, 0.25, 0.5, 0.75]


@pytest.mark.parametrize(("form", "way"), [("mp4", ROW), ("webp", SQUARE)])
def test_a_video_has_its_frames_and_tells_how_far_it_is(app, place, form, way):
    *news, file = [event for event in interpolate(app, Interpolate(way, Video(9, form))) if event]
    assert [(event.done, event.of, event.text) for event in news] == [
        (i, 9, f"Frame {i} of 9") for i in range(1, 10)
    ]
    assert file.name == f"instaflow-interpolation.{form}"
    assert list(place.iterdir()) == [file.content]
    if form == "mp4":
        with av.open(str(file.content)) as video:
            frames = [each.to_ndarray(format="rgb24") for each in video.decode(video=0)]
            settings = json.loads(video.metadata["comment"])
        assert len(frames) == 9
        assert checked(app, read_way(settings["interpolation"])) == checked(app, way)
        # The middle one is the middle key frame, but for the compression and the enlarging.
        key = np.asarray(frame(app, replace(way, position=(0.5,))).drawn.image).astype(float)
        shrunk = frames[4].reshape(96, 4, 96, 4, 3).mean((1, 3))
        assert np.abs(shrunk - key).mean() < 6


def test_a_video_that_is_left_leaves_nothing(app, place):
    events = run(interpolate(app, Interpolate(ROW, Video(600))))
    while not list(place.iterdir()):  # the encoder looks at some frames before it writes
        assert not isinstance(next(events), File)
    assert [path.suffix for path in place.iterdir()] == [".part"]
    events.close()
    assert list(place.iterdir()) == []


def test_a_video_that_is_left_ends_within_a_step(app, gate):
    way = replace(ROW, picture=replace(ROW.picture, model="tiny-sd", steps=100))
    events = run(interpolate(app, Interpolate(way, Video(600))))
    gate.let(1)
    while not gate.steps:
        next(events)
    events.close()
    assert gate.steps_after_all() <= 2


def test_a_video_that_nobody_takes_is_gone(app, place):
    events = interpolate(app, Interpolate(ROW, Video(2)))
    file = next(event for event in events if event and not isinstance(event, Progress))
    assert file.content.exists()
    events.close()
    assert list(place.iterdir()) == []


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"frames": 0}, "frames is 0; it must be a whole number in 2..600"),
        ({"frames": 1}, "frames is 1;"),
        ({"frames": 10_000}, "frames is 10000;"),
        ({"frames": 2.5}, "frames is 2.5;"),
        ({"frames": None}, "frames is empty;"),
        ({"frames": "many"}, "frames is 'many';"),
        ({"form": "avi"}, "The format is 'avi'; it must be one of mp4, webp"),
        ({"form": []}, "The format is []"),
        ({"way": replace(ROW, picture=PictureSettings("", "no-such"))}, "no-such"),
        ({"way": replace(ROW, key_frames=(KEYS[0], KeyFrame("", 1)))}, "Key frame 2: The prompt is empty"),
    ],
)
def test_a_bad_wish_is_answered_before_anything_is_drawn(app, place, values, message):
    values = dict(values)
    events = interpolate(app, Interpolate(values.pop("way", ROW), Video(**values)))
    with pytest.raises(UserError, match=re.escape(message)):
        next(events)
    assert list(place.iterdir()) == []


def test_a_program_asks_with_prompts_alone(app, place):
    wish = ask(["a lake", "a tent"])
    assert wish.video == Video()
    way = made(app, wish.way, frames=2)
    with av.open(str(way.content)) as video:
        found = json.loads(video.metadata["comment"])["interpolation"]
    assert (found["model"], found["steps"], found["position"]) == ("tiny-instaflow", 1, [0.0])
    assert [key["seed"] for key in found["key_frames"]] == [0, 0]


def test_frames_follow_a_picture_that_becomes_a_map_once(app, tmp_path):
    control = Control("tiny-canny", encode_map(Image.effect_noise((200, 200), 90)))
    way = ask(["a lake", "a tent"], position=0.5, control=(control,)).way
    found = frame(app, way)
    (made_of,) = found.drawn.settings.control
    assert decode_map(made_of.image).size == (96, 96)
    assert not np.array_equal(
        np.asarray(found.drawn.image), np.asarray(frame(app, ask(["a lake", "a tent"]).way).drawn.image)
    )
    restored = restore(app, saved(found, tmp_path)).way
    assert restored.picture.control == (made_of,)
    assert frame(app, restored).png == found.png


def test_alternatives_are_chosen_by_each_key_frames_seed_and_stored_as_chosen(app, tmp_path, place):
    keys = (KeyFrame("a {red|blue} tent", 4), KeyFrame("a {red|blue} tent", 5))
    way = replace(ROW, key_frames=keys, picture=replace(ROW.picture, negative_prompt="{a|b}"))
    chosen = (KeyFrame("a red tent", 4), KeyFrame("a blue tent", 5))
    found = frame(app, way)
    restored = restore(app, saved(found, tmp_path)).way
    assert (restored.key_frames, restored.picture.negative_prompt) == (chosen, "a")
    assert found.png == frame(app, replace(way, key_frames=chosen)).png
    with av.open(str(made(app, way, frames=2).content)) as video:
        stored = json.loads(video.metadata["comment"])["interpolation"]
    assert read_way(stored).key_frames == chosen
    with pytest.raises(UserError, match="no list __nothing__"):
        frame(app, replace(way, key_frames=(KEYS[0], KeyFrame("__nothing__", 1))))
    with pytest.raises(UserError, match="Key frame 2: The prompt is empty"):
        frame(app, replace(way, key_frames=(KEYS[0], KeyFrame("{|a}", 2))))


def test_what_a_png_carries_besides_settings_is_read_whole(app, tmp_path):
    assert set(read_png_settings(saved(frame(app, ROW), tmp_path))) == {"interpolation"}
