"""The command that opens the page."""

import subprocess
import sys
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
    ],
)
def test_a_bad_option_is_named(arguments, message):
    done = subprocess.run([sys.executable, APP, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert message in done.stderr
    assert "Traceback" not in done.stderr
