"""Controls in settings: a picture carries its maps, and brings them back."""

import json

import numpy as np
import pytest
from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.png import read_settings
from rf_app.pipeline.requests import Control, GenerateRequest
from rf_app.plugins.picture import decode_map, digest, encode_map
from rf_app.workflows.control import read_control

BAR = Image.new("RGB", (96, 96))
BAR.paste("white", (40, 0, 44, 96))


@pytest.fixture
def shown(studio):
    control = (
        Control("tiny-canny", encode_map(BAR), 0.5),
        Control("tiny-depth", encode_map(BAR), 1.5, 0.25, 0.75),
    )
    return studio.generate(GenerateRequest("a lake", "tiny-2rf", seed=4, control=control))


def test_a_picture_carries_its_maps_and_is_made_again_from_them(studio, shown, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(shown.pictures[0].png)
    first, second = read_settings(path)["control"]
    assert (first["model"], first["strength"], first["start"], first["end"]) == ("tiny-canny", 0.5, 0, 1)
    assert (second["strength"], second["start"], second["end"]) == (1.5, 0.25, 0.75)
    assert np.array_equal(np.asarray(decode_map(first["image"])), np.asarray(BAR))
    assert first["map"] == second["map"] == digest(first["image"])
    restored = studio.restore(path)
    assert restored.control == shown.request.control
    again = studio.generate(GenerateRequest("a lake", "tiny-2rf", seed=4, control=restored.control))
    assert again.pictures[0].image.tobytes() == shown.pictures[0].image.tobytes()


def test_a_program_hears_of_it_without_the_maps(shown):
    said = json.loads(json.dumps(shown.as_json()))["control"]
    assert [set(each) for each in said] == [{"model", "strength", "start", "end", "map"}] * 2


def test_a_controlnet_that_is_not_here_is_left_out_with_a_note(studio, shown):
    settings = shown.pictures[0].settings
    settings["control"][0]["model"] = "gone"
    restored = studio.restore_sent(json.dumps(settings))
    assert [each.model for each in restored.control] == ["tiny-depth"]
    assert "“gone”, a ControlNet that is not here" in restored.note


def test_one_that_is_off_is_left_out():
    both = [
        {"model": "a", "image": "x", "on": False},
        {"model": "b", "image": "x", "strength": 0.5, "on": True},
    ]
    assert read_control(both) == (Control("b", "x", 0.5),)


@pytest.mark.parametrize("found", [7, [7], [None], ["model"], [{}], [{"model": "x"}], {"model": 1}])
def test_what_is_no_list_of_controls_is_refused(found):
    with pytest.raises(UserError, match="not readable"):
        read_control(found)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"strength": "1"}, "strength must be a number"), ({"image": 3}, "not 3"), ({"end": 2}, "end is 2")],
)
def test_values_of_a_strangers_picture_are_checked(studio, shown, changes, message):
    settings = shown.pictures[0].settings
    settings["control"][0] |= changes
    with pytest.raises(UserError, match=message):
        studio.restore_sent(json.dumps(settings))
