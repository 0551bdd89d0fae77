"""Who may ask the server: hosts, origins, frames, sizes, tries at a password; asked as by a browser that was
tricked.
"""

import asyncio
import http.client
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from types import SimpleNamespace
from urllib.parse import urlsplit

import gradio as gr
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from starlette.exceptions import HTTPException
from starlette.requests import Request

from rf_app.actions.application import Application
from rf_app.registry.permission import Permission
from rf_app.ui import guard, uploading
from rf_app.ui.guard import MAX_BODY, MAX_QUERY, MAX_SESSION, TRIES
from rf_app.ui.page import build, launch_options
from tests.full_disk import full_disk
from tests.settled import until

JSON = {"Content-Type": "application/json"}
PATHS = (
    "/",
    "/config",
    "/gradio_api/info",
    "/gradio_api/mcp/",
    "/gradio_api/queue/join",
    "/static/img/logo.svg",
)


@pytest.fixture(scope="module")
def address(app: Application, tmp_path_factory) -> Iterator[str]:
    """Host and port of a page as `app.py --host 0.0.0.0 --mcp --allowed-host studio.example` serves it."""
    app = replace(app, permission=Permission(open_to_strangers=True))
    page = build(app, tmp_path_factory.mktemp("examples"))
    options = launch_options(["Studio.Example"])
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, mcp_server=True, **options)
    yield urlsplit(url).netloc
    page.close(verbose=False)


def ask(address: str, path: str, method: str = "GET", body: object = None, **headers: str) -> tuple:
    """Status, headers and text of the answer; body: bytes, or parts of one without a length."""
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
    answer = connection.getresponse()
    said = answer.status, answer.headers, answer.read().decode(errors="replace")
    connection.close()
    return said


def join(address: str, **headers: str) -> tuple:
    """An event of the page, which anyone could send without an answer to read."""
    events = json.loads(ask(address, "/config")[2])["dependencies"]
    event = next(each["id"] for each in events if each["backend_fn"] and not each["inputs"])
    body = json.dumps({"data": [], "fn_index": event, "session_hash": "guest"})
    return ask(address, "/gradio_api/queue/join", "POST", body, **JSON, **headers)


@pytest.mark.parametrize("path", PATHS)
def test_a_name_that_is_not_the_servers_is_refused_everywhere(address, path):
    for name in (
        "evil.example",
        f"evil.example:{address.split(':')[1]}",
        "127.0.0.1.evil.example",
        "localhost.",
        "[",
        "",
    ):
        status, _, said = ask(address, path, Host=name)
        assert status == 403, (name, said)
        assert "does not go by the name" in said


@pytest.mark.parametrize(
    "name", ["localhost", "LOCALHOST:7860", "127.0.0.1", "192.168.1.20:7860", "[::1]:7860", "studio.example"]
)
def test_its_own_names_and_addresses_are_answered(address, name):
    status, _, said = ask(address, "/config", Host=name)
    assert (status, json.loads(said)["title"]) == (200, "InstaFlow Studio")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://127.0.0.1:3000",
        "http://localhost",
        "null",
        "http://127.0.0.1",
        "x://[",
    ],
)
def test_the_pages_of_others_are_refused_on_every_way(address, path, method, origin):
    status, _, said = ask(address, path, method, "{}", Origin=origin, **JSON)
    assert status == 403
    assert "may not ask this server" in said


def test_its_own_pages_and_programs_may_ask(address):
    assert join(address, Origin=f"http://{address}")[0] == 200
    assert join(address)[0] == 200
    # A proxy may have put an address in the place of the name.
    assert join(address, Origin="https://studio.example")[0] == 200
    assert join(address, Origin="https://studio.example:8443")[0] == 403


def test_only_the_hub_may_frame_a_space_and_nobody_a_page_at_home(address, monkeypatch):
    headers = ask(address, "/")[1]
    assert headers["Content-Security-Policy"] == "frame-ancestors 'self'"
    assert headers["X-Frame-Options"] == "SAMEORIGIN"
    for name, value, around in (
        (
            "COLAB_RELEASE_TAG",
            "release-colab",
            "https://colab.research.google.com https://*.googleusercontent.com",
        ),
        ("SPACE_HOST", "somebody-studio.hf.space", "https://huggingface.co"),
    ):
        monkeypatch.setenv(name, value)
        headers = ask(address, "/")[1]
        assert headers["Content-Security-Policy"] == f"frame-ancestors 'self' {around}"
        assert "X-Frame-Options" not in headers


def test_a_body_beyond_the_bound_is_refused_whether_it_says_its_length_or_not(address):
    part = b" " * 2**20

    def parts(count: int) -> Iterator[bytes]:
        for _ in range(count):
            yield part

    path = "/gradio_api/queue/join"
    for body in (parts(MAX_BODY // 2**20 + 1), part * (MAX_BODY // 2**20 + 1)):
        status, _, said = ask(address, path, "POST", body, **JSON)
        assert status == 413
        assert "larger than the 64 MB" in said


def test_bodies_that_do_not_end_keep_nobody_out_and_are_given_up(address, monkeypatch):
    monkeypatch.setattr(guard, "MAX_BODIES", 2**20)
    monkeypatch.setattr(guard, "STALLED", 0.5)
    stalled = http.client.HTTPConnection(address, timeout=60)
    stalled.putrequest("POST", "/gradio_api/queue/join")
    stalled.putheader("Content-Length", str(2**22))
    stalled.endheaders(b" " * (2**20 - 1))
    assert join(address)[0] == 200
    assert ask(address, "/gradio_api/queue/join", "POST", b" " * (2**20 + 1), **JSON)[0] == 503
    assert stalled.getresponse().status == 408
    stalled.close()


def test_uploads_of_strangers_are_bounded_in_an_hour(address, monkeypatch):
    def upload(size: int, files: int = 1, id: str = "") -> tuple:
        form = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n'
        body = (form + bytes(size) + b"\r\n") * files + b"--x--\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=x"}
        return ask(address, f"/gradio_api/upload?upload_id={id}", "POST", body, **kind)

    monkeypatch.setattr(uploading, "UPLOADS", 13 * 2**20)
    assert [upload(2**20)[0] for _ in range(4)] == [200, 200, 200, 429]
    status, _, said = upload(1)
    assert (status, "More than the 13 MB that may be uploaded in an hour" in said) == (429, True)
    monkeypatch.setattr(uploading, "UPLOADS", 30 * 2**20)
    assert [upload(1, files)[0] for files in (10, 10)] == [200, 429]  # each file counts
    monkeypatch.setattr(uploading, "UPLOADS", 2**30)
    monkeypatch.setattr(uploading, "IN_PROGRESS", 2)
    assert [upload(1, id=f"upload{i}")[0] for i in range(4)] == [200] * 4
    kept = uploading.file_upload_statuses._statuses  # forgotten once the answer is out
    until(lambda: list(kept) == ["upload2", "upload3"])


def test_an_upload_that_pauses_until_it_is_forgotten_is_counted_when_it_goes_on(monkeypatch):
    monkeypatch.setattr(uploading, "UPLOADS", uploading.LEAST + 10)
    monkeypatch.setattr(uploading, "UPLOADS_IN", 0.01)
    arrived = []

    async def page(_, receive, __):
        while (message := await receive())["more_body"]:
            arrived.append(message)

    async def one() -> dict:
        return {"body": b"1", "more_body": False}

    async def slow() -> dict:
        if arrived:
            await asyncio.sleep(0.05)
            await uploads(scope, one, None)  # by now what came before is forgotten
        return {"body": b"123456", "more_body": not arrived}

    uploads = uploading.Uploads(page)
    blocks = SimpleNamespace(permission=Permission(open_to_strangers=True))
    scope = {"app": SimpleNamespace(get_blocks=lambda: blocks), "client": ("1.2.3.4", 1), "headers": []}
    # Where a browser was tested, this thread has a loop that runs.
    with ThreadPoolExecutor() as thread, pytest.raises(HTTPException, match="429"):
        thread.submit(asyncio.run, uploads(scope, slow, None)).result()


@pytest.mark.parametrize("count", [3, 4])
def test_uploads_of_nothing_are_bounded_too(monkeypatch, count):
    monkeypatch.setattr(uploading, "UPLOADS", 3 * uploading.LEAST)

    async def page(_, receive, __):
        await receive()

    async def nothing() -> dict:
        return {"body": b"", "more_body": False}

    async def asked() -> None:
        for _ in range(count):
            await uploads(scope, nothing, None)

    uploads = uploading.Uploads(page)
    blocks = SimpleNamespace(permission=Permission(open_to_strangers=True))
    scope = {"app": SimpleNamespace(get_blocks=lambda: blocks), "client": ("1.2.3.4", 1), "headers": []}
    with (
        ThreadPoolExecutor() as thread,
        nullcontext() if count == 3 else pytest.raises(HTTPException, match="429"),
    ):
        thread.submit(asyncio.run, asked()).result()


def test_what_is_sent_along_to_tools_is_bounded_like_uploads(monkeypatch):
    monkeypatch.setattr(uploading, "UPLOADS", 3 * uploading.LEAST + 2 * 100)

    async def page(_, receive, __):
        await receive()

    async def call() -> dict:
        return {"body": b"a" * 100, "more_body": False}

    async def asked() -> None:
        for _ in range(2):
            await bounded(scope | {"state": {}}, call, None)
        await bounded(scope | {"state": {}, "path": "/gradio_api/queue/join"}, call, None)
        with pytest.raises(HTTPException, match="429"):
            await bounded(scope | {"state": {}}, call, None)

    bounded = guard.Guard(page)
    blocks = SimpleNamespace(permission=Permission(open_to_strangers=True))
    scope = {"type": "http", "method": "POST", "path": "/gradio_api/mcp/", "query_string": b""}
    scope |= {"app": SimpleNamespace(get_blocks=lambda: blocks), "client": ("1.2.3.4", 1)}
    scope["headers"] = [(b"host", b"localhost")]
    with ThreadPoolExecutor() as thread:
        thread.submit(asyncio.run, asked()).result()


def test_for_strangers_nothing_is_fetched(app, tmp_path):
    page = build(replace(app, permission=Permission(open_to_strangers=True)), tmp_path)
    event = next(each for each in page.fns.values() if each.api_name == "upload_lora")
    file = {"path": "https://example.com/a", "meta": {"_type": "gradio.FileData"}}
    with (
        ThreadPoolExecutor() as thread,
        pytest.raises(gr.Error, match="is not fetched for visitors"),
    ):
        thread.submit(asyncio.run, page.preprocess_data(event, [file, "", ""], None)).result()


UNUSED = (
    "stream/an-event",
    "deep_link?session_hash=a",
    "process_recording",
    "file=https://example.com/a.png",
    "file/http://a.example",
)


@pytest.mark.parametrize("path", [f"/gradio_api/{each}" for each in UNUSED])
def test_what_gradio_has_for_other_pages_is_not_there(address, path):
    assert ask(address, path)[::2] == (404, "Not found.")
    assert ask(address, path, "POST")[::2] == (404, "Not found.")


@pytest.mark.parametrize("path", ["call/generate/none", "queue/data?session_hash=none"])
def test_answers_that_are_not_there_are_said_to_be_so_and_leave_no_traceback(address, path, capsys):
    status, _, said = ask(address, f"/gradio_api/{path}")
    assert (status, "404" in said) == (200, True)
    assert "Traceback" not in capsys.readouterr().err


def test_long_names_are_refused_before_they_are_kept(address):
    assert ask(address, f"/gradio_api/upload_progress?upload_id={'a' * MAX_QUERY}")[0] == 414

    def call(session: object) -> tuple:
        body = {"session_hash": session, "component_id": 1, "fn_name": "none", "data": None}
        return ask(address, "/gradio_api/component_server", "POST", json.dumps(body), **JSON)[::2]

    refused = (400, '{"detail":"No JSON body with a session_hash of at most 128 letters."}')
    assert call("a" * (MAX_SESSION + 1)) == call(None) == refused
    assert call("a" * MAX_SESSION)[0] == 404  # the function, or the component: which has the number 1 is open
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    assert ask(address, "/gradio_api/component_server/", "POST", b"--x--", **form)[::2] == refused


@pytest.mark.parametrize("way", ["run/upload_lora", "call/generate"])
@pytest.mark.parametrize("letters", [MAX_SESSION, MAX_SESSION + 1])
def test_calls_by_name_for_long_names_are_refused_too(letters, way):
    body = {"body": json.dumps({"data": [], "session_hash": "a" * letters}).encode(), "more_body": False}

    async def sent() -> dict:
        return {"type": "http.request"} | body

    scope = {"type": "http", "method": "POST", "path": f"/gradio_api/{way}", "query_string": b""}
    asked = Request(scope | {"headers": [(b"host", b"localhost")]}, sent)
    refused = pytest.raises(HTTPException, match="at most 128 letters")
    with ThreadPoolExecutor() as thread, nullcontext() if letters == MAX_SESSION else refused:
        thread.submit(asyncio.run, guard.check_session(asked)).result()


def test_a_visitor_is_counted_by_network_where_each_has_many_addresses():
    counted = [
        "192.0.2.7",
        "2001:db8:1:2:3:4:5:6",
        "2001:db8:1:2::9",
        "::ffff:192.0.2.7",
        "fe80::1%lo",
        "none",
    ]
    assert [guard.visitor_of(host, 5) for host in counted] == [
        (host, 5) for host in ("192.0.2.7", "2001:db8:1:2::", "2001:db8:1:2::", "192.0.2.7", "fe80::", "none")
    ]


def test_tries_at_the_password_are_counted(app, tmp_path):
    page = build(app, tmp_path)
    _, url, _ = page.launch(prevent_thread_lock=True, quiet=True, auth=("me", "secret"), **launch_options())
    address = urlsplit(url).netloc
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    tried = [ask(address, "/login", "POST", f"username=me&password={i}", **form)[0] for i in range(TRIES)]
    assert tried == [400] * TRIES
    status, _, said = ask(address, "/login/", "POST", "username=me&password=secret", **form)
    assert status == 429
    assert "wait a minute" in said
    page.close(verbose=False)


def test_strangers_do_not_hear_where_things_lie(address):
    client = Client(f"http://{address}", verbose=False, download_files=False)
    with full_disk(2**12), pytest.raises(AppError, match=r"The disk is full: cannot write [\w.-]+ \("):
        client.predict("a lake", api_name="/generate")
    form = b'--b\r\nContent-Disposition: form-data; name="files"; filename="a"\r\n\r\n' + bytes(2**20)
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    with full_disk(2**19):
        status, _, said = ask(address, "/gradio_api/upload", "POST", form + b"\r\n--b--\r\n", **kind)
    assert status == 507
    assert "/" not in said
