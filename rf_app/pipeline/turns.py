"""Turns on the one thread that owns the device: work waits, is watched while it runs, and can be left.

Visitors take turns: the next one is that of the address that has waited longest since its last turn, and of
the session there that has. Whatever others have asked for, a newcomer comes after the work at hand.
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Event, Lock
from traceback import clear_frames
from typing import Any, TypeVar

from rf_app.errors import Cancelled

PULSE = 0.2  # seconds: at least so often whoever waits is heard, and can leave

Result = TypeVar("Result")


@dataclass(frozen=True)
class Step:
    """Calls of the U-Net done, of so many."""

    done: int
    of: int


Line = tuple[str, str]
"""An address and a session, whose requests take turns with those of others."""
NOBODY: Line = ("", "")
Report = Callable[[Step | None], None]
"""Called on the thread after each step, and with None in between; raises `Cancelled` when whoever asked has
left.
"""
Work = tuple[Future[Any], Callable[[], Any]]
Turn = Generator[Step | None, None, Result]
"""Yields steps, or None where nothing is new, and returns the result. Closing it ends the work within a
step.
"""


class Turns:
    """One thread, one piece of work at a time."""

    def __init__(self):
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="pipeline")
        self._waiting: OrderedDict[str, OrderedDict[Line, deque[Work]]] = OrderedDict()
        self._lock = Lock()

    def take(self, work: Callable[[Report], Result], line: Line = NOBODY) -> Turn[Result]:
        """Do `work(report)` when its turn comes; an error of the work is raised here."""
        news: SimpleQueue[Step | None] = SimpleQueue()
        left = Event()

        def report(step: Step | None) -> None:
            if left.is_set():
                raise Cancelled("Stopped.")
            news.put(step)

        running = self._submit(lambda: work(report), line)
        running.add_done_callback(lambda _: news.put(None))
        try:
            while not running.done() or not news.empty():
                try:
                    heard = news.get(timeout=PULSE)
                except Empty:
                    yield None
                else:
                    if heard:
                        yield heard
            return running.result()
        finally:
            left.set()
            running.cancel()

    def wait_for(self, work: Callable[[], Result]) -> Result:
        """The result of work that nobody watches."""
        return self._submit(work, NOBODY).result()

    def close(self, wait: bool = True) -> None:
        """Drop what waits and end the thread, after the work at hand; wait: until that is done."""
        with self._lock:
            for sessions in self._waiting.values():
                for works in sessions.values():
                    for future, _ in works:
                        future.cancel()
        self._thread.shutdown(wait=wait, cancel_futures=True)

    def _submit(self, work: Callable[[], Result], line: Line) -> "Future[Result]":
        future: Future[Result] = Future()
        with self._lock:
            sessions = self._waiting.setdefault(line[0], OrderedDict())
            sessions.setdefault(line, deque()).append((future, work))
        self._thread.submit(self._do_next)
        return future

    def _do_next(self) -> None:
        """The work whose turn it is now: nothing, where it has been left meanwhile."""
        with self._lock:
            address, sessions = next(iter(self._waiting.items()))
            line, works = next(iter(sessions.items()))
            future, work = works.popleft()
        begun = future.set_running_or_notify_cancel()
        if begun:
            try:
                future.set_result(work())
            except BaseException as error:
                clear_frames(error.__traceback__)  # which keep a picture's tensors while the error lives
                future.set_exception(error)
        with self._lock:  # only now, or who came while it ran would wait for the next one of the same visitor
            if begun:
                self._waiting.move_to_end(address)
                sessions.move_to_end(line)
            if not works:
                del sessions[line]
            if not sessions:
                del self._waiting[address]


def result_of(turn: Generator[object, None, Result]) -> Result:
    """Run a generator to its end, for what it returns."""
    while True:
        try:
            next(turn)
        except StopIteration as end:
            return end.value
