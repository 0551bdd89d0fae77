"""The history as a program is told of it."""

import pytest

from rf_app.actions.history import History, answer, history
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.history import Kept


def test_a_program_is_told_of_pictures_without_their_pixels(app):
    made = {
        "prompt": "a lake",
        "start": {"image": "…", "mask": "…", "strength": 0.5},
        "control": [{"model": "tiny-canny", "image": "…"}],
    }
    (told,) = answer(app, [Kept("a.png", 0.0, made, True, b"")])
    assert (told["starred"], told["file"]) == (True, str(app.history.folder / "a.png"))
    assert told["settings"] == {
        "prompt": "a lake",
        "start": {"strength": 0.5},
        "control": [{"model": "tiny-canny"}],
    }


@pytest.mark.parametrize("words", [None, "\ud83d"])
def test_words_that_are_no_text_are_named(own_app, words):
    with pytest.raises(UserError, match="words"):
        results(history(own_app, History(words)))
