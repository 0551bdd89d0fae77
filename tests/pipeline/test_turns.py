"""Turns on one thread: fair, watched, left at any time, and the next one always comes."""

import threading
import weakref
from concurrent.futures import ThreadPoolExecutor

import pytest

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.turns import Step, Turns, result_of

WAIT = 60  # seconds at most


@pytest.fixture
def turns():
    turns = Turns()
    yield turns
    turns.close()


@pytest.fixture
def busy(turns):
    """Keeps the thread until it is set."""
    release = threading.Event()
    begun = threading.Event()
    threading.Thread(
        target=turns.wait_for, args=(lambda: (begun.set(), release.wait(WAIT)),), daemon=True
    ).start()
    assert begun.wait(WAIT)
    yield release
    release.set()


def test_every_step_arrives_in_order_and_the_result_in_the_end(turns):
    def work(report):
        for i in range(1000):
            report(Step(i + 1, 1000))
        return "done"

    def both():
        yield (yield from turns.take(work))

    heard = [each for each in both() if each]
    assert heard == [*(Step(i + 1, 1000) for i in range(1000)), "done"]


def test_an_error_comes_after_the_steps_before_it_and_the_thread_lives(turns):
    def work(report):
        report(Step(1, 2))
        raise UserError("no such thing")

    turn = turns.take(work)
    assert next(step for step in turn if step) == Step(1, 2)
    with pytest.raises(UserError, match="no such thing"):
        result_of(turn)
    assert result_of(turns.take(lambda report: "alive")) == "alive"


def test_what_work_had_in_its_hands_goes_with_it_though_its_error_lives(turns):
    class Latents:
        pass

    def work(report):
        latents = Latents()
        seen.append(weakref.ref(latents))
        raise UserError("no such thing")

    seen: list[weakref.ref] = []
    with pytest.raises(UserError) as error:
        result_of(turns.take(work))
    assert seen[0]() is None, error


def test_who_waits_is_heard_before_the_turn_comes(turns, busy):
    turn = turns.take(lambda report: "done")
    assert next(turn) is None
    assert next(turn) is None
    busy.set()
    assert result_of(turn) == "done"


def test_leaving_ends_the_work_at_its_next_step_and_the_next_one_runs(turns):
    reached, may_go_on, ends = threading.Event(), threading.Event(), []

    def work(report):
        report(Step(1, 100))
        reached.set()
        may_go_on.wait(WAIT)
        try:
            report(Step(2, 100))
        except Cancelled:
            ends.append("left")
            raise
        ends.append("went on")

    turn = turns.take(work)
    assert next(step for step in turn if step) == Step(1, 100)
    assert reached.wait(WAIT)
    turn.close()  # would wait for ever, if it waited for the work
    may_go_on.set()
    assert result_of(turns.take(lambda report: "next")) == "next"
    assert ends == ["left"]


def test_a_turn_that_is_left_while_it_waits_never_runs(turns, busy):
    ran = []
    turn = turns.take(lambda report: ran.append("left"))
    assert next(turn) is None
    turn.close()
    busy.set()
    result_of(turns.take(lambda report: ran.append("next")))
    assert ran == ["next"]


def test_a_turn_that_nobody_has_begun_waits_for_nothing(turns):
    turns.take(lambda report: pytest.fail("it ran")).close()
    assert result_of(turns.take(lambda report: "next")) == "next"


def test_many_at_once_run_one_at_a_time(turns):
    inside, most = [], []

    def work(report):
        inside.append(1)
        most.append(len(inside))
        report(Step(1, 1))
        inside.pop()
        return threading.current_thread().name

    with ThreadPoolExecutor(8) as threads:
        names = set(threads.map(lambda _: result_of(turns.take(work)), range(40)))
    assert max(most) == 1
    assert len(names) == 1


def taken(turns: Turns, asked: list[tuple[str, str]], busy: threading.Event) -> list[tuple[str, str]]:
    """The lines in which the turns come that are asked for in this order, while the thread is busy."""
    came = []
    waiting = [turns.take(lambda report, line=line: came.append(line), line) for line in asked]
    for turn in waiting:
        assert next(turn) is None
    busy.set()
    for turn in waiting:
        result_of(turn)
    return came


def test_visitors_take_turns_whatever_each_has_asked_for(turns, busy):
    ann, bob, eve = ("1.1.1.1", "ann"), ("1.1.1.1", "bob"), ("2.2.2.2", "eve")
    came = taken(turns, [ann] * 4 + [bob] * 2 + [eve] * 2, busy)
    assert came == [ann, eve, bob, eve, ann, bob, ann, ann]


def test_sessions_made_up_at_one_address_win_nothing(turns, busy):
    crowd, eve = [("1.1.1.1", str(i)) for i in range(10)], ("2.2.2.2", "eve")
    came = taken(turns, [*crowd, eve], busy)
    assert came.index(eve) == 1


def test_who_comes_while_a_turn_runs_is_next_but_not_before_who_waits_longer(turns):
    ann, bob, eve = (("1.1.1.1", "ann"), ("2.2.2.2", "bob"), ("3.3.3.3", "eve"))
    came, waiting, begun, release = [], [], threading.Event(), threading.Event()

    def ask(line, work):
        waiting.append(turns.take(lambda report: (came.append(line), work()), line))
        next(waiting[-1])

    ask(ann, lambda: (begun.set(), release.wait(WAIT)))
    assert begun.wait(WAIT)
    ask(ann, lambda: None)
    ask(ann, lambda: None)
    ask(bob, lambda: ask(eve, lambda: None))
    release.set()
    for turn in waiting:
        result_of(turn)
    assert came == [ann, bob, ann, eve, ann]
