"""Work that calls back, followed: what is said, what it gives, how it ends."""

import time
from collections.abc import Iterator

import pytest

from rf_app.actions.reported import Report, reported
from rf_app.errors import Cancelled, UserError


def test_the_pace_is_that_of_this_run_and_of_this_text() -> None:
    said = []
    report = Report(said.append, "MB", 1e6)
    report(9_000_000, 10_000_000, "Copying")
    assert (said[-1].text, said[-1].seconds_left) == ("Copying, 9 of 10 MB", None)
    time.sleep(0.05)
    report(9_500_000, 10_000_000, "Copying")
    assert said[-1].seconds_left >= 0.05  # as much is left as this run has done
    report(1, 1, "Checking")
    assert (said[-1].text, said[-1].seconds_left) == ("Checking", None)


def test_it_ends_with_the_last_word_and_the_result() -> None:
    def work(report: Report) -> str:
        report(1, 3, "Adding")
        report(3, 3, "Adding")
        return "made"

    def followed() -> Iterator:
        yield (yield from reported(work, "tensors"))

    *said, made = followed()
    assert [each for each in said if each][-1].text == "Adding, 3 of 3 tensors"
    assert made == "made"


def test_an_error_of_the_work_is_raised() -> None:
    def work(report: Report) -> None:
        raise UserError("no such thing")

    with pytest.raises(UserError, match="no such thing"):
        list(reported(work, "MB"))


def test_left_it_ends_at_the_next_report() -> None:
    ended = []

    def work(report: Report) -> None:
        try:
            while True:
                report(1, 2, "Adding")
        except Cancelled:
            ended.append(True)

    following = reported(work, "MB")
    next(following)
    following.close()
    while not ended:
        time.sleep(0.01)
