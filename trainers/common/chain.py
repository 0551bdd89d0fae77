"""Stages one after the other, each a command of its own: what is finished is not done again."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from rf_app.jobs.stage import Stage
from rf_app.registry.disk import write_text


def run_stages(stages: Sequence[Stage], diary: Path) -> float:
    """Run every stage that has not finished, and note in `diary` how long each took: seconds in all.

    A failing stage ends the command with its exit code.
    """
    took: dict[str, float] = json.loads(diary.read_text()) if diary.exists() else {}
    for stage in stages:
        if stage.title in took and stage.finished:
            print(f"{stage.title}: done before, in {took[stage.title] / 60:.0f} minutes", flush=True)
            continue
        print(f"{stage.title}: python -m {stage.module} {' '.join(stage.arguments)}", flush=True)
        began = time.time()
        result = run_child([sys.executable, "-m", stage.module, *stage.arguments])
        if result:
            raise SystemExit(result)
        took[stage.title] = time.time() - began
        write_text(diary, json.dumps(took, indent=1) + "\n")
    return sum(took.values())


def run_child(arguments: list[str]) -> int:
    """Run a command to its end and return its exit code; a signal stops it the clean way, and us with it."""
    stopped = False

    def stop(number: int, frame: object) -> None:
        nonlocal stopped
        stopped = True
        if number == signal.SIGTERM:  # Ctrl-C reaches the child from the terminal
            child.terminate()

    child = subprocess.Popen(arguments)
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    code = child.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
    if stopped:
        print("stopped; the same command resumes", flush=True)
        raise SystemExit(code)
    return code
