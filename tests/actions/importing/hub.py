"""A Hub on this machine, as much of it as an import needs."""

import json
import re
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler

from tests.actions.importing.bringing import UNET

CHUNK = 10 * 2**20  # bytes that the library writes at once


class Hub(BaseHTTPRequestHandler):
    """As much of the Hub as a download needs. mood: what happens to the first request for the U-Net."""

    files: dict[str, bytes]
    mood: str  # "breaks": it ends in the middle; "stalls": it waits there for `go_on`; "whole": no ranges
    go_on: threading.Event
    starts: list[int]  # where the U-Net was asked for from
    ends: list[tuple[str, int]]  # up to which byte a safetensors file was asked for
    sent: int  # bytes in the mood "whole"

    def do_HEAD(self):
        self.do_GET(body=False)

    def do_GET(self, body=True):
        if self.path.startswith("/api/models/"):
            siblings = [{"rfilename": name, "size": len(content)} for name, content in self.files.items()]
            answer = {"id": self.path[len("/api/models/") :], "sha": "a" * 40, "siblings": siblings}
            return self.answer(json.dumps(answer).encode())
        found = re.fullmatch(r"/somebody/\w+/resolve/a{40}/(.+)", self.path.split("?")[0])
        if not found:  # the library asks for more at times, and can do without
            return self.send_error(404)
        content = self.files[found[1]]
        if self.mood == "whole":
            self.answer(b"", len(content))
            with suppress(ConnectionError):
                for begin in range(0, len(content) if body else 0, 2**16):
                    self.wfile.write(content[begin : begin + 2**16])
                    Hub.sent += 2**16
            self.close_connection = True
            return None
        asked = re.search(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        start = int(asked[1]) if asked else 0
        if found[1].endswith(".safetensors") and body:
            self.ends.append((found[1], int(asked[2]) if asked and asked[2] else len(content) - 1))
        if asked and asked[2]:
            part = content[start : int(asked[2]) + 1]
            return self.answer(part, len(part), start, len(content), start + len(part))
        half = len(content)
        if found[1] == UNET and body:
            self.starts.append(start)
            half = len(content) // 2 if len(self.starts) == 1 else half
        self.answer(content[start:half] if body else b"", len(content) - start, start, len(content))
        if half < len(content):
            self.close_connection = True
            if self.mood == "stalls":
                self.go_on.wait(60)

    def answer(self, content, length=None, start=0, total=0, end=0):
        self.send_response(206 if start or end else 200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("ETag", '"' + "b" * 40 + '"')
        self.send_header("X-Repo-Commit", "a" * 40)
        self.send_header("Accept-Ranges", "bytes")
        if start or end:
            self.send_header("Content-Range", f"bytes {start}-{(end or total) - 1}/{total}")
        self.end_headers()
        self.wfile.write(content)
        self.wfile.flush()

    def log_message(self, *_):
        pass
