"""How many pictures a second one process gives, and two behind nginx, with a thread each.

    python -m benchmarks.replicas --rounds 4

Visitors with a cookie ask for one picture after the other; one and two replicas take turns, so that what else
the machine does disturbs both. Needs nginx, and two cores to be worth reading.
"""

import json
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import httpx
import tyro

from benchmarks.visitors import Program
from tests.server import ROOT, Server

PROMPT = "a snowy mountain near a lake at {}"
TIMES = ("noon", "sunset", "night")
CLIENTS = 8
WHOLE = "pid {folder}/pid; error_log {folder}/error.log; events {{}} http {{ access_log off; {temp} {own} }}"
TEMP = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


class Visitor(Program):
    """A program that keeps its cookies, as a browser does."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._http.get(url).raise_for_status()

    def draw(self, i: int) -> list[str]:
        """A picture, which is fetched; its digest."""
        wish = {"prompt": PROMPT.format(TIMES[i % 3]), "seed": i % 50, "model": "pocket-instaflow"}
        return self.pictures(("generate", json.dumps(wish)))


@contextmanager
def behind_nginx(ports: list[int], folder: Path) -> Iterator[str]:
    """The address of a proxy, as nginx.conf has it, before replicas on this machine."""
    own = (ROOT / "nginx.conf").read_text(encoding="utf-8")
    servers = "".join(f"server 127.0.0.1:{port};\n" for port in ports)
    own = re.sub(r"(server studio-\w:7860;\s*)+", lambda _: servers, own)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    own = own.replace("listen 8080", f"listen 127.0.0.1:{port}")
    temp = "".join(f"{name}_temp_path {folder}/{name};" for name in TEMP)
    conf = folder / "nginx.conf"
    conf.write_text(WHOLE.format(folder=folder, temp=temp, own=own), encoding="utf-8")
    nginx = subprocess.Popen(["nginx", "-c", conf, "-e", folder / "error.log", "-g", "daemon off;"])
    try:
        url = f"http://127.0.0.1:{port}"
        while True:
            assert nginx.poll() is None, (folder / "error.log").read_text()
            try:
                httpx.get(url, trust_env=False)
                break
            except httpx.TransportError:
                time.sleep(0.1)
        yield url
    finally:
        nginx.terminate()
        nginx.wait()


@contextmanager
def running(home: Path) -> Iterator[Server]:
    """A replica, which is gone in the end however that comes."""
    server = Server(home, None)
    try:
        yield server
    finally:
        server.kill()


def pictures_a_second(url: str, seconds: float) -> float:
    """What CLIENTS visitors get together."""
    visitors = [Visitor(url) for _ in range(CLIENTS)]
    start = time.monotonic()

    def ask(visitor: Visitor) -> int:
        done = 0
        while time.monotonic() < start + seconds:
            done += len(visitor.draw(done))
        return done

    with ThreadPoolExecutor(CLIENTS) as threads:
        done = sum(threads.map(ask, visitors))
    return done / (time.monotonic() - start)  # to the last one's last picture


def main(rounds: int = 4, seconds: float = 10.0) -> None:
    """Measure and print."""
    os.environ["OMP_NUM_THREADS"] = "1"
    with TemporaryDirectory() as name, ExitStack() as stack:
        folder = Path(name)
        servers = [stack.enter_context(running(folder)) for _ in range(2)]
        ports = [each.port for each in servers]
        (folder / "one").mkdir()
        (folder / "two").mkdir()
        with behind_nginx(ports[:1], folder / "one") as one, behind_nginx(ports, folder / "two") as two:
            for i in range(rounds):
                found = [pictures_a_second(url, seconds) for url in (one, two)]
                print(f"round {i + 1}: one {found[0]:.1f}, two {found[1]:.1f} pictures a second", flush=True)


if __name__ == "__main__":
    tyro.cli(main, description=__doc__)
