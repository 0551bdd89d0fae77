"""What strangers may upload in an hour, and what is kept of it."""

import time
from dataclasses import dataclass
from http import HTTPStatus

from gradio.routes import API_PREFIX, file_upload_statuses
from python_multipart.multipart import parse_options_header
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

UPLOAD = f"{API_PREFIX}/upload"  # files go to the disk, and Gradio bounds each of them
UPLOADS = 2 * 2**30  # bytes of a stranger's address in UPLOADS_IN seconds; twice that of all together
UPLOADS_IN = 3600
LEAST = 2**20  # bytes that a request and each of its parts count as: small files are bounded, and none, too
IN_PROGRESS = 100  # uploads whose progress is kept


@dataclass(eq=False)
class _Uploaded:
    """What a request has uploaded. latest: when something of it came."""

    latest: float
    address: str
    bytes: int = LEAST


class Uploads:
    """Hands uploads on, unless a stranger, or all of them, have uploaded enough for an hour."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._seen: set[_Uploaded] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand it on, and count what comes."""
        if scope["app"].get_blocks().permission:
            await self._app(scope, receive, send)
            return
        now = time.monotonic()
        self._seen = {each for each in self._seen if now - each.latest <= UPLOADS_IN}
        own = _Uploaded(now, scope["client"][0])
        _, form = parse_options_header(Headers(scope=scope).get("content-type"))
        part = b"--" + form.get(b"boundary", b"")
        end = b""  # of what came before: a part may begin between two messages

        async def counted() -> Message:
            nonlocal end
            message = await receive()
            body = end + message.get("body", b"")
            own.bytes += len(body) - len(end) + LEAST * body.count(part)
            own.latest = time.monotonic()
            self._seen.add(own)  # again, where nothing of it had come for so long that it was forgotten
            end = body[1 - len(part) :]
            theirs = sum(each.bytes for each in self._seen if each.address == own.address)
            if theirs > UPLOADS or sum(each.bytes for each in self._seen) > 2 * UPLOADS:
                self._seen.discard(own)  # nothing of it is kept
                raise HTTPException(
                    HTTPStatus.TOO_MANY_REQUESTS,
                    f"More than the {UPLOADS // 2**20} MB that may be uploaded in an hour: try again later.",
                )
            return message

        await self._app(scope, counted, send)


def forget_progress() -> None:
    """That of uploads before the latest: Gradio keeps it until it is asked for, and who asks for ever."""
    for kept in (file_upload_statuses._statuses, file_upload_statuses._signals):
        for upload in list(kept)[:-IN_PROGRESS]:
            del kept[upload]
