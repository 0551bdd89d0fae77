"""Trainer commands as processes of their own, for the tests that kill them or read their messages."""

import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import get_type_hints

import pytest


def start(home: Path, module: str, *options: object, file_limit: int | None = None) -> subprocess.Popen:
    """`python -m trainers.MODULE OPTIONS` with $INSTAFLOW_HOME at `home`; files up to `file_limit` bytes."""

    def limit() -> None:
        if file_limit is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_limit, file_limit))

    return subprocess.Popen(
        [sys.executable, "-m", f"trainers.{module}", *map(str, options)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"INSTAFLOW_HOME": str(home)},
        preexec_fn=limit,
    )


def finish(process: subprocess.Popen) -> tuple[int, str]:
    """Exit code and everything it said."""
    out, err = process.communicate(timeout=240)
    return process.returncode, out + err


def wait_until(process: subprocess.Popen, happened: Callable[[], bool]) -> None:
    """Wait for something while the process runs; its end before that fails the test."""
    while not happened():
        if process.poll() is not None:
            pytest.fail(f"the command ended early: {finish(process)}")
        time.sleep(0.02)


def in_process(module: object, options: Sequence[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command run in this process, which is much faster; 0 where it returns."""
    from trainers.common import command

    monkeypatch.setattr(sys, "argv", ["command", *map(str, options)])
    config = get_type_hints(module.main)["config"]
    try:
        command.run(module.main, config)
    except SystemExit as leaving:
        return leaving.code
    return 0
