"""The command that opens the page."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import httpx
import pytest

import app
from rf_app.ui.guard import TRIES

APP = Path(__file__).parents[2] / "app.py"


def test_importing_it_loads_nothing_heavy():
    code = "import sys, app; assert not {'torch', 'gradio', 'diffusers'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], cwd=APP.parent, check=True)


def test_a_link_in_the_place_of_its_temporary_folder_is_refused(monkeypatch, tmp_path):
    """What lies there is cleared away, and anybody may have put the link there."""
    (tmp_path / "papers").mkdir()
    (tmp_path / f"instaflow-{os.getuid()}").symlink_to(tmp_path / "papers")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    done = subprocess.run([sys.executable, APP], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"instaflow-{os.getuid()} is not yours: remove it" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--port", "99999"], "99999 is not in 1..65535"),
        (["--port", "web"], "invalid int value: 'web'"),
        (["--models", "no/such/folder"], "no/such/folder is not a folder"),
        (["--auth", "me"], "expected NAME:PASSWORD"),
        (["--auth", "me:secret", "--mcp"], "argument --mcp: not with --auth"),
        (["--allow-training"], "on a public Space it needs --auth NAME:PASSWORD"),
    ],
)
def test_a_bad_option_is_named(arguments, message, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    done = subprocess.run([sys.executable, APP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr


def test_the_safety_checker_is_on_where_strangers_are_and_its_owner_may_choose(monkeypatch):
    def chosen(*arguments):
        monkeypatch.setattr(sys, "argv", ["app.py", *arguments])
        return app.options().safety_checker

    monkeypatch.delenv("SPACE_ID", raising=False)
    assert (chosen(), chosen("--safety-checker")) == (False, True)
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    assert (chosen(), chosen("--no-safety-checker")) == (True, False)
    for said, on in (("0", False), ("1", True), ("true", True), ("", True)):
        monkeypatch.setenv("INSTAFLOW_SAFETY_CHECKER", said)
        assert chosen() == on


def test_a_port_in_use_is_named_before_anything_is_loaded():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        done = subprocess.run(
            [sys.executable, APP, "--port", str(port)], capture_output=True, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith(
        f"Cannot listen on 127.0.0.1, port {port} (Address already in use): give another"
    )
    assert len(done.stderr.splitlines()) == 1


def test_a_name_with_an_address_that_others_reach_is_not_this_computer_s_alone(monkeypatch):
    """As /etc/hosts of Debian has it first, and the network has another: the server listens on both."""
    own, network = ((socket.AF_INET, 1, 6, "", (address, 0)) for address in ("127.0.1.1", "192.0.2.7"))
    for found, alone in (([own], True), ([own, network], False)):
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, found=found, **__: found)
        assert app.check_free("studio", 0) == alone


@pytest.mark.parametrize(
    ("number", "seconds", "code"),
    [*((signal.SIGINT, seconds, 130) for seconds in (0, 1, 3)), (signal.SIGTERM, 0, 0)],
)
def test_ctrl_c_or_a_containers_end_while_it_starts_says_that_it_stopped(number, seconds, code, tiny_models):
    command = [sys.executable, "-u", APP, "--models", tiny_models]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(
            signal.SIGINT, signal.SIG_DFL
        ),  # ignored where a script runs us with &
    ) as process:
        process.stdout.readline()  # it has begun
        time.sleep(seconds)
        process.send_signal(number)
        said = process.communicate()
    assert process.returncode == code
    assert (said[0].splitlines()[-1], said[1]) == ("Stopped.", "")


@pytest.mark.parametrize(
    ("before", "after"), [(256, app.OPEN_FILES), (app.OPEN_FILES + 1, app.OPEN_FILES + 1)]
)
def test_visitors_may_have_more_files_open_than_a_shell_allows(before, after):
    code = f"""import app, resource
kind = resource.RLIMIT_NOFILE
resource.setrlimit(kind, ({before}, resource.getrlimit(kind)[1]))
app.allow_open_files()
print(resource.getrlimit(kind)[0])"""
    assert int(subprocess.check_output([sys.executable, "-c", code], cwd=APP.parent)) == after


def test_a_terminal_that_knows_few_letters_stops_nothing(monkeypatch):
    monkeypatch.setenv("PYTHONIOENCODING", "ascii")
    monkeypatch.setenv("INSTAFLOW_HOME", "~no-such-user/flow")
    done = subprocess.run([sys.executable, APP], capture_output=True, text=True, check=False)
    assert done.stdout == "InstaFlow Studio is starting\\u2026\n"
    assert "This user has no home folder" in done.stderr
    assert "Traceback" not in done.stderr


def test_it_says_so_before_it_loads_and_who_may_do_what_and_then_serves(tiny_models):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    options = ["--host", "0.0.0.0", "--port", str(port), "--allowed-host", "studio.example"]
    command = [sys.executable, "-u", APP, *options, "--models", tiny_models]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "InstaFlow Studio is starting…\n"
            assert process.stdout.readline() == (
                "Whoever reaches 0.0.0.0 may draw; training, importing and deleting are off (see --auth and "
                "--allow-training).\n"
            )
            assert any(f"http://0.0.0.0:{port}" in line for line in process.stdout), (
                "it ended without serving"
            )
            name = {"Host": "studio.example"}
            asked = urllib.request.Request(f"http://127.0.0.1:{port}/config", headers=name)
            with urllib.request.urlopen(asked) as answer:
                assert "InstaFlow Studio" in json.load(answer)["title"]
            tried = [
                httpx.post(f"http://127.0.0.1:{port}/login", headers={"X-Forwarded-For": f"10.0.0.{i}"})
                for i in range(TRIES + 1)
            ]
            assert tried[-1].status_code == 429  # whoever they say they are
        finally:
            process.terminate()
