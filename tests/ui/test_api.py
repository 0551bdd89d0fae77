"""The `/generate` endpoint through gradio's own client."""

import base64
import io
import json
from pathlib import Path

import httpx
import numpy as np
import pytest
from gradio_client.exceptions import AppError
from PIL import Image, ImageDraw

from rf_app.pipeline.png import read_png_settings
from rf_app.plugins.picture import decode_map, digest
from tests.full_disk import full_disk
from tests.ui.conftest import refusal


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
    assert read_png_settings(Path(files[0]))["prompt"] == "a lake"


def test_a_full_disk_is_named(client, url):
    """Where Gradio keeps its files: an answer's, and what is uploaded, which the page shows as it is."""
    with (
        full_disk(2**12),
        pytest.raises(
            AppError, match=r"The disk is full: cannot write instaflow-a-lake-0\.png \(\d+ MiB free\)"
        ),
    ):
        client.predict("a lake", api_name="/generate")
    with full_disk(2**19):
        answer = httpx.post(f"{url}gradio_api/upload", files={"files": bytes(2**20)})
    assert (answer.status_code, answer.text[:48]) == (507, "The disk is full: cannot write what was uploaded")
    assert "/" not in answer.text


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
    settings = [read_png_settings(Path(file)) for file in files]
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
    with refusal(message):
        client.predict(**({"prompt": "a lake"} | wish), api_name="/generate")
    client.predict("a lake", api_name="/generate")


def a_picture(mode="RGB", size=(300, 200)):
    buffer = io.BytesIO()
    image = Image.new("RGB", size)
    ImageDraw.Draw(image).ellipse([60, 20, 240, 180], "white")
    image.convert(mode).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def test_a_picture_is_followed(client):
    plain, _ = client.predict("a lake", api_name="/generate")
    control = [{"model": "tiny-canny", "image": a_picture("RGBA"), "strength": 0.8, "low": 50, "end": 1}]
    files, found = client.predict("a lake", control=control, api_name="/generate")
    assert not np.array_equal(np.asarray(Image.open(files[0])), np.asarray(Image.open(plain[0])))
    (said,) = found["control"]
    assert (said["model"], said["strength"], said["start"], said["end"]) == ("tiny-canny", 0.8, 0, 1)
    (carried,) = read_png_settings(Path(files[0]))["control"]
    assert said["map"] == digest(carried["image"])
    lines = np.asarray(decode_map(carried["image"]))
    assert lines.shape == (96, 96, 3)
    assert set(np.unique(lines)) == {0, 255}
    # The map that a picture carries makes the same picture again.
    again = [{"model": "tiny-canny", "image": carried["image"], "preprocessor": "none", "strength": 0.8}]
    same, _ = client.predict("a lake", control=again, api_name="/generate")
    assert np.array_equal(np.asarray(Image.open(same[0])), np.asarray(Image.open(files[0])))
    sides = ["tiny-instaflow", "tiny-2rf"]
    compared, _ = client.predict("a lake", sides, control=control, api_name="/compare")
    assert np.array_equal(np.asarray(Image.open(compared[0])), np.asarray(Image.open(files[0])))


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ("tiny-canny", "control must be a list of"),
        ([{"model": "tiny-canny"}], 'is no control; give {"model": …, "image": …}'),
        ([{"model": "tiny-canny", "image": ""}] * 3, "There are 3 controls; at most 2"),
        ([{"model": "../x", "image": a_picture()}], "ControlNet id '../x'"),
        ([{"model": ["x"], "image": ""}], "is no control"),
        ([{"model": "tiny-canny", "image": "%%%"}], "not base64"),
        ([{"model": "tiny-canny", "image": "aGVsbG8="}], "picture cannot be read"),
        ([{"model": "nothing", "image": a_picture()}], "no ControlNet 'nothing'"),
        ([{"model": "tiny-canny", "image": a_picture(), "strength": 3}], "strength is 3"),
        ([{"model": "tiny-canny", "image": a_picture(), "low": 300}], "low threshold, 300, is above"),
        ([{"model": "tiny-canny", "image": a_picture(), "preprocessor": "sobel"}], "preprocessor is 'sobel'"),
        (
            [{"model": "tiny-canny", "image": a_picture(), "preprocessor": ["canny"]}],
            "is ['canny']; it must be",
        ),
    ],
)
def test_a_bad_control_is_answered_with_its_message(client, control, message):
    with refusal(message):
        client.predict("a lake", control=control, api_name="/generate")


def test_a_program_learns_which_presets_there_are(client):
    assert "Woodcut" in [each["name"] for each in client.predict(api_name="/presets")]


def test_an_endpoint_has_a_name_and_says_what_it_takes(client):
    endpoints = client.view_api(return_format="dict")
    assert endpoints["unnamed_endpoints"] == {}
    names = [
        parameter["parameter_name"] for parameter in endpoints["named_endpoints"]["/generate"]["parameters"]
    ]
    assert names == [
        *("prompt", "model", "steps", "guidance", "seed", "count", "negative_prompt", "solver", "control"),
        *("loras", "width", "height", "decoder", "preset"),
    ]
