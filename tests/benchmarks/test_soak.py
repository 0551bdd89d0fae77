"""The visitors of the soak see what they say, on the tiny models; and what is a defect is one."""

from functools import partial
from json import dumps

import pytest

from benchmarks.soak import Seen
from benchmarks.visitors import Program, Refused, look_around, pixels
from rf_app.actions.generate import Generate, generate
from rf_app.actions.run import results
from rf_app.settings.picture import PictureSettings
from tests.browser import served

WISH = ("generate", dumps({"prompt": "a lake", "seed": 3}))


def test_programs_and_browsers_get_the_pictures_of_the_action(app, browser, tmp_path):
    (drawn,) = results(generate(app, Generate(PictureSettings("a lake", app.first_model(), seed=3))))
    with served(app, tmp_path / "no-examples") as address:
        program = Program(address.rstrip("/"))
        assert program.pictures(WISH) == [pixels(drawn.png)]
        with pytest.raises(Refused, match="The prompt is empty"):
            program.pictures(("generate", dumps({"prompt": ""})))
        program.hang_up(WISH)
        wish, shown = look_around(browser, address, "a red tent")
        assert program.pictures(wish) == shown


def test_what_is_refused_is_a_defect_only_where_nothing_was_wrong_meanwhile():
    seen, refuse = Seen(), partial(_raise, Refused("no"))
    with seen.trouble("the disk was full"):
        seen.ask("generate", refuse)
    assert not seen.unexplained
    seen.ask("generate", refuse)
    assert seen.unexplained == ["generate: Refused: no"]
    assert list(seen.errors) == [
        "the disk was full, generate: Refused: no",
        "nothing was wrong, generate: Refused: no",
    ]


def _raise(error):
    raise error
