"""How actions are asked from outside: flat arguments, in order, each with help; and the wish they become."""

from dataclasses import MISSING

import pytest

from rf_app.__main__ import actions
from rf_app.actions import generate, upload_lora
from rf_app.actions.asking import File, asking
from rf_app.actions.generate import Generate
from rf_app.actions.upload_lora import UploadLora
from rf_app.errors import UserError
from rf_app.settings.picture import Control, Lora, PictureSettings


def test_records_are_flattened_in_their_order():
    assert [each.name for each in asking(generate).arguments] == [
        *("prompt", "model", "steps", "guidance", "seed", "negative_prompt", "solver", "control", "loras"),
        *("width", "height", "decoder", "count", "preset"),
    ]
    assert [each.name for each in asking(upload_lora).arguments] == ["file", "model", "kind"]


@pytest.mark.parametrize("name", actions())
def test_everything_says_what_it_is(name):
    """The action, its answer, and each argument; those that have to be given come first."""
    action = asking(actions()[name])
    assert action.about
    assert action.answer.__doc__
    assert [each.name for each in action.arguments if not each.about] == []
    given = [each.default is MISSING for each in action.arguments]
    assert given == sorted(given, reverse=True)


def test_values_become_a_wish_and_none_is_as_good_as_leaving_one_out():
    wish = asking(generate).wish(
        {
            "prompt": "a lake",
            "steps": None,
            "seed": 4,
            "count": 2,
            "loras": ["ink", {"id": "wood", "strength": 0.5}],
            "control": [{"model": "tiny-canny", "image": "x", "low": 1}],
        }
    )
    assert wish == Generate(
        PictureSettings(
            "a lake",
            seed=4,
            loras=(Lora("ink"), Lora("wood", 0.5)),
            control=(Control("tiny-canny", "x", low=1),),
        ),
        count=2,
    )
    assert asking(generate).wish({"prompt": "a"}) == Generate(PictureSettings("a"))
    assert asking(generate).wish({"prompt": "a", "loras": None, "control": None}) == Generate(
        PictureSettings("a")
    )


def test_a_file_is_a_value():
    file = File("ink.safetensors", b"")
    assert asking(upload_lora).wish({"file": file}) == UploadLora(file)


def test_what_cannot_be_read_is_named():
    for values, message in (
        ({"loras": "ink"}, "loras must be a list"),
        ({"control": 7}, "control must be a list"),
    ):
        with pytest.raises(UserError, match=message):
            asking(generate).wish({"prompt": "a"} | values)
