"""`/upload_lora`, and `/generate` with LoRAs, through gradio's own client."""

import json
import urllib.error
import urllib.request
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from gradio.utils import get_upload_folder
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.ui.api import uploaded
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load
from tests.ui.conftest import refusal


@pytest.fixture(scope="module")
def files(app, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    tensors = random_lora(load(app.registry, "tiny-sd").unet, size=0.5)
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
    return np.asarray(Image.open(file)), found, read_png_settings(Path(file))


def test_an_uploaded_lora_draws_for_its_client_alone(ann, bob, files):
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
    with refusal(message):
        draw(ann, loras)


def test_what_is_no_lora_is_answered_with_the_reason(ann, files):
    with pytest.raises(AppError, match="This is a zip archive"):
        upload(ann, files / "evil.safetensors")
    with pytest.raises(AppError, match="no model 'nothing'"):
        upload(ann, files / "Style.safetensors", model="nothing")


def posted(url, path):
    """Whether the server takes a path in a plain request of HTTP."""
    body = json.dumps({"data": [{"path": str(path), "meta": {"_type": "gradio.FileData"}}, "", ""]}).encode()
    wish = urllib.request.Request(
        f"{url}gradio_api/run/upload_lora", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(wish) as answer:
        return json.load(answer)


def files_of(*folders):
    return {path: path.read_bytes() for folder in folders for path in folder.rglob("*") if path.is_file()}


def test_no_file_of_the_server_goes_whatever_a_stranger_names(ann, url, files, app, tmp_path):
    """Another visitor's upload, a picture of the page, a model, a file of the system: all stay."""
    lora = upload(ann, files / "Style.safetensors")
    (kept,) = (each.path for each in app.worker.uploads.of(ann.session_hash) if each.id == lora["id"])
    cache, models = Path(get_upload_folder()), app.registry.folders[-1]
    (tmp_path / "own.safetensors").write_bytes((files / "Style.safetensors").read_bytes())
    before = files_of(cache, kept.parent, models, tmp_path)
    inside = [path for path in before if path.is_relative_to(cache)]
    assert {".safetensors", ".png"} <= {
        path.suffix for path in inside
    }  # an upload, and a picture of the page
    weights = next(models.rglob("*.safetensors"))
    outside = [
        kept,
        weights,
        tmp_path / "own.safetensors",
        Path("/etc/passwd"),
        cache / ".." / "x",
        cache,
        "",
    ]
    for path in [*inside, *outside]:
        if path in outside:
            with pytest.raises(urllib.error.HTTPError):
                posted(url, path)
        else:
            with suppress(urllib.error.HTTPError):  # taken or not, and never without a session
                posted(url, path)
    assert files_of(cache, kept.parent, models, tmp_path) == before
    assert Path("/etc/passwd").exists()


@pytest.mark.parametrize("path", ["/etc/passwd", "../../etc/passwd", "", "/"])
def test_a_path_outside_gradio_s_folder_is_refused(app, path):
    with pytest.raises(UserError, match="file is missing"):
        uploaded({"path": path})
    for value in (None, "", 7, [], {}, {"path": None}):
        with pytest.raises(UserError, match="file is missing"):
            uploaded(value)
