"""What waits: bounds for each visitor and for all, turns between visitors, and what is kept for whom."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest
from gradio import Blocks
from gradio_client import Client

from rf_app.actions import generate
from rf_app.actions.application import Application
from rf_app.actions.asking import asking
from rf_app.registry.permission import Permission
from rf_app.settings.picture import Control
from rf_app.ui import waiting
from rf_app.ui.guard import MAX_BODIES
from rf_app.ui.page import build, launch_options
from rf_app.ui.waiting import AT_ONCE, CLOSED, LONG_WORK, SESSIONS
from tests.settled import until

JSON = {"Content-Type": "application/json"}
PROGRAM = httpx.Client(timeout=60)


@pytest.fixture(scope="module")
def blocks(app: Application, tmp_path_factory) -> Iterator[Blocks]:
    """The page, served."""
    blocks = build(app, tmp_path_factory.mktemp("examples"))
    blocks.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield blocks
    blocks.close(verbose=False)


@pytest.fixture
def held(app: Application, blocks: Blocks, hold: Callable) -> Iterator[Callable[[], None]]:
    """The worker is busy until it is called; nothing is left in the end."""
    let_go = hold()
    yield let_go
    let_go()
    until(lambda: not blocks._queue.event_ids_to_events)


def ask(blocks: Blocks, prompt: str, session: str = "") -> httpx.Response:
    """A wish for a picture, whose answer nobody fetches; without a session as by curl."""
    url = f"{blocks.local_api_url}call/generate"
    body = {"data": [prompt, *[None] * (len(asking(generate).arguments) - 1)]}
    body |= {"session_hash": session} if session else {}
    return PROGRAM.post(url, json=body)


def in_line(app: Application) -> int:
    """How many turns are waited for."""
    return sum(len(works) for sessions in app.worker._turns._waiting.values() for works in sessions.values())


def test_beside_forty_wishes_of_one_visitor_anothers_picture_is_the_next(app, blocks, hold, monkeypatch):
    drawn, draw = [], app.worker._draw

    def noting(asked, report):
        drawn.append(asked.settings.prompt)
        return draw(asked, report)

    monkeypatch.setattr(app.worker, "_draw", noting)
    monkeypatch.setattr(waiting, "MINE", 6)  # what is let in is drawn in the end
    let_go = hold()
    answers = [ask(blocks, "mine") for _ in range(40)]
    assert [each.status_code for each in answers] == [200] * 6 + [503] * 34
    assert answers[-1].json()["detail"].startswith("6 requests of yours are waiting")
    until(lambda: in_line(app) == AT_ONCE)
    with ThreadPoolExecutor(1) as pool:
        client = Client(blocks.local_url, verbose=False, download_files=False)
        answer = pool.submit(client.predict, "another's", api_name="/generate")
        until(lambda: in_line(app) == AT_ONCE + 1)
        let_go()
        assert len(answer.result(60)[0]) == 1
    until(lambda: not blocks._queue.event_ids_to_events)
    assert drawn == ["a lake", "mine", "another's", *["mine"] * 5]


def test_what_waits_is_bounded_for_each_and_for_all_and_quick_events_are_no_part_of_it(
    blocks, held, monkeypatch
):
    monkeypatch.setattr(waiting, "MINE", 2)
    assert [ask(blocks, "a lake", "visitor").status_code for _ in range(3)] == [200, 200, 503]
    monkeypatch.setattr(waiting, "ALL", 5)
    asked = [ask(blocks, "a lake", f"visitor {i}") for i in range(5)]
    assert [each.status_code for each in asked] == [200] * 3 + [503] * 2
    assert asked[-1].json()["detail"] == "5 requests are waiting: try again in a moment."
    quick = next(
        id
        for id, fn in blocks.fns.items()
        if fn.fn and fn.queue and fn.concurrency_id != LONG_WORK["concurrency_id"]
    )
    body = {"data": [None] * len(blocks.fns[quick].inputs), "fn_index": quick, "session_hash": "visitor 1"}
    assert httpx.post(f"{blocks.local_api_url}queue/join", json=body).status_code == 200


def test_what_waits_is_bounded_in_bytes(blocks, held):
    asked = [ask(blocks, "a" * (MAX_BODIES // 3), f"large {i}") for i in range(3)]
    assert [each.status_code for each in asked] == [200, 200, 503]
    assert asked[-1].json()["detail"].startswith("Too many large requests")


def test_answers_to_large_requests_that_nobody_fetches_make_room_for_others(blocks, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_BODIES", 6 * 2**20)
    for i in range(4):
        assert ask(blocks, "a" * 2**21, f"done {i}").status_code == 200
        until(lambda: not blocks._queue.event_ids_to_events)
    kept = [name for name in blocks._queue.pending_messages_per_session if name.startswith("done")]
    assert kept == ["done 2", "done 3"]
    assert ask(blocks, "", "a small one").status_code == 200


def test_answers_that_nobody_fetches_are_bounded(blocks, monkeypatch):
    monkeypatch.setattr(waiting, "ANSWERS", 4)
    for _ in range(4):
        assert ask(blocks, "", "forgetful").status_code == 200
        until(lambda: not blocks._queue.event_ids_to_events)
    refused = ask(blocks, "", "forgetful")
    assert refused.status_code == 503
    assert refused.json()["detail"] == "4 answers are waiting for you: fetch them, then ask again."


def test_only_the_latest_sessions_are_kept(blocks, monkeypatch):
    assert blocks.state_holder.capacity == SESSIONS
    monkeypatch.setattr(waiting, "SESSIONS", 3)
    for i in range(6):
        ask(blocks, "", f"made up {i}")
        until(lambda: not blocks._queue.event_ids_to_events)
    assert not any(blocks.state_holder["made up 5"].config_values.values())
    kept = ["made up 2", "made up 3", "made up 4", "made up 5"]  # one comes after the look
    assert list(blocks._queue.pending_messages_per_session) == kept
    assert sorted(blocks._queue.pending_event_ids_session) == kept


def test_the_pictures_that_strangers_sessions_follow_are_bounded_together(blocks, monkeypatch):
    monkeypatch.setattr(waiting, "MAX_BODIES", 5 * 2**20)
    picture, control = (id for id, each in list(blocks.blocks.items())[-2:])
    states = [blocks.state_holder[f"following {i}"].state_data for i in range(4)]
    for state in states:
        state |= {picture: "a" * 2**20, control: Control("tiny", "a" * 2**20)}
    assert ask(blocks, "a" * 2**22, "following 0").status_code == 200  # the owner's
    assert all(picture in state for state in states)
    until(lambda: not blocks._queue.event_ids_to_events)
    monkeypatch.setattr(blocks, "permission", Permission(open_to_strangers=True))
    ask(blocks, "", "following 0")
    assert [picture in state for state in states] == [True, False, False, True]
    until(lambda: not blocks._queue.event_ids_to_events)
    refused = ask(blocks, "a" * 2**22, "following 0")
    assert (refused.status_code, picture in states[0]) == (503, True)


def test_of_pages_that_are_gone_only_the_latest_are_kept(blocks):
    visitors = [f"visitor {i}" for i in range(CLOSED + 3)]
    for name in ("with a page", *visitors, "with a program"):
        ask(blocks, "", name)
        until(lambda: not blocks._queue.event_ids_to_events)
    sessions = blocks.state_holder.session_data
    for name in visitors:
        with PROGRAM.stream("GET", f"{blocks.local_api_url}heartbeat/{name}") as beat:
            next(beat.iter_lines())
    until(lambda: all(sessions[name].is_closed for name in visitors))
    ask(blocks, "", "another")
    kept = [name for name in sessions if name in ("with a page", *visitors, "with a program")]
    assert sorted(kept) == ["visitor 3", *visitors[4:], "with a page", "with a program"]


def test_what_is_no_request_is_answered_with_why_and_leaves_no_traceback(blocks, capsys):
    def joined(**body: object) -> tuple[int, str]:
        text = json.dumps({"session_hash": "odd"} | body)
        answer = httpx.post(f"{blocks.local_api_url}queue/join", content=text, headers=JSON)
        return answer.status_code, answer.text

    in_browser = next(id for id, fn in blocks.fns.items() if not fn.fn)
    generate = next(id for id, fn in blocks.fns.items() if fn.api_name == "generate")
    assert joined(data=[], fn_index=10**6) == (400, '{"detail":"There is no event 1000000 here."}')
    assert joined(data=[], fn_index=in_browser)[0] == 400
    assert joined(data=["a lake"], fn_index=generate) == (
        400,
        '{"detail":"There are 1 values; expected 14."}',
    )
    assert joined(data=[], fn_index=float("nan")) == (422, "body.fn_index: Input should be a finite number")
    assert joined(data="\ud800", fn_index=1) == (422, "body.data: Input should be a valid list")
    for session in ("a" * 129, "a<gradio-sep>b"):
        assert joined(data=[], fn_index=generate, session_hash=session)[1].startswith(
            """{"detail":"A session's name"""
        )
    choice = next(id for id, fn in blocks.fns.items() if fn.fn and fn.fn.__name__ == "chosen")
    assert joined(data=[[]] * len(blocks.fns[choice].inputs), fn_index=choice)[0] == 200
    until(lambda: not blocks._queue.event_ids_to_events)
    assert "Traceback" not in capsys.readouterr().err


def test_a_program_that_says_it_is_a_page_is_answered(blocks):
    body = {"data": ["", *[None] * (len(asking(generate).arguments) - 1)]}
    asked = PROGRAM.post(f"{blocks.local_api_url}call/generate", json=body, headers={"x-gradio-user": "app"})
    assert asked.status_code == 200
    until(lambda: not blocks._queue.event_ids_to_events)


def test_nothing_is_kept_of_what_was_asked(blocks):
    """Of the last ten thousand events, with a table of them after each one, for a monitoring that is off."""
    ask(blocks, "")
    until(lambda: not blocks._queue.event_ids_to_events)
    assert blocks._queue.event_analytics == {}
    assert blocks._queue.cached_event_analytics_summary == {"functions": {}}


def test_pictures_that_follow_a_hand_are_bounded_and_take_turns(app, blocks, held, monkeypatch):
    monkeypatch.setattr(waiting, "MINE", 2)
    scrubber = next(each for each in blocks.blocks.values() if each.elem_id == "scrubber")

    def frame(session: str) -> dict:
        body = {"session_hash": session, "component_id": scrubber._id, "fn_name": "frame"}
        body |= {"data": scrubber.value}
        return PROGRAM.post(f"{blocks.local_api_url}component_server", json=body).json()

    with ThreadPoolExecutor(9) as pool:
        answers = [pool.submit(frame, f"hand {i // 2}") for i in range(8)]
        until(lambda: in_line(app) == 8)
        assert frame("hand 0")["problem"].startswith("2 requests of yours are waiting")
        held()
        assert all("problem" not in each.result() for each in answers)
    assert "problem" not in frame("hand 0")


def test_nothing_goes_past_the_queue(blocks):
    answer = httpx.post(f"{blocks.local_api_url}run/generate", json={"data": ["a lake"]})
    assert answer.status_code == 404
