"""The command that opens the page."""

import json
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

APP = Path(__file__).parents[2] / "app.py"


def test_importing_it_loads_nothing_heavy():
    code = "import sys, app; assert not {'torch', 'gradio', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=APP.parent, check=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "99999 is not in 1..65535"),
        (["--port", "web"], "invalid int value: 'web'"),
        (["--models", "no/such/folder"], "no/such/folder is not a folder"),
        (["--auth", "me"], "expected NAME:PASSWORD"),
        (["--allow-training"], "on a public Space it needs --auth NAME:PASSWORD"),
    ],
)
def test_a_bad_option_is_named(arguments, message, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    done = subprocess.run([sys.executable, APP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_so_before_it_loads_and_then_serves(tiny_models):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-u", APP, "--port", str(port), "--models", tiny_models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "InstaFlow Studio is starting…\n"
            assert any(f"http://127.0.0.1:{port}" in line for line in process.stdout), (
                "it ended without serving"
            )
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/config") as answer:
                assert "InstaFlow Studio" in json.load(answer)["title"]
        finally:
            process.terminate()
