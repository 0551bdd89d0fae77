"""A benchmark leaves nothing behind."""

import subprocess
import sys

import psutil

from benchmarks.own_home import own_home


def test_what_still_runs_there_ends_and_the_folder_goes(monkeypatch):
    monkeypatch.setenv("INSTAFLOW_HOME", "")  # as it was, afterwards
    with own_home() as home:
        left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    assert not psutil.pid_exists(left.pid)
    assert not home.exists()
