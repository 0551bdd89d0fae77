"""Who may ask the server: by which names, from which pages, with how much at a time.

A browser runs the pages of others, too. By DNS rebinding one of them gets a name of its own for this
computer, and then it is of the same origin: so the server answers to names it knows alone. Any other page may
send what needs no answer: so a request that names another origin than the server's own is refused.
"""

import os
import re
import socket
import time
from asyncio import TimeoutError, wait_for
from collections import OrderedDict, deque
from collections.abc import Iterable
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address
from urllib.parse import urlsplit

from fastapi.exceptions import RequestValidationError
from gradio.route_utils import FnIndexInferError
from gradio.routes import API_PREFIX
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rf_app.ui.uploading import UPLOAD, Uploads, forget_progress

MAX_BODY = 64 * 2**20  # bytes: a picture of 32 MB as base64, and some
MAX_BODIES = 128 * 2**20  # bytes of all that is being received, and of all that waits
SMALL = 2**20  # bytes: such a body is received beside any number of large ones, which may be slow
MAX_SMALL = 2**30  # bytes of all that is being received, small ones, too
STALLED = 30  # seconds in which nothing more of a body comes: it is given up
TRIES = 10  # at a password in TRIES_IN seconds, from one address
TRIES_IN = 60
ADDRESSES = 1000  # that tries are remembered of
AT_ONCE = (f"{API_PREFIX}/run/", f"{API_PREFIX}/api/")  # events that take no place in the queue
MAX_QUERY = 2000  # letters: names of sessions and uploads, which are kept
MAX_SESSION = 128  # letters; a page's has eleven
MCP = f"{API_PREFIX}/mcp"  # its tools write files that come as base64 to the disk
UNUSED = re.compile(f"{API_PREFIX}/(deep_link/*$|process_recording/*$|stream/|file[=/]https?://)")
"""Of Gradio, and of no use here: they write what anybody wants to the disk, have ffmpeg read it, fetch it
from elsewhere, or keep it, uncounted, in the place of what an event was sent with.
"""
SERVER_FUNCTION = f"{API_PREFIX}/component_server"
CALL = f"{API_PREFIX}/call/"
HUB = "https://huggingface.co"  # shows a Space in a frame
COLAB = "https://colab.research.google.com https://*.googleusercontent.com"  # shows a cell's output in one


def space_hosts() -> list[str]:
    """The names of the Space that this runs on; with a domain of its own it has several."""
    return [name for name in os.environ.get("SPACE_HOST", "").lower().split(",") if name]


def visitor_of(host: str, port: int) -> tuple[str, int]:
    """The address by which a visitor is counted: of IPv6 that of the network, in which each has 2^64."""
    try:
        address = ip_address(host)
    except ValueError:  # of no network
        return host, port
    if isinstance(address, IPv6Address):
        address = address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64)
    return str(address), port


class Guard:
    """ASGI middleware that refuses, with the reason, what neither a page of this server asks nor a program.

    Programs such as gradio_client and curl name no origin, and so are known.
    """

    def __init__(self, app: ASGIApp, allowed_hosts: Iterable[str] = ()):
        """allowed_hosts: names besides this computer's own, addresses and the Space's."""
        self._app = app
        self._named = {*map(str.lower, allowed_hosts), *space_hosts()}
        own = socket.gethostname().lower()
        self._hosts = self._named | {"localhost", own, f"{own}.local"}
        self._tries: OrderedDict[str, deque[float]] = OrderedDict()
        self._held = 0
        self._uploads, self._tools = Uploads(app), Uploads(self._bounded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or hand it on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        scope["client"] = visitor_of(*scope["client"])

        async def framed(message: Message) -> None:
            if message["type"] == "http.response.start":
                _say_who_may_frame(MutableHeaders(scope=message))
                # Gradio's word for an event's every error: here those are what no page sends.
                if message["status"] == 500 and any(way in scope["path"] for way in AT_ONCE):
                    message["status"] = 400
            await send(message)

        refused = (
            self._host_refused(headers)
            or self._origin_refused(headers)
            or self._login_refused(scope)
            or _way_refused(scope)
        )
        if refused:
            status, why = refused
            await PlainTextResponse(why, status)(scope, receive, framed)
        elif scope["path"].rstrip("/").endswith(UPLOAD):
            await self._uploads(scope, receive, framed)
        elif scope["method"] == "POST" and MCP in scope["path"]:
            await self._tools(scope, receive, framed)
        else:
            await self._bounded(scope, receive, framed)
        if UPLOAD in scope["path"]:
            forget_progress()

    def _host_refused(self, headers: Headers) -> tuple[HTTPStatus, str] | None:
        name = _host_name(headers.get("host", ""))
        # Nobody else can give a name to an address, nor to what lies behind a Space's proxy.
        if space_hosts() or name in self._hosts or _is_address(name):
            return None
        return HTTPStatus.FORBIDDEN, (
            f"This server does not go by the name {name[:80]!r}, but by localhost, its addresses and what "
            "--allowed-host names."
        )

    def _origin_refused(self, headers: Headers) -> tuple[HTTPStatus, str] | None:
        origin = headers.get("origin")
        # The latter where a proxy has replaced the name.
        own = {headers.get("host", "").lower(), *self._named}
        if origin is None or origin.lower().partition("://")[2] in own:
            return None
        return HTTPStatus.FORBIDDEN, (
            f"A page of {origin[:80]!r} may not ask this server: only its own pages may, and programs that "
            "name no origin."
        )

    def _login_refused(self, scope: Scope) -> tuple[HTTPStatus, str] | None:
        """More tries than a person makes: Gradio itself counts none."""
        if scope["method"] != "POST" or not scope["path"].rstrip("/").endswith("/login"):
            return None
        now, address = time.monotonic(), scope["client"][0]
        tries = self._tries.setdefault(address, deque(maxlen=TRIES))
        self._tries.move_to_end(address)
        if len(self._tries) > ADDRESSES:
            self._tries.popitem(last=False)
        if len(tries) == TRIES and now - tries[0] < TRIES_IN:
            return HTTPStatus.TOO_MANY_REQUESTS, (
                f"More than {TRIES} tries at the password in {TRIES_IN} seconds: wait a minute."
            )
        tries.append(now)
        return None

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on as long as its body is bearable; a number of bytes announced is no promise."""
        received = scope["state"]["received"] = 0
        whole = scope["method"] in ("GET", "HEAD")

        async def counted() -> Message:
            nonlocal received, whole
            try:
                message = await wait_for(receive(), None if whole else STALLED)
            except TimeoutError:
                raise HTTPException(
                    HTTPStatus.REQUEST_TIMEOUT, f"Nothing more of the request has come in {STALLED} seconds."
                ) from None
            whole = not message.get("more_body")
            size = len(message.get("body", b""))
            received += size
            self._held += size
            scope["state"]["received"] = received
            if received > MAX_BODY:
                raise HTTPException(
                    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
                    f"The request is larger than the {MAX_BODY // 2**20} MB that are accepted.",
                )
            if self._held > (MAX_BODIES if received > SMALL else MAX_SMALL):
                raise HTTPException(
                    HTTPStatus.SERVICE_UNAVAILABLE,
                    "Too much is being received: try again in a moment.",
                )
            return message

        try:
            await self._app(scope, counted, send)
        except RuntimeError as error:
            if not isinstance(error.__cause__, HTTPException):
                raise
            # A stream for a session that is not there has said so, and Gradio raises it once more.
            await send({"type": "http.response.body", "body": b""})
        finally:
            self._held -= received


async def check_session(asked: Request) -> None:
    """Refuse calls by name, in the queue and past it, to a session of a long name, which Gradio keeps before
    it looks what is asked for; and a server function that is asked for with files, or for no session, as no
    page does.
    """
    function = asked.url.path.rstrip("/").endswith(SERVER_FUNCTION)
    if function or any(way in asked.url.path for way in (*AT_ONCE, CALL)):
        try:
            session = (await asked.json())["session_hash"]
        except (ValueError, RecursionError, LookupError, TypeError):
            session = None
        refused = len(session) > MAX_SESSION if isinstance(session, str) else function
        if refused:
            raise HTTPException(
                HTTPStatus.BAD_REQUEST, f"No JSON body with a session_hash of at most {MAX_SESSION} letters."
            )


def not_there(_: Request, error: KeyError | FnIndexInferError) -> PlainTextResponse:
    """The answer to an event or a component that the page does not have, or that is not named."""
    return PlainTextResponse(f"Not found: {error}", HTTPStatus.NOT_FOUND)


def not_understood(_: Request, error: RequestValidationError) -> PlainTextResponse:
    """The answer to a body of another form; FastAPI's own quotes it, though its own JSON may be unable to."""
    fault = error.errors()[0]
    return PlainTextResponse(
        f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}".encode("utf-8", "backslashreplace"),
        HTTPStatus.UNPROCESSABLE_ENTITY,
    )


def _way_refused(scope: Scope) -> tuple[HTTPStatus, str] | None:
    if len(scope["query_string"]) > MAX_QUERY:
        return (
            HTTPStatus.REQUEST_URI_TOO_LONG,
            f"The address has more than {MAX_QUERY} letters after the “?”.",
        )
    if UNUSED.search(scope["path"]):
        return HTTPStatus.NOT_FOUND, "Not found."
    return None


def _host_name(netloc: str) -> str:
    """The name in a Host header, without its port; or nothing."""
    try:
        return urlsplit(f"//{netloc}").hostname or ""
    except ValueError:  # half a bracket
        return ""


def _is_address(name: str) -> bool:
    try:
        return bool(ip_address(name))
    except ValueError:
        return False


def _say_who_may_frame(headers: MutableHeaders) -> None:
    """A page in a frame of another one takes clicks meant for that: only what it runs on may show it so, the
    Hub its Space, and Colab.
    """
    around = HUB if space_hosts() else COLAB if "COLAB_RELEASE_TAG" in os.environ else ""
    headers["Content-Security-Policy"] = f"frame-ancestors 'self' {around}".strip()
    if not around:
        headers["X-Frame-Options"] = "SAMEORIGIN"  # for old browsers; it knows no list of hosts
