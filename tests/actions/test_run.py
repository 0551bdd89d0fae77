"""The one way in which actions run: events in order, a message for every error, and an end when told so."""

import logging
import threading
import time

import pytest

from rf_app.actions.generate import Generate, generate
from rf_app.actions.progress import Progress
from rf_app.actions.run import LatestRun, results, run
from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.turns import PULSE
from rf_app.registry.disk import DiskFull
from rf_app.settings.picture import PictureSettings


def action(*events):
    """An action that yields these, or raises them."""
    for each in events:
        if isinstance(each, Exception):
            raise each
        yield each


def test_results_come_in_order_and_progress_at_a_bearable_rate():
    many = [Progress(i, 1000, "on the way", None) for i in range(1000)]
    heard = list(run(action("first", *many, None, "second")))
    assert [each for each in heard if isinstance(each, str)] == ["first", "second"]
    assert sum(isinstance(each, Progress) for each in heard) < 100
    assert results(action("first", *many, None, "second")) == ["first", "second"]


def test_progress_that_came_too_fast_is_told_in_the_next_quiet_moment():
    """Where a step takes a little longer than a pulse, each comes soon after one."""

    def steps():
        for i in range(3):
            time.sleep(PULSE)
            yield None
            yield Progress(i, 3, "on the way", None)
        time.sleep(PULSE)
        yield None

    heard = [each.done for each in run(steps()) if each]
    assert heard == [0, 1, 2]


def test_progress_is_not_told_after_the_result_it_led_to():
    """In a comparison it hid a picture for good, where the next model was not quick to begin."""

    def one_then_another():
        yield Progress(1, 1, "on the way", None)
        yield "first"
        time.sleep(PULSE)
        yield None

    heard = list(run(one_then_another()))
    assert heard[heard.index("first") :] == ["first", None]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (UserError("steps is 0"), "^steps is 0$"),
        (DiskFull("No room in /tmp"), "No room"),
        (RuntimeError("secret /path"), r"^That failed \(RuntimeError\): the log has the details\.$"),
        (MemoryError(), "MemoryError"),
    ],
)
def test_any_error_is_a_message_for_a_person(error, message, caplog):
    heard = []
    with caplog.at_level(logging.ERROR), pytest.raises(UserError, match=message):
        heard.extend(run(action("before", error)))
    assert ("An action failed" in caplog.text) == (not isinstance(error, (UserError, DiskFull)))


def long_work(app):
    return generate(app, Generate(PictureSettings("a lake", "tiny-sd", 100, 1.0), count=16))


def test_it_ends_within_a_step_when_told_so(app, gate):
    end = threading.Event()
    running = run(long_work(app), end.is_set)
    gate.let(1)
    while not gate.steps:
        next(running)
    end.set()
    with pytest.raises(Cancelled, match="Stopped"):  # though the second step is still under way
        for _ in running:
            pass
    assert gate.steps_after_all() <= 2


def test_closing_it_ends_the_work_within_a_step(app, gate):
    running = run(long_work(app))
    gate.let(1)
    while not gate.steps:
        next(running)
    running.close()
    assert gate.steps_after_all() <= 2


def test_a_new_run_ends_the_one_before_and_stop_ends_the_one_at_hand():
    latest = LatestRun()
    first = latest.begin()
    assert not first()
    second = latest.begin()
    assert (first(), second()) == (True, False)
    latest.stop()
    assert second()
    assert latest.stopped
    third = latest.begin()
    assert not third()
    assert not latest.stopped


def test_a_stop_that_comes_late_or_early_ends_what_it_was_pressed_for():
    latest = LatestRun()
    second = latest.begin(2)
    latest.stop(1)
    assert not second()
    latest.stop(4)
    assert (second(), latest.begin(4)(), latest.begin(5)()) == (True, True, False)


def test_a_wish_that_comes_late_ends_no_later_one():
    latest = LatestRun()
    second, first = latest.begin(2), latest.begin(1)
    assert (first(), second()) == (True, False)
    third = latest.begin(3)
    assert (second(), third()) == (True, False)
