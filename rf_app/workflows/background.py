"""Long work behind a page that stays alive: on a thread of its own, heard of in batches, stopped when left.

    for news in batches(lambda emit, cancelled: measure(…, emit, cancelled)):
        …  # every fifth of a second: what was emitted since, or nothing

Gradio closes a generator when Stop is pressed or the tab goes away, but only where it yields: so it must
yield often, and must not wait for the worker itself.
"""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event
from typing import Any, TypeVar

EVERY = 0.2  # seconds

Item = TypeVar("Item")
Emit = Callable[[Item], None]
IsCancelled = Callable[[], bool]


@dataclass(frozen=True)
class Progress:
    """How far a long work is: done of `of` equal parts; seconds_left is None before anything is done."""

    done: int
    of: int
    text: str
    seconds_left: float | None


class Clock:
    """Makes Progress: the time left follows from the time taken so far."""

    def __init__(self, of: int):
        """of: the equal parts of the whole work."""
        self.of = of
        self._start = time.monotonic()

    def at(self, done: int, text: str) -> Progress:
        """The progress now."""
        return Progress(done, self.of, text, self.seconds_left(done / self.of))

    def seconds_left(self, share: float) -> float | None:
        """The time left after a share, 0..1, of the work; None before there is any."""
        taken = time.monotonic() - self._start
        return taken * (1 - share) / share if share else None


def batches(job: Callable[[Emit[Any], IsCancelled], None]) -> Iterator[list[Any]]:
    """Run job(emit, cancelled) on a thread and yield what it emitted, at least five times a second.

    Nothing has begun when the first batch, an empty one, comes. An error of the job is raised here, after
    what came before it. Closing the iterator makes `cancelled` true and does not wait for the job: Gradio
    closes it on the thread that serves every visitor.
    """
    yield []  # Gradio knows of a generator, and can close it, once it has yielded
    items: SimpleQueue[Any] = SimpleQueue()
    left = Event()
    thread = ThreadPoolExecutor(1, thread_name_prefix="background")
    running = thread.submit(job, items.put, left.is_set)
    thread.shutdown(wait=False)  # it ends with its job
    try:
        finished = False
        while not finished:
            wait([running], EVERY)
            finished = running.done()  # asked before the items are taken, so that none is missed
            yield _drained(items)
        running.result()
    finally:
        left.set()


def _drained(items: SimpleQueue) -> list[Any]:
    found = []
    with suppress(Empty):
        while True:
            found.append(items.get_nowait())
    return found
