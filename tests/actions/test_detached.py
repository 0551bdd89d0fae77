"""An action that goes on when nobody looks: followed again from the first, stopped, few at a time."""

import pytest

from rf_app.actions.batch import Batch, PictureDone, batch
from rf_app.actions.detached import AT_ONCE, Detached
from rf_app.errors import UserError
from tests.settled import until


def seen(run):
    new = [event for event in run.follow() if isinstance(event, list)]
    return [each for several in new for each in several if isinstance(each, PictureDone)]


def test_it_goes_on_when_nobody_looks_and_is_followed_again_from_the_first(app, tmp_path, gate):
    runs = Detached()
    wish = Batch("a lake\na tent\na boat", model="tiny-sd", steps=1, guidance=1, out=tmp_path)
    run = runs.start("mine", batch(app, wish))
    follower = run.follow()
    assert next(each for each in follower if each)
    follower.close()
    gate.open()
    until(lambda: run.ended)
    assert runs.find("mine") is run
    assert [each.number for each in seen(run)] == [1, 2, 3]


def test_stop_ends_it_and_an_error_reaches_who_follows(app, tmp_path, gate):
    runs = Detached()
    run = runs.start("mine", batch(app, Batch("a lake", model="tiny-sd", out=tmp_path)))
    gate.under_way()
    gate.let(1)
    runs.stop("mine", wait=True)
    assert run.ended
    assert not seen(run)
    broken = runs.start("other", batch(app, Batch("", out=tmp_path)))
    with pytest.raises(UserError, match="no prompt"):
        list(broken.follow())


def test_one_address_has_few_at_a_time(app, tmp_path, gate):
    runs = Detached()
    wish = Batch("a lake", model="tiny-sd", out=tmp_path)
    for i in range(AT_ONCE):
        runs.start(f"run {i}", batch(app, wish), ("here", f"session {i}"))
    with pytest.raises(UserError, match="runs of yours are under way"):
        runs.start("one more", batch(app, wish), ("here", "session"))
    runs.start("another's", batch(app, wish), ("there", ""))
    gate.open()
