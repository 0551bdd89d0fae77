"""Processes of their own, for the tests that kill them, give them a small disk or read what they say.

They are forked from one that has imported the trainers, once: as quick as a call, and unlike forks of the
tests' process safe, since no thread of a page or a browser is in it.
"""

import multiprocessing
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from importlib import import_module
from multiprocessing.connection import Connection
from pathlib import Path
from typing import get_type_hints

import pytest

CONTEXT = multiprocessing.get_context("forkserver")
PRELOADED = ("controlnet", "distill", "lora", "pairs", "perflow", "reflow", "translate")
CONTEXT.set_forkserver_preload([f"trainers.{name}" for name in PRELOADED])
PATIENCE = 240  # seconds


class Started:
    """A function that runs in a process of its own."""

    def __init__(
        self, function: Callable, *arguments: object, home: Path | None = None, file_limit: int | None = None
    ) -> None:
        """function: of a module; home: $INSTAFLOW_HOME; file_limit: no file grows beyond so many bytes."""
        listening, speaking = CONTEXT.Pipe(duplex=False)
        environment = os.environ | ({"INSTAFLOW_HOME": str(home)} if home else {})
        whole = (speaking, dict(environment), file_limit, function, arguments)
        self._process = CONTEXT.Process(target=_begin, args=whole, daemon=True)
        self._process.start()
        speaking.close()
        self._heard: list[bytes] = []
        self._listener = threading.Thread(target=self._listen, args=(listening,), daemon=True)
        self._listener.start()

    def _listen(self, listening: Connection) -> None:
        while heard := os.read(listening.fileno(), 65536):
            self._heard.append(heard)

    def said(self) -> str:
        """All that it has printed."""
        return b"".join(self._heard).decode()

    def finish(self) -> tuple[int, str]:
        """Wait for its end: the exit code, -N after signal N, and everything it said."""
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, f"still at it after {PATIENCE} seconds: {self.said()}"
        self._listener.join()
        return self._process.exitcode, self.said()

    def wait_until(self, happened: Callable[[], bool]) -> None:
        """Wait for something while it runs; its end before that fails the test."""
        while not happened():
            if not self.alive:
                pytest.fail(f"it ended early: {self.finish()}")
            time.sleep(0.01)

    @property
    def alive(self) -> bool:
        """Whether it has not ended."""
        return self._process.is_alive()

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self._process.pid, number)

    def kill(self) -> None:
        """Kill it at once, and wait until it is gone."""
        self._process.kill()
        self._process.join()


def command(home: Path, module: str, *options: object, file_limit: int | None = None) -> Started:
    """`python -m trainers.MODULE OPTIONS`, with `home` as its $INSTAFLOW_HOME."""
    return Started(run_command, module, [str(each) for each in options], home=home, file_limit=file_limit)


def in_two(monkeypatch: pytest.MonkeyPatch, function: Callable, *arguments: object) -> list[Started]:
    """A function in two processes of one training, on the CPU, as torchrun --nproc-per-node 2 starts them."""
    with closing(socket.socket()) as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    both = []
    for rank in range(2):
        shared = {"WORLD_SIZE": 2, "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "ACCELERATE_USE_CPU": 1}
        with monkeypatch.context() as patch:
            for name, value in {"RANK": rank, "LOCAL_RANK": rank, **shared}.items():
                patch.setenv(name, str(value))
            both.append(Started(function, *arguments))
    return both


def _begin(
    speaking: Connection,
    environment: dict[str, str],
    file_limit: int | None,
    function: Callable,
    arguments: tuple,
) -> None:
    for standard in (1, 2):
        os.dup2(speaking.fileno(), standard)
    speaking.close()
    sys.stdout, sys.stderr = (os.fdopen(standard, "w", buffering=1, closefd=False) for standard in (1, 2))
    os.environ.update(environment)
    if file_limit is not None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))
    function(*arguments)


def run_command(module: str, options: list[str]) -> None:
    """The command itself, in this process."""
    from trainers.common import command

    trainer = import_module(f"trainers.{module}")
    sys.argv = ["command", *options]
    command.run(trainer.main, get_type_hints(trainer.main)["config"])
