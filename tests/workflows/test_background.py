"""Work on a thread of its own: nothing is lost, errors arrive, leaving stops it."""

import threading

import pytest

from rf_app.errors import UserError
from rf_app.workflows.background import Clock, batches


def test_everything_emitted_arrives_in_order():
    def job(emit, cancelled):
        for i in range(1000):
            emit(i)

    assert [item for batch in batches(job) for item in batch] == list(range(1000))


def test_an_error_comes_after_what_was_emitted_before_it():
    def job(emit, cancelled):
        emit("news")
        raise UserError("no such thing")

    heard = []
    with pytest.raises(UserError, match="no such thing"):  # noqa: PT012
        for batch in batches(job):
            heard += batch
    assert heard == ["news"]


def test_leaving_stops_the_job_without_waiting_for_it():
    stopped, may_end = threading.Event(), threading.Event()

    def job(emit, cancelled):
        emit("started")
        while not cancelled():
            pass
        may_end.wait(60)
        stopped.set()

    heard = batches(job)
    assert next(heard) == []  # before anything has begun
    assert "started" in next(heard)
    heard.close()  # would wait for ever, if it waited for the job
    may_end.set()
    assert stopped.wait(60)


def test_time_left_follows_from_time_taken():
    clock = Clock(10)
    assert clock.at(0, "starting").seconds_left is None
    clock._start -= 8
    assert clock.at(4, "on the way").seconds_left == pytest.approx(12, rel=0.2)
    assert clock.at(10, "done").seconds_left == 0
    assert clock.seconds_left(0.8) == pytest.approx(2, rel=0.2)
