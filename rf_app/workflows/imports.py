"""Imports under way, each in a process of its own: started, paused, gone on with, dropped.

What is known of an import lies in its folder, see `importing`; whose lock is held, is running. So a page that
was closed or restarted finds them again, and one that was started on the command line, too.
"""

import json
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from rf_app.errors import UserError
from rf_app.registry.card import check_id
from rf_app.registry.disk import locked, writable
from rf_app.registry.models import Registry
from rf_app.registry.permission import Permission
from rf_app.workflows.importing import STAGING, Options, checked, note_wish

ROOT = Path(__file__).parents[2]
PATIENCE = 10.0  # seconds for a process to end
MOST = 3  # at once


@dataclass(frozen=True)
class Import:
    """One of them. done, of: bytes; error: why it stopped, "" if it was paused or is running."""

    id: str
    source: str
    running: bool
    done: int
    of: int
    text: str
    error: str


class Imports:
    """The imports into the last folder of a registry."""

    def __init__(self, registry: Registry, permission: Permission):
        """permission: asked before every change."""
        self.registry = registry
        self.permission = permission
        self.folder = registry.folders[-1] / STAGING
        self._processes: dict[str, subprocess.Popen] = {}

    def all(self) -> list[Import]:
        """Every import that has begun and not ended, by id."""
        for process in self._processes.values():
            process.poll()  # no zombies
        folders = sorted(self.folder.iterdir()) if self.folder.is_dir() else []
        return [found for folder in folders if (found := self._read(folder))]

    def start(self, source: str, id: str = "", title: str = "", kind: str = "") -> str:
        """Begin an import; returns its id. Raises UserError for what cannot be brought in."""
        self.permission.check("Importing a model")
        options = checked(self.registry, Options(source, id.strip(), title, kind))
        if any(each.id == options.id for each in self.all()):
            raise UserError(
                f"{options.id!r} is among the imports already: resume or drop it, or give another id."
            )
        self._run(options)
        return options.id

    def pause(self, id: str) -> None:
        """End the process; what has arrived stays."""
        self.permission.check("Importing a model")
        folder = self._folder(id)
        process = self._processes.pop(id, None)
        if process:
            process.terminate()
            process.wait(PATIENCE)
        deadline = time.monotonic() + PATIENCE
        while _is_running(folder) and time.monotonic() < deadline:  # one that was started elsewhere
            _terminate(folder / "progress.json")
            time.sleep(0.05)

    def resume(self, id: str) -> None:
        """Go on with one that was paused or cut off."""
        self.permission.check("Importing a model")
        folder = self._folder(id)
        if _is_running(folder):
            return
        try:
            wish = json.loads((folder / "wish.json").read_text())
        except FileNotFoundError:
            raise UserError(f"{id!r} was ended before it noted its source: drop it, begin anew.") from None
        self._run(Options(wish["source"], wish["id"], wish["title"], wish["kind"]))

    def drop(self, id: str) -> None:
        """End it, and remove what has arrived."""
        self.pause(id)
        shutil.rmtree(self._folder(id))

    def _folder(self, id: str) -> Path:
        folder = self.folder / check_id(id)
        if not folder.is_dir():
            raise UserError(f"There is no import {id!r}; it has ended, perhaps.")
        return folder

    def _run(self, options: Options) -> None:
        """Start the process."""
        if sum(each.running for each in self.all()) >= MOST:
            raise UserError(f"{MOST} imports are running; wait for one of them, or pause it.")
        folder = self.folder / options.id
        with writable(self.registry.folders[-1]):
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "progress.json").unlink(missing_ok=True)
            note_wish(folder, options)
            log = (folder / "log.txt").open("wb")
        command = [sys.executable, "-m", "rf_app.workflows.importing", options.source, "--id", options.id]
        command += ["--title", options.title, "--kind", options.kind]
        command += ["--models", str(self.registry.folders[-1].absolute())]
        with log:
            process = subprocess.Popen(
                command,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C on the page's terminal is not meant for it
            )
        self._processes[options.id] = process

    def _read(self, folder: Path) -> Import | None:
        try:
            wish = json.loads((folder / "wish.json").read_text())
        except (OSError, ValueError):
            wish = {}
        try:
            state = json.loads((folder / "progress.json").read_text())
        except (OSError, ValueError):
            state = {"done": 0, "of": 1, "text": "Starting…", "error": ""}
        if not folder.is_dir():
            return None
        process = self._processes.get(folder.name)
        running = _is_running(folder) or (process is not None and process.poll() is None)
        error = state["error"]
        if not running and process is not None and process.returncode and not error:
            error = _last_line(folder / "log.txt") if process.returncode > 0 else ""
        return Import(
            folder.name, wish.get("source", ""), running, state["done"], state["of"], state["text"], error
        )


def _terminate(progress: Path) -> None:
    """End the process that reports there; a run before may have, whose number is another's by now."""
    with suppress(OSError, ValueError, KeyError, psutil.Error):
        reported = progress.stat().st_mtime
        process = psutil.Process(json.loads(progress.read_text())["pid"])
        if process.create_time() < reported:  # whoever is born after a report has not written it
            process.terminate()


def _is_running(folder: Path) -> bool:
    try:
        with locked(folder):
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False


def _last_line(path: Path) -> str:
    with suppress(OSError, IndexError):
        return path.read_text(errors="replace").strip().splitlines()[-1][:300]
    return ""
