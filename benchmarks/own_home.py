"""A user's folder for a benchmark: it goes afterwards, and with it what still runs there, however it ends."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil

PYTHON = psutil.Process().exe()


@contextmanager
def own_home() -> Iterator[Path]:
    """The folder, as $INSTAFLOW_HOME of this process and of those that it starts."""
    with tempfile.TemporaryDirectory() as home:
        os.environ["INSTAFLOW_HOME"] = home
        try:
            yield Path(home)
        finally:
            left = processes(home)
            for process in left:
                with suppress(psutil.NoSuchProcess):  # it was ending
                    process.kill()
            psutil.wait_procs(left, timeout=10)


def processes(home: str) -> list[psutil.Process]:
    """The page, the runner of jobs and the trainers, of that home."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error):
            if process.environ().get("INSTAFLOW_HOME") == home and process.exe() == PYTHON:
                found.append(process)
    return found
