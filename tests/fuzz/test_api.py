"""What anybody may send to the server: each request is answered or refused with a reason, and the next one is
answered as before.
"""

import json
import random
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from gradio import Blocks

from rf_app.actions.application import Application
from rf_app.ui.page import build, launch_options
from tests.fuzz.spoiling import ODD, spoiled, spoiled_bytes

PROGRAM = httpx.Client(timeout=120)
LORAS = [{"id": "no-such", "strength": 0.5, "on": False}]
CONTROL: list[Any] = []
BUSY = (503, 507)  # refused for lack of room, which is an answer


@pytest.fixture(scope="module")
def blocks(app: Application, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Blocks]:
    """The page, served."""
    blocks = build(app, tmp_path_factory.mktemp("examples"))
    blocks.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    yield blocks
    blocks.close(verbose=False)


WISHES = {
    "generate": [
        *("a lake", "tiny-instaflow", 1, 1.5, 3, 2, "a tent", "euler", CONTROL, LORAS),
        *(None, None, None, ""),
    ],
    "edit": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "a lake", 0.5, "a tent"],
    "invert": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "a lake", "tiny-2rf", 2],
    "translate": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "day-to-night", 1, 6],
    "batch": ["a lake\na tent", "tiny-2rf", 2, 3, 1, 1.5, "a tent", "euler", LORAS, CONTROL],
    "upload_lora": [{"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}, "tiny-sd"],
    "compare": ["a lake", ["tiny-2rf", {"model": "tiny-sd", "steps": 2}], 5, LORAS, CONTROL],
    "grid": ["a lake", "steps", "1, 2", "seed", "1-2", "", "", "tiny-2rf", 1, 1.5, 3, "a tent"],
    "trajectory": ["a lake", ["tiny-2rf"], 2, 3],
    "flow_lab": ["distil", "gaussian", "rings", "exact", 2.0, 1, 3, [[0.0, 1.0]], [[0.5, 0.5]]],
    "interpolate": [
        *(["a lake", "a tent"], [1, 2], 3, "mp4", "tiny-instaflow", 1, 1.0, "slerp", "lerp", False),
        *("", "euler", False, [0.5], LORAS),
    ],
}
"""For each endpoint what a program may give it."""
OTHERS = {
    "cancel": {"session_hash": "fuzz", "fn_index": 1, "event_id": "0123"},
    "reset/": {"event_id": "0123"},
    "component_server": {"data": ["a"], "component_id": 3, "fn_name": "load", "session_hash": "fuzz"},
    "stream/0123": {"data": ["a"], "fn_index": 1, "session_hash": "fuzz"},
    "run/predict": {"data": ["a"], "fn_index": 1, "session_hash": "fuzz"},
}
"""What Gradio has besides."""


MORE = ({}, {}, {"event_data": {}}, {"event_data": [1]}, {"batched": True}, {"simple_format": True})
"""What may stand beside it."""


def body(value: Any, rng: random.Random) -> bytes:
    """JSON, as other programs write it, too: NaN, surrogates as they are; now and then it is none."""
    text = json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")
    return spoiled_bytes(text, rng) if rng.random() < 0.1 else text


def defaults(blocks: Blocks, name: str) -> list[Any]:
    """What an endpoint is given where a program says nothing."""
    about = blocks.get_api_info()["named_endpoints"][f"/{name}"]["parameters"]
    return [each["parameter_default"] for each in about]


def answer(blocks: Blocks, path: str, content: bytes) -> httpx.Response:
    """What a request gets; where that is a place in the queue, what it gets in the end."""
    kind = {"content-type": "application/json"}
    found = PROGRAM.post(f"{blocks.local_api_url}{path}", content=content, headers=kind)
    if found.status_code == 200 and path.startswith("call/"):
        found = PROGRAM.get(f"{blocks.local_api_url}{path}/{found.json()['event_id']}")
    return found


def test_a_mutated_request_is_answered_or_refused(
    blocks: Blocks,
    rng: random.Random,
    rounds: range,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """And nothing goes wrong in between: what the log has of that are tracebacks."""
    answers = set()
    wishes = {name: [*given, *defaults(blocks, name)[len(given) :]] for name, given in WISHES.items()}
    for _ in rounds:
        name = rng.choice([*WISHES, *WISHES, "generate", "queue/join", *OTHERS])
        if name in WISHES:
            path, given = f"call/{name}", {"data": spoiled(wishes[name], rng)}
        elif name == "queue/join":
            index = rng.choice([*blocks.fns])
            given = [rng.choice((None, 1, "a", [], {}, *ODD)) for _ in blocks.fns[index].inputs]
            path, given = name, {"data": given, "fn_index": index, "session_hash": "fuzz"} | rng.choice(MORE)
        else:
            path, given = name, OTHERS[name]
        if rng.random() < (0.2 if name in WISHES else 0.8):
            given = spoiled(given, rng)
        found = answer(blocks, path, body(given, rng))
        assert found.status_code in BUSY or found.status_code < 500, f"{path} {given!r:.300}: {found.text}"
        answers.add("event: complete" in found.text)
        log = capsys.readouterr().err + caplog.text
        assert "Traceback" not in log, f"{path} {given!r:.300}: {log}"
    assert answers == {True, False}
    whole = answer(blocks, "call/generate", json.dumps({"data": wishes["generate"]}).encode())
    assert "event: complete" in whole.text
