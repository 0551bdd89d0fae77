"""The command line, on the same database as the page."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from rf_app.jobs.__main__ import start
from rf_app.jobs.database import Database
from rf_app.jobs.processes import ROOT
from rf_app.settings.recipes import recipes
from tests.jobs.queues import add, ended, running
from tests.settled import until


def jobs(home: Path | str, *words: object) -> tuple[int, str]:
    """`python -m rf_app.jobs WORDS`: exit code and what it said."""
    done = subprocess.run(
        [sys.executable, "-m", "rf_app.jobs", *map(str, words)],
        cwd=ROOT,
        env=os.environ | {"INSTAFLOW_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_list_show_stop_resume_delete(database: Database, tmp_path: Path) -> None:
    assert jobs(tmp_path, "list") == (0, "There are no jobs yet.\n")
    id = add(database, ("--steps", "60", "--slow", "0.05"))
    assert "0%" in jobs(tmp_path, "list")[1]  # and this look starts it
    until(lambda: running(database, id), "the start")
    process = running(database, id)
    process.suspend()
    code, said = jobs(tmp_path, "show", id)
    assert code == 0
    assert "Stage 1" in said
    assert "loss 1 ->" in said
    assert jobs(tmp_path, "stop", id) == (0, "")
    assert "stopping" in jobs(tmp_path, "list")[1]
    process.resume()
    ended(database, id, "stopped")
    assert jobs(tmp_path, "resume", id) == (0, "")
    assert "done" in jobs(tmp_path, "show", id, "--follow")[1]
    code, said = jobs(tmp_path, "delete", id)
    assert (code, "say --yes" in said) == (2, True)
    assert jobs(tmp_path, "delete", id, "--yes") == (0, "")
    assert database.jobs() == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("show", 7), "error: There is no job 7. Jobs: none yet."),
        (("start", "reflow", "--output", "b"), "error: reflow needs --teacher, the id of the model"),
        (("stop", 10**20), "error: There is no job 1000000000000000000"),
        (
            ("start", "instaflow", "--teacher", "pocket-sd", "--output", "b", "--style", "none"),
            "no LoRA 'none'",
        ),
        (
            ("start", "lora", "--teacher", "pocket-sd", "--output", "b", "--images", "/none"),
            "/none: there is no such folder, to take captioned pictures from",
        ),
        (
            ("start", "reflow", "--teacher", "a", "--output", "b", "--set", "x"),
            "must look like reflow.steps=500",
        ),
        (
            ("start", "reflow", "--teacher", "a", "--output", "b", "--prompts", "/none"),
            "cannot be read as UTF-8",
        ),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(tmp_path: Path, words: tuple, said: str) -> None:
    code, text = jobs(tmp_path, *words)
    assert code == 2
    assert said in text
    assert "Traceback" not in text


def test_a_user_without_a_home_hears_what_to_do() -> None:
    code, said = jobs("~no-such-user/flow", "list")
    assert code == 2
    assert said.startswith("error: This user has no home folder")


def test_the_help_names_every_recipe() -> None:
    assert all(name in start.__doc__ for name in recipes())
