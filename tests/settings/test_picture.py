"""A picture's settings as JSON: what is written is read again, and what anybody may send raises UserError."""

import json
from contextlib import suppress
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rf_app.errors import UserError
from rf_app.settings.picture import (
    FIELDS,
    MAX_PROMPT,
    Control,
    Lora,
    PictureSettings,
    parse_json,
    read_controls,
    read_loras,
    read_picture_settings,
)

SOURCE = "The settings sent here"
texts = st.text(max_size=60)
numbers = st.floats(allow_nan=False, allow_infinity=False)
loras = st.builds(Lora, texts, numbers)
maps = st.builds(Control, texts, texts, st.just("none"), numbers, numbers, numbers, numbers, numbers)
wishes = st.builds(
    PictureSettings,
    texts,
    texts,
    st.none() | st.integers(),
    st.none() | numbers | st.integers(),
    st.integers(),
    texts,
    st.none() | texts,
    st.lists(maps, max_size=3).map(tuple),
    st.lists(loras, max_size=3).map(tuple),
)
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
parts = st.lists(
    st.dictionaries(
        st.sampled_from(
            ["id", "model", "image", "strength", "on", "start", "end", "preprocessor", "low", "x"]
        ),
        anything,
        max_size=6,
    )
    | anything,
    max_size=4,
)


def read(found):
    return read_picture_settings(parse_json(json.dumps(found), SOURCE), SOURCE)


@given(wishes)
def test_what_is_written_is_read_again(wish):
    assert read(wish.as_json()) == wish


def test_only_what_is_there_is_written():
    wish = PictureSettings("a lake", "tiny-sd")
    assert wish.as_json() == {"prompt": "a lake", "model": "tiny-sd", "seed": 0, "negative_prompt": ""}
    plugged = replace(wish, loras=(Lora("ink", 0.5),)).as_json()
    assert plugged["loras"] == [{"id": "ink", "strength": 0.5}]


@given(st.dictionaries(st.sampled_from([*FIELDS, "other"]), anything | parts))
def test_nothing_that_anybody_sends_gives_a_traceback(found):
    with suppress(UserError):
        assert isinstance(read(found), PictureSettings)


@pytest.mark.parametrize("depth", [50, 500, 900, 950, 980, 1000, 5000])
@pytest.mark.parametrize("name", ["steps", "loras", "control"])
def test_no_depth_gives_a_traceback(name, depth):
    nested = "[" * depth + "]" * depth
    with pytest.raises(UserError):
        read_picture_settings(parse_json(f'{{"{name}": [{nested}]}}', SOURCE), SOURCE)


@pytest.mark.parametrize("text", ["", "{", "[1]", "null", '"a"', "[" * 10**5, " " * 2**23 + "{}", None])
def test_what_is_no_object_is_refused(text):
    with pytest.raises(UserError, match="The settings sent here are not readable"):
        parse_json(text, SOURCE)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ({"prompt": 3}, "prompt is 3"),
        ({"seed": True}, "seed is True"),
        ({"steps": "<b>"}, "steps is '<b>'"),
        ({"prompt": "y" * (MAX_PROMPT + 1)}, "prompt has 2,001 characters"),
        ({"loras": "ink"}, "loras is 'ink'"),
    ],
)
def test_a_value_of_another_type_is_named(found, message):
    with pytest.raises(UserError, match=message):
        read(found)


def test_null_is_as_good_as_nothing():
    assert read({"prompt": "a lake", "solver": None, "steps": None, "loras": None}) == PictureSettings(
        "a lake"
    )


def test_a_list_of_loras_may_be_short():
    found = read_loras(["a", {"id": "b"}, {"id": "c", "strength": -1, "on": True}, {"id": "d", "on": False}])
    assert found == (Lora("a"), Lora("b"), Lora("c", -1))
    for bad in (None, {}, "a", [None], [{}], [{"id": 1}], [["a"]]):
        with pytest.raises(UserError, match=r"must be a list|is no LoRA"):
            read_loras(bad)


def test_a_control_that_is_off_is_left_out_and_what_is_none_is_refused():
    both = [
        {"model": "a", "image": "x", "on": False},
        {"model": "b", "image": "x", "strength": 0.5, "on": True},
    ]
    assert read_controls(both) == (Control("b", "x", strength=0.5),)
    for bad in (7, [7], [None], ["model"], [{}], [{"model": "x"}], {"model": 1}):
        with pytest.raises(
            UserError, match=r"must be a list|is no control; give {\"model\": …, \"image\": …}"
        ):
            read_controls(bad)


def test_a_control_of_a_picture_is_a_finished_map():
    """Those of the first edition say nothing of a preprocessor, and carry the map's digest."""
    old = {"model": "a", "image": "x", "strength": 1.0, "start": 0.0, "end": 1.0, "map": "0123456789abcdef"}
    assert read({"prompt": "a", "control": [old]}).control == (Control("a", "x", "none"),)
