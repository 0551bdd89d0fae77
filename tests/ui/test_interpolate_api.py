"""The `/interpolate` endpoint through gradio's own client."""

import json
from pathlib import Path

import av
import pytest
from PIL import Image

from rf_app.actions.interpolate import ask as wish_of
from rf_app.actions.interpolate import interpolate
from rf_app.actions.run import results
from rf_app.pipeline.png import read_png_settings
from tests.settled import until
from tests.ui.conftest import answering, refusal


def ask(client, **values):
    return Path(client.predict(**values, api_name="/interpolate"))


def test_two_prompts_are_enough(client):
    path = ask(client, prompts=["a lake", "a lake at sunset"])
    with av.open(str(path)) as video:
        settings = json.loads(video.metadata["comment"])
        assert sum(1 for _ in video.decode(video=0)) == settings["frames"] == 72
    way = settings["interpolation"]
    assert [key["seed"] for key in way["key_frames"]] == [0, 0]
    assert (way["model"], way["steps"], way["noise"], way["text"]) == ("tiny-instaflow", 1, "slerp", "lerp")


def test_everything_can_be_said(client):
    path = ask(
        client,
        prompts=["a lake"] * 5,
        seeds=[1, 2, 3, 4, 5],
        frames=6,
        form="webp",
        model="tiny-2rf",
        steps=2,
        guidance=1.5,
        noise="lerp",
        text="first",
        there_and_back=True,
        negative_prompt="a red tent",
        solver="heun",
    )
    with Image.open(path) as image:
        assert image.is_animated
        assert all(word in image.info["xmp"] for word in (b"tiny-2rf", b"a red tent", b"heun"))


def test_a_square_is_gone_round(client):
    path = ask(client, prompts=["a lake", "a tent", "a mountain", "sunset"], frames=4, square=True)
    with av.open(str(path)) as video:
        way = json.loads(video.metadata["comment"])["interpolation"]
    assert (len(way["key_frames"]), len(way["position"])) == (4, 2)


@pytest.mark.parametrize(("count", "position"), [(2, 0.25), (3, 1), (4, [0.5, 0.75])])
def test_a_picture_in_between_is_that_of_the_action(client, app, count, position):
    prompts = ["a lake", "a tent", "a mountain", "sunset"][:count]
    path = ask(client, prompts=prompts, seeds=list(range(count)), position=position)
    (expected,) = results(interpolate(app, wish_of(prompts, list(range(count)), position=position)))
    assert path.read_bytes() == expected.png
    place = position if isinstance(position, list) else [position]
    assert read_png_settings(path)["interpolation"]["position"] == place


def test_it_ends_with_the_one_who_asked(client, gate):
    wish = {"prompts": ["a lake", "a tent"], "frames": 600, "model": "tiny-sd", "steps": 100}
    job = client.submit(**wish, api_name="/interpolate")
    gate.under_way()
    until(answering)
    job.cancel()
    assert gate.steps_meanwhile() < 50


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompts": "a lake"}, "prompts must be a list"),
        ({"prompts": []}, "The number of key frames is 0"),
        ({"prompts": ["a lake"]}, "The number of key frames is 1; 2 to 16"),
        ({"prompts": ["a lake", ""]}, "Key frame 2: The prompt is empty"),
        ({"prompts": ["a lake", {"a": 1}]}, "Key frame 2: The prompt must be text"),
        ({"seeds": [1]}, "1 seeds for 2 prompts"),
        ({"seeds": "many"}, "seed is 'many'"),
        ({"frames": 0}, "frames is 0"),
        ({"frames": 10_000}, "frames is 10000"),
        ({"form": "../../etc"}, "The format is '../../etc'"),
        ({"noise": "bent"}, "noise is 'bent'"),
        ({"text": "last"}, "text is 'last'"),
        ({"model": "no-such"}, "no-such"),
        ({"solver": "dpm++"}, "solver is 'dpm++'"),
        ({"square": True}, "A square has 4 key frames"),
        ({"position": [0.5, 0.5]}, "A square has 4 key frames"),
        ({"position": 2}, "position is (2,)"),
        ({"position": []}, "position is ()"),
        ({"position": {"u": 0.5}}, "position is ({'u': 0.5},)"),
    ],
)
def test_a_bad_wish_is_answered_with_its_message(client, values, message):
    with refusal(message):
        ask(client, **({"prompts": ["a lake", "a tent"], "frames": 2} | values))


def test_its_description_says_what_it_takes(client):
    endpoint = client.view_api(return_format="dict")["named_endpoints"]["/interpolate"]
    names = [parameter["parameter_name"] for parameter in endpoint["parameters"]]
    assert names[:4] == ["prompts", "seeds", "frames", "form"]
    assert "changes smoothly from one picture to the next" in endpoint["description"]
