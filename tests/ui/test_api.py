"""The `/generate` endpoint through gradio's own client."""

import json
from pathlib import Path

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from rf_app.pipeline.png import read_settings


@pytest.fixture(scope="module")
def client(url, tmp_path_factory):
    """A program that uses the page's API."""
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


def test_a_prompt_is_enough(client):
    files, found = client.predict("a lake", api_name="/generate")
    assert len(files) == 1
    assert (found["model"], found["steps"], found["guidance"], found["seeds"]) == (
        "tiny-instaflow",
        1,
        1.0,
        [0],
    )
    assert set(found["seconds"]) == {"text", "unet", "decode", "total"}
    assert read_settings(Path(files[0]))["prompt"] == "a lake"


def test_everything_can_be_said(client):
    files, found = client.predict(
        prompt="a lake",
        model="tiny-sd",
        steps=3,
        guidance=2.5,
        seed=7,
        count=2,
        negative_prompt="a red tent",
        solver="ddim",
        api_name="/generate",
    )
    settings = [read_settings(Path(file)) for file in files]
    assert [each["seed"] for each in settings] == found["seeds"] == [7, 8]
    assert settings[0] == {
        "prompt": "a lake",
        "negative_prompt": "a red tent",
        "model": "tiny-sd",
        "steps": 3,
        "guidance": 2.5,
        "solver": "ddim",
        "seed": 7,
    }
    json.dumps(found)


def test_a_model_brings_its_own_steps_and_guidance(client):
    _, found = client.predict("a lake", model="tiny-sd", api_name="/generate")
    assert (found["steps"], found["guidance"]) == (4, 3.0)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": "a" * 10_000}, "10,000 characters"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 101}, "steps is 101"),
        ({"steps": 1.5}, "steps is 1.5"),
        ({"guidance": -1}, "guidance is -1"),
        ({"guidance": 21}, "guidance is 21"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"count": 0}, "count is 0"),
        ({"count": 17}, "count is 17"),
        ({"model": "../../etc"}, "../../etc"),
        ({"model": "no-such"}, "tiny-instaflow"),
    ],
)
def test_a_bad_wish_is_answered_with_its_message(client, wish, message):
    with pytest.raises(AppError) as error:
        client.predict(**({"prompt": "a lake"} | wish), api_name="/generate")
    assert message in str(error.value)
    assert "Traceback" not in str(error.value)
    client.predict("a lake", api_name="/generate")


def test_an_endpoint_has_a_name_and_says_what_it_takes(client):
    endpoints = client.view_api(return_format="dict")
    assert endpoints["unnamed_endpoints"] == {}
    names = [
        parameter["parameter_name"] for parameter in endpoints["named_endpoints"]["/generate"]["parameters"]
    ]
    assert names == ["prompt", "model", "steps", "guidance", "seed", "count", "negative_prompt", "solver"]
