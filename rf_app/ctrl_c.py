"""What Ctrl-C does to a command: one line, and its end within two seconds with the exit code 130."""

import os
import signal
import threading
from typing import NoReturn

PATIENCE = 1.0  # seconds


def ends_at_once() -> None:
    """For the time in which nothing has begun: an import makes a page of a KeyboardInterrupt."""
    if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:  # as in the background of a script
        signal.signal(signal.SIGINT, _leave)


def ends_the_work() -> None:
    """From now on, if it ended all at once so far: a KeyboardInterrupt, and `PATIENCE` to clean up after it.

    A second Ctrl-C ends it at once: threads are in the middle of their work, and Python would abort there.
    """
    if signal.getsignal(signal.SIGINT) is _leave:
        signal.signal(signal.SIGINT, _interrupt)


def end() -> NoReturn:
    """Wait for the threads, whose work ends at its next report, and end without Python's own way of ending.

    That takes its time, and during it the alarm of `ends_the_work` would be the system's, which kills.
    """
    for thread in threading.enumerate():
        if not thread.daemon and thread is not threading.main_thread():
            thread.join()
    os._exit(130)


def _leave(*_: object) -> None:
    os.write(2, b"Stopped.\n")
    os._exit(130)


def _interrupt(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGALRM):
        signal.signal(number, lambda *_: os._exit(130))
    signal.setitimer(signal.ITIMER_REAL, PATIENCE)
    raise KeyboardInterrupt
