"""Ctrl-C ends a command in one line with the exit code 130, whatever its threads are doing."""

import signal
import subprocess
import sys

import pytest

STUCK = """
import sys, threading
from rf_app import ctrl_c
ctrl_c.ends_at_once()
threading.Thread(target=threading.Event().wait).start()
try:
    ctrl_c.ends_the_work()
    print("begun", flush=True)
    threading.Event().wait()
except KeyboardInterrupt:
    print("Stopped.", file=sys.stderr, flush=True)
    ctrl_c.end()
"""
DONE = STUCK.replace("Event().wait)", "Event().wait, args=[0.1])")


def started(*command: str) -> subprocess.Popen:
    """A command whose Ctrl-C is as in a terminal; it is ignored where a script runs us with &."""
    return subprocess.Popen(
        [sys.executable, *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize(("script", "times"), [(DONE, 1), (STUCK, 1), (STUCK, 2)])
def test_it_ends_at_once_or_soon(script, times):
    with started("-c", script) as process:
        assert process.stdout.readline() == "begun\n"
        process.send_signal(signal.SIGINT)
        said = process.stderr.readline()
        if times == 2:
            process.send_signal(signal.SIGINT)
        assert (process.wait(), said + process.stderr.read()) == (130, "Stopped.\n")


COMMANDS = {
    "torch": ("rf_app", "generate", "a lake"),
    "rf_app.jobs.database": ("rf_app.jobs", "list"),
    "diffusers": ("trainers.reflow", "--help"),
}


@pytest.mark.parametrize(("library", "command"), COMMANDS.items())
def test_while_a_command_is_loaded_it_says_one_line(library, command):
    with started("-X", "importtime", "-m", *command) as process:
        while library not in (line := process.stderr.readline()):
            assert line
        process.send_signal(signal.SIGINT)
        said = [line for line in process.stderr if not line.startswith("import time:")]
    assert (process.returncode, said) == (130, ["Stopped.\n"])
