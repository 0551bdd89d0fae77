"""What the page holds in memory after many visitors, who come and go.

    python -m benchmarks.memory                                  # 1,000 sessions and 20 visits: minutes
    python -m benchmarks.memory --sessions 10000 --visits 300    # an hour

A session is a program that asks the HTTP API for one picture and fetches it; a visit is a browser that draws
a picture and looks into every tab. The page runs in a process of its own. The start is taken when the first
visitors have gone: by then everything is loaded that stays. Needs requirements-dev.txt.
"""

import os
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from json import dumps
from pathlib import Path

import psutil

from benchmarks.latency import PROMPTS, machine
from benchmarks.visitors import Program, look_around
from tests.browser import chromium
from tests.server import Server
from trainers.common import command

FIRST_SESSIONS, FIRST_VISITS = 100, 3  # that are not counted
SEEN = 10  # times that the memory is looked at, each of both
MB = 2**20


@dataclass(frozen=True)
class Options:
    """How many come, and what they may leave."""

    sessions: int = 1000
    """Programs that ask for a picture each."""
    visits: int = 20
    """Browsers that look into every tab."""
    at_once: int = 4
    """Programs at a time."""
    allowed: int = 200
    """Megabytes by which the memory may grow."""
    models: Path | None = None
    """A folder of models, instead of the bundled ones."""


def main(options: Options) -> None:
    """Measure and print; exit code 1 where it has grown by more than is allowed."""
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as home, chromium() as browser:
        os.environ["GRADIO_TEMP_DIR"] = f"{home}/gradio"
        server = Server(Path(home), options.models)
        page, program = psutil.Process(server.process.pid), Program(server.url)

        def session(number: int) -> None:
            wish = {"prompt": PROMPTS[number % len(PROMPTS)], "seed": number}
            program.pictures(("generate", dumps(wish)))

        def sessions(begin: int, end: int) -> None:
            with ThreadPoolExecutor(options.at_once) as pool:
                list(pool.map(session, range(begin, end)))

        def visits(begin: int, end: int) -> None:
            for number in range(begin, end):
                look_around(browser, server.url, PROMPTS[number % len(PROMPTS)])

        def held() -> float:
            return page.memory_info().rss / MB

        def watched(what: str, work: Callable[[int, int], None], first: int, count: int) -> None:
            for i in range(SEEN):
                work(first + count * i // SEEN, first + count * (i + 1) // SEEN)
                print(f"{count * (i + 1) // SEEN:>7,} {what:<9}{held():>8.0f} MB", flush=True)

        try:
            sessions(0, FIRST_SESSIONS)
            visits(0, FIRST_VISITS)
            start = held()
            print(f"{'start':<17}{start:>8.0f} MB", flush=True)
            watched("sessions", sessions, FIRST_SESSIONS, options.sessions)
            watched("visits", visits, FIRST_VISITS, options.visits)
            grown = held() - start
        finally:
            server.kill()
    print(f"grown by {grown:.0f} MB; {options.allowed} are allowed")
    if grown > options.allowed:
        sys.exit(1)


if __name__ == "__main__":
    command.run(main, Options)
