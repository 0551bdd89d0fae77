"""`app.py` in a process of its own, for the tests and benchmarks that kill it, fill its disk or weigh it."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from rf_app.jobs.database import Database
from rf_app.jobs.processes import ROOT


class Server:
    """The page at one address, with a home folder of its own; started and killed as often as you like."""

    def __init__(self, home: Path, models: Path | None) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.home, self.url = home, f"http://127.0.0.1:{self.port}"
        self.command = [sys.executable, "app.py", "--port", str(self.port)]
        self.command += ["--models", str(models)] if models else []
        self.environment = os.environ | {"INSTAFLOW_HOME": str(home)}
        self.jobs = Database(home / "jobs")
        self.start()

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self.home / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.environment, stdout=log, stderr=log
            )
        while True:
            assert self.process.poll() is None, (self.home / "server.log").read_text()
            with suppress(OSError):
                urllib.request.urlopen(self.url).close()
                return
            time.sleep(0.2)

    def kill(self) -> None:
        """Kill it at once, and wait until it is gone."""
        self.process.kill()
        self.process.wait()
