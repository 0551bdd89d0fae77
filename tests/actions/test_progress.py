"""The time left, and the worker's turns handed on."""

import pytest

from rf_app.actions.progress import Clock, Progress
from rf_app.pipeline.turns import Step, Turns


def test_time_left_follows_from_time_taken():
    clock = Clock(10)
    assert clock.at(0, "starting").seconds_left is None
    clock._start -= 8
    assert clock.at(4, "on the way").seconds_left == pytest.approx(12, rel=0.2)
    assert clock.at(10, "done").seconds_left == 0


def test_steps_of_a_turn_are_parts_of_the_whole():
    turns, clock = Turns(), Clock(3)

    def work(report):
        report(Step(1, 2))
        report(Step(2, 2))
        return "drawn"

    def both():
        for _ in range(2):
            assert (yield from clock.follow(turns.take(work), "Drawing")) == "drawn"

    heard = [each for each in both() if isinstance(each, Progress)]
    assert [(each.done, each.of, each.text) for each in heard] == [
        (done, 3, "Drawing") for done in (0.5, 1, 1.5, 2)
    ]
    turns.close()


def test_leaving_closes_the_turn():
    closed = []

    def turn():
        try:
            while True:
                yield Step(1, 2)
        finally:
            closed.append(True)

    following = Clock(1).follow(turn(), "Drawing")
    next(following)
    following.close()
    assert closed == [True]
