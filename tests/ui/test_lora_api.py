"""`/upload_lora`, and `/generate` with LoRAs, through gradio's own client."""

from pathlib import Path

import numpy as np
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from rf_app.pipeline.png import read_settings
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load


@pytest.fixture(scope="module")
def files(studio, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    tensors = random_lora(load(studio.registry, "tiny-sd").unet, size=0.5)
    write(folder / "Style.safetensors", tensors, {"modelspec.trigger_phrase": "in ink"})
    (folder / "evil.safetensors").write_bytes(b"PK\x03\x04 an archive")
    return folder


def connect(url, tmp_path_factory):
    return Client(url, verbose=False, download_files=str(tmp_path_factory.mktemp("downloads")))


@pytest.fixture(scope="module")
def ann(url, tmp_path_factory):
    """A program."""
    return connect(url, tmp_path_factory)


@pytest.fixture(scope="module")
def bob(url, tmp_path_factory):
    """Another one."""
    return connect(url, tmp_path_factory)


def upload(client, path, **values):
    return client.predict(handle_file(path), **values, api_name="/upload_lora")


def draw(client, loras):
    (file,), found = client.predict("a lake", seed=3, loras=loras, api_name="/generate")
    return np.asarray(Image.open(file)), found, read_settings(Path(file))


def test_an_uploaded_lora_draws_for_its_client_alone(ann, bob, files, studio):
    lora = upload(ann, files / "Style.safetensors")
    assert (lora["title"], lora["trigger"]) == ("Style", "in ink")
    plain, *_ = draw(ann, [])
    styled, found, settings = draw(ann, [{"id": lora["id"], "strength": -0.5}])
    assert not np.array_equal(styled, plain)
    assert found["loras"] == settings["loras"] == [{"id": lora["id"], "strength": -0.5}]
    assert np.array_equal(draw(ann, [lora["id"]])[0], draw(ann, [{"id": lora["id"], "strength": 1}])[0])
    assert np.array_equal(draw(ann, None)[0], plain)
    with pytest.raises(AppError, match="none of this session's uploads"):
        draw(bob, [lora["id"]])
    assert upload(bob, files / "Style.safetensors")["id"] == lora["id"]
    assert np.array_equal(draw(bob, [lora["id"]])[0], draw(ann, [lora["id"]])[0])


def test_a_comparison_has_them(ann, files):
    lora = upload(ann, files / "Style.safetensors")
    models = ["tiny-instaflow", "tiny-2rf"]
    pictures, found = ann.predict("a lake", models, 3, [lora["id"]], api_name="/compare")
    assert np.array_equal(np.asarray(Image.open(pictures[0])), draw(ann, [lora["id"]])[0])
    assert [each["loras"] for each in found["results"]] == [[{"id": lora["id"], "strength": 1}]] * 2


def test_a_frame_has_them_and_says_nothing_of_the_session(ann, files):
    lora = upload(ann, files / "Style.safetensors")
    wish = {"prompts": ["a lake", "a tent"], "seeds": 3, "position": 0, "api_name": "/interpolate"}
    file = ann.predict(**wish, loras=[lora["id"]])
    assert np.array_equal(np.asarray(Image.open(file)), draw(ann, [lora["id"]])[0])
    assert ann.session_hash.encode() not in Path(file).read_bytes()


@pytest.mark.parametrize(
    ("loras", "message"),
    [
        ("style", "loras must be a list"),
        ([{"strength": 1}], "is no LoRA; give"),
        ([1], "is no LoRA; give"),
        (["nothing"], "no LoRA 'nothing'"),
        (["../../etc/passwd"], "LoRA id '../../etc/passwd'"),
        ([{"id": "upload-000000000000", "strength": "much"}], "strength must be a number"),
        ([{"id": "upload-000000000000", "strength": 3}], "strength is 3"),
        (["upload-000000000000"], "none of this session's uploads"),
    ],
)
def test_a_bad_wish_is_answered_with_its_message(ann, loras, message):
    with pytest.raises(AppError) as error:
        draw(ann, loras)
    assert message in str(error.value)


def test_what_is_no_lora_is_answered_with_the_reason(ann, files):
    with pytest.raises(AppError, match="This is a zip archive"):
        upload(ann, files / "evil.safetensors")
    with pytest.raises(AppError, match="no model 'nothing'"):
        upload(ann, files / "Style.safetensors", model="nothing")
