"""Processes of jobs: known by a lock that they hold to their end, and ended with all their children.

A pid is used again, and a birth is told by a clock that people and time servers set; the system lets go of a
lock when its last holder has ended, and not before.
"""

import fcntl
import os
from contextlib import suppress
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[2]


def find(pid: int | None, folder: Path) -> psutil.Process | None:
    """The living process of that pid, if it is the one that holds the lock of the job's folder."""
    if pid is None or not _is_held(folder):
        return None
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        if process.status() != psutil.STATUS_ZOMBIE:
            return process
    return None


def _is_held(folder: Path) -> bool:
    """Whether a process holds the folder's lock; asks for a shared one, which hinders no other who asks."""
    with suppress(FileNotFoundError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(descriptor)
    return False


def end_tree(process: psutil.Process) -> None:
    """Kill a process and everything it started, and wait until they are gone."""
    tree = [process]
    with suppress(psutil.Error):
        tree += process.children(recursive=True)
    for each in tree:
        with suppress(psutil.Error):
            each.kill()
    psutil.wait_procs(tree, timeout=10)


def memory(process: psutil.Process) -> float:
    """Bytes that a process and its children hold."""
    held = 0.0
    with suppress(psutil.Error):
        for each in (process, *process.children(recursive=True)):
            held += each.memory_info().rss
    return held


def threads() -> int:
    """How many a trainer may use: all cores of two, one less of more, so that the page is served at once."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores if cores <= 2 else cores - 1


def trainer_environment() -> dict[str, str]:
    """What a trainer's process needs to know."""
    count = str(threads())
    own = {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}  # as the log is read
    return os.environ | own | {"OMP_NUM_THREADS": count, "MKL_NUM_THREADS": count}


def has_ended(process: psutil.Process) -> bool:
    """Whether a process has come to its end. A zombie of nobody's has."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
