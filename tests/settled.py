"""When the page has done all that follows from what its visitor did: exact, as no wait for a picture is.

A typed prompt asks for a picture, Enter for another with a new seed, and both may show the same words. So a
test acts, waits until nothing is under way any more, and then reads: what it sees is the answer to the last
request. settled.js counts what is under way by wrapping the browser's own functions, not those of Gradio.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SCRIPT = Path(__file__).with_suffix(".js")
PATIENCE = 60_000  # milliseconds; a busy machine may be slow, and no test decides by time


def watch(context: "BrowserContext") -> None:
    """Let `settled` know what the pages of `context` have under way; before the first of them opens."""
    context.add_init_script(path=SCRIPT)


def settled(page: "Page", patience: int = PATIENCE) -> None:
    """Wait until nothing is under way on the page; raises with what still is after `patience` ms."""
    page.evaluate("patience => settled(patience)", patience)


@contextmanager
def answered(page: "Page") -> Iterator[None]:
    """What is done inside has been seen to by the server, while other events may still be under way."""
    before = page.evaluate("answered")
    yield
    page.wait_for_function("before => answered > before", arg=before)


def until(done: Callable[[], object], what: str = "it") -> None:
    """Wait for something that is not on the page."""
    end = time.monotonic() + 4 * PATIENCE / 1000
    while not done():
        assert time.monotonic() < end, f"{what} did not happen"
        time.sleep(0.03)
