"""Folders that change places, and what killed processes leave behind."""

import os
import signal
from pathlib import Path

import pytest

from rf_app.registry import disk
from rf_app.registry.disk import hidden_folder, put_in_place
from tests.processes import Started


def folder(path: Path, text: str) -> Path:
    path.mkdir()
    (path / "content").write_text(text)
    return path


@pytest.mark.parametrize("can_exchange", [True, False])
def test_put_in_place(tmp_path, monkeypatch, can_exchange):
    if not can_exchange:
        monkeypatch.setattr(disk, "_exchanged", lambda one, other: False)
    target = tmp_path / "target"
    assert put_in_place(folder(tmp_path / "first", "1"), target, overwrite=False)
    assert not (tmp_path / "first").exists()
    second = folder(tmp_path / "second", "2")
    assert not put_in_place(second, target, overwrite=False)
    assert (target / "content").read_text() == "1"
    assert put_in_place(second, target, overwrite=True)
    assert (target / "content").read_text() == "2"
    assert (second / "content").read_text() == "1"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["second", "target"]


def test_two_folders_are_exchanged_in_one_step(tmp_path):
    one, other = folder(tmp_path / "one", "1"), folder(tmp_path / "other", "2")
    if not disk._exchanged(one, other):
        pytest.skip("this file system cannot")
    assert [(path / "content").read_text() for path in (one, other)] == ["2", "1"]
    with pytest.raises(FileNotFoundError):
        disk._exchanged(one, tmp_path / "none")


def _die_in(root: Path) -> None:
    with hidden_folder(root, "killed") as hidden:
        (hidden / "content").write_text("half")
        os.kill(os.getpid(), signal.SIGKILL)


def test_what_a_killed_process_left_is_removed_and_what_is_in_use_is_not(tmp_path):
    assert Started(_die_in, tmp_path).finish()[0] == -signal.SIGKILL
    left = next(tmp_path.glob(".instaflow-killed-*"))
    other = folder(tmp_path / ".some-body-s", "own")
    os.utime(other, (0, 0))
    with hidden_folder(tmp_path, "working") as working:
        for each in (left, working):
            os.utime(each, (0, 0))
        with hidden_folder(tmp_path, "next"):
            assert not left.exists()
            assert working.exists()
    assert list(tmp_path.iterdir()) == [other]
