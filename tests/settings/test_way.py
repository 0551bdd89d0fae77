"""A way between pictures as JSON: what is written is read again, and nonsense raises UserError."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rf_app.errors import UserError
from rf_app.settings.picture import PictureSettings
from rf_app.settings.way import NOISE, TEXT, KeyFrame, Way, read_way
from tests.settings.test_picture import anything, numbers, texts, wishes

keys = st.lists(st.builds(KeyFrame, texts, st.integers()), min_size=1, max_size=4).map(tuple)
ways = st.builds(
    lambda keys, position, picture, noise, text: Way(
        keys,
        position,
        PictureSettings(**vars(picture) | {"prompt": keys[0].prompt, "seed": keys[0].seed}),
        noise,
        text,
    ),
    keys,
    st.lists(numbers, max_size=3).map(tuple),
    wishes,
    st.sampled_from(NOISE),
    st.sampled_from(TEXT),
)
CORNERS = tuple(KeyFrame(name, i) for i, name in enumerate("abcd"))


@given(ways)
def test_what_is_written_is_read_again(way):
    assert read_way(json.loads(json.dumps(way.as_json()))) == way


@given(
    st.dictionaries(st.sampled_from(["key_frames", "position", "noise", "text", "steps", "model"]), anything)
    | anything
)
def test_nothing_that_anybody_sends_gives_a_traceback(found):
    with suppress(UserError):
        assert isinstance(read_way(found), Way)


def test_at_a_key_frame_it_is_a_picture_of_its_own():
    picture = PictureSettings("a", "tiny-sd", 3, seed=0)
    square = Way(CORNERS, (1.0, 0.0), picture)
    assert square.at_key_frame() == PictureSettings("b", "tiny-sd", 3, seed=1)
    assert Way(CORNERS, (1.0, 0.0), picture, text="first").at_key_frame().prompt == "a"
    assert Way(CORNERS, (0.5, 0.0), picture).at_key_frame() is None
    assert Way(CORNERS[:3], (0.5,), picture).at_key_frame().prompt == "b"
    assert Way(CORNERS[:3], (0.4,), picture).at_key_frame() is None


def test_a_square_becomes_the_tour_of_its_corners():
    row = Way(CORNERS, (0.5, 0.5), PictureSettings("a")).row()
    assert [key.prompt for key in row.key_frames] == list("abdca")
    assert not row.square
    assert row.row() is row


@pytest.mark.parametrize("found", [None, [], {}, {"key_frames": []}, {"key_frames": "ab", "position": [0]}])
def test_what_is_no_way_is_refused(found):
    with pytest.raises(UserError, match="not readable"):
        read_way(found)
