"""The `/compare` and `/grid` endpoints through gradio's own client."""

import json
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from rf_app.pipeline.png import read_png_settings
from tests.ui.conftest import refusal


def test_a_prompt_is_enough_to_compare(client):
    files, found = client.predict("a lake", api_name="/compare")
    assert [each["model"] for each in found["results"]] == ["tiny-sd", "tiny-instaflow"]
    assert found["speed_up"]["factor"] >= 1
    for each in found["results"]:
        settings = read_png_settings(Path(files[each["file"]]))
        assert settings == {name: each[name] for name in settings}
        assert settings["seed"] == 0
    json.dumps(found)


def test_each_model_may_have_its_own_settings_and_one_may_fail(client):
    models = ["tiny-2rf", {"model": "tiny-sd", "steps": 2, "guidance": 1, "solver": "ddim"}, "gone"]
    files, found = client.predict("a lake", models, 5, api_name="/compare")
    assert len(files) == 2
    assert (found["results"][1]["steps"], found["results"][1]["solver"]) == (2, "ddim")
    assert "gone" in found["results"][2]["error"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"models": "tiny-sd"}, "models must be a list"),
        ({"models": ["tiny-sd"]}, "2 to 8 models, not 1"),
        ({"models": ["tiny-sd", 7]}, "7 is no model"),
        ({"models": ["tiny-sd", {"colour": "red"}]}, "is no model"),
        ({"models": [{"model": "tiny-sd", "steps": "x"}] * 2}, "steps is 'x'"),
        ({"seed": -1}, "seed is -1"),
        ({"loras": "gone"}, "loras must be a list"),
        ({"control": [{"model": "tiny-canny"}]}, "is no control"),
        ({"control": "all"}, "control must be a list"),
        ({"models": [{}, {}]}, "{} is no model"),
    ],
)
def test_a_bad_comparison_is_answered_with_its_message(client, wish, message):
    with refusal(message):
        client.predict(**({"prompt": "a lake"} | wish), api_name="/compare")


def test_a_grid_comes_as_sheet_zip_and_table(client):
    sheet, pictures, found = client.predict(
        prompt="a lake",
        rows="model",
        row_values="tiny-2rf, tiny-instaflow",
        columns="steps",
        column_values="1-3",
        api_name="/grid",
    )
    with Image.open(sheet) as image:
        assert image.format == "PNG"
    with zipfile.ZipFile(pictures) as archive:
        assert json.loads(archive.read("grid.json")) == found
    assert [cell["settings"]["steps"] for cell in found["cells"]] == [1, 2, 3] * 2


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"rows": "colour"}, "no axis 'colour'"),
        ({"rows": "seed", "row_values": "1-100", "columns": "steps", "column_values": "1-100"}, "10,000"),
        ({"prompt": ""}, "prompt is empty"),
        ({"model": "gone"}, "no model 'gone'"),
    ],
)
def test_a_bad_grid_is_answered_with_its_message(client, wish, message):
    with refusal(message):
        client.predict(**({"prompt": "a lake"} | wish), api_name="/grid")


def test_what_they_do_can_be_read(client):
    endpoints = client.view_api(return_format="dict")["named_endpoints"]
    names = {name: [each["parameter_name"] for each in endpoints[name]["parameters"]] for name in endpoints}
    assert names["/compare"] == ["prompt", "models", "seed", "loras", "control", "width", "height"]
    assert names["/grid"][:5] == ["prompt", "rows", "row_values", "columns", "column_values"]
