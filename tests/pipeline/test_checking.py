"""Settings: the card's defaults, and a clear word about every value out of range."""

import math
from dataclasses import replace

import pytest

from rf_app.errors import UserError
from rf_app.pipeline.checking import check
from rf_app.settings.picture import CheckedSettings, PictureSettings
from tests.tiny import tiny_card

CARD = tiny_card("tiny-2rf", "rectified-flow", 4, 1.5)


def test_the_card_fills_in():
    found = check(PictureSettings("  a lake \n", "tiny-2rf"), CARD)
    assert found == CheckedSettings("a lake", "tiny-2rf", steps=4, guidance=1.5, solver="euler")


def test_what_is_given_stays():
    found = check(PictureSettings("山", "tiny-2rf", 100, 0, 2**32 - 1, " night ", "heun"), CARD)
    assert found == CheckedSettings("山", "tiny-2rf", 100, 0.0, 2**32 - 1, "night", "heun")
    assert check(found, CARD) == found


def test_a_size_is_both_sides_or_the_model_s_own():
    def checked(**sides):
        found = check(PictureSettings("a lake", "tiny-2rf", **sides), CARD)
        return found.width, found.height

    assert checked() == checked(width=96) == checked(width=96.0, height=96) == (None, None)
    assert checked(height=144) == (96, 144)
    assert checked(width=64.0, height=192) == (64, 192)
    assert "width" not in check(PictureSettings("a lake", "tiny-2rf"), CARD).as_json()
    assert replace(CARD, smallest_side=60, largest_side=100).sides == (64, 96)
    assert replace(CARD, resolution=512).sides == (256, 1024)


def test_a_text_is_what_is_seen_of_it():
    found = check(
        PictureSettings("\ufeff a sno\u200bwy lake", "tiny-2rf", negative_prompt="\u202anight\u202c"), CARD
    )
    assert (found.prompt, found.negative_prompt) == ("a snowy lake", "night")


def test_whole_numbers_from_a_page_s_number_field():
    found = check(PictureSettings("a", "tiny-2rf", steps=3.0, seed=7.0), CARD)
    assert (found.steps, found.seed) == (3, 7)
    assert all(type(value) is int for value in (found.steps, found.seed))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": " \n\t\u200b"}, "prompt is empty"),
        ({"prompt": "x" * 10_000}, "prompt has 10,000 characters; at most 2,000"),
        ({"negative_prompt": "x" * 2001}, "negative prompt has 2,001 characters"),
        ({"prompt": None}, "must be text, not None"),
        ({"prompt": "\ud800"}, "surrogate"),
        ({"steps": 0}, r"steps is 0; it must be a whole number in 1\.\.100"),
        ({"steps": 101}, "steps is 101"),
        ({"steps": 1.5}, r"steps is 1\.5"),
        ({"steps": True}, "steps is True"),
        ({"steps": "3"}, "steps is '3'"),
        ({"guidance": -0.1}, r"guidance is -0\.1; it must be in 0\.\.20"),
        ({"guidance": 20.5}, r"guidance is 20\.5"),
        ({"guidance": math.nan}, "guidance is nan"),
        ({"guidance": math.inf}, "guidance is inf"),
        ({"guidance": 10**400}, "guidance is 1000"),
        ({"guidance": "high"}, "guidance must be a number"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**32}, "seed is 4294967296"),
        ({"seed": math.inf}, "seed is inf"),
        ({"solver": "dpm++"}, "solver is 'dpm\\+\\+'; tiny-2rf takes one of euler, heun"),
        ({"solver": "rk4\n"}, "solver is 'rk4"),
        ({"solver": 7}, "solver is 7"),
        ({"width": 40}, r"width is 40; it must be a whole number in 48\.\.192"),
        ({"height": 100}, "height is 100; tiny-2rf draws sides in steps of 8"),
        ({"height": "144"}, "height is '144'"),
        ({"width": 184, "height": 184}, "184×184 has 33,856 pixels; tiny-2rf draws at most 27,648"),
    ],
)
def test_values_out_of_range(change, message):
    values = {"prompt": "a lake", "model": "tiny-2rf"} | change
    with pytest.raises(UserError, match=message) as caught:
        check(PictureSettings(**values), CARD)
    assert len(str(caught.value)) < 200
