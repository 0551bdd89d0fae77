"""Uploads belong to their session: invisible to others, limited, and gone with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from rf_app.errors import UserError
from rf_app.plugins import uploads as module
from rf_app.plugins.uploads import Uploads


@pytest.fixture
def uploads(tmp_path):
    return Uploads(tmp_path / "uploads", grace=0.0)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "Style <b>.safetensors"
    path.write_bytes(b"some bytes")
    return path


def files(uploads):
    # Not rglob: it fails where a folder goes meanwhile.
    return [Path(folder, name) for folder, _, names in os.walk(uploads.root) for name in names]


def gone(uploads):
    for _ in range(600):
        if not files(uploads):
            return True
        time.sleep(0.05)
    return False


def test_an_upload_lies_under_its_content_s_hash(uploads, file):
    upload = uploads.add("ann", file, file.name, "in ink")
    assert len(upload.id) == len("upload-") + 12
    assert upload.path.name.startswith(upload.id.removeprefix("upload-"))
    assert upload.path.read_bytes() == b"some bytes"
    assert (upload.title, upload.trigger, upload.size) == ("Style <b>", "in ink", 10)
    assert "ann" not in str(upload.path)
    assert uploads.get("ann", upload.id) == upload
    assert uploads.add("ann", file, "again.safetensors") == upload
    assert uploads.of("ann") == [upload]


def test_another_session_neither_sees_nor_uses_nor_removes_it(uploads, file):
    upload = uploads.add("ann", file, file.name)
    assert uploads.of("bob") == []
    with pytest.raises(UserError, match="none of this session's uploads"):
        uploads.get("bob", upload.id)
    uploads.remove("bob", upload.id)
    own = uploads.add("bob", file, file.name)
    assert own.path != upload.path
    uploads.remove("bob", own.id)
    assert uploads.get("ann", upload.id).path.read_bytes() == b"some bytes"


def test_without_a_session_there_is_no_upload(uploads, file):
    with pytest.raises(UserError, match="belongs to a session"):
        uploads.add("", file, file.name)
    assert files(uploads) == []


@pytest.mark.parametrize("session", ["../../etc", "a/b", "\0", "x" * 10_000, "~", "CON"])
def test_no_session_becomes_a_path(uploads, file, session):
    upload = uploads.add(session, file, "../../../x")
    assert upload.path.is_relative_to(uploads.root)
    assert upload.path.parent.parent.parent == uploads.root


def test_quotas(uploads, file, monkeypatch):
    monkeypatch.setattr(module, "MAX_FILES", 2)
    for i in range(2):
        file.write_bytes(bytes([i]))
        uploads.add("ann", file, file.name)
    file.write_bytes(b"third")
    with pytest.raises(UserError, match="2 files are uploaded already"):
        uploads.add("ann", file, file.name)
    monkeypatch.setattr(module, "MAX_FILES", 16)
    monkeypatch.setattr(module, "MAX_BYTES", 2 * 2**20)
    file.write_bytes(b"\0" * 2**21)
    with pytest.raises(UserError, match="may take 2 MB together"):
        uploads.add("ann", file, file.name)
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 2**21)
    with pytest.raises(UserError, match="no room for uploads"):
        uploads.add("bob", file, file.name)
    uploads.remove("ann", uploads.of("ann")[0].id)
    uploads.remove("ann", uploads.of("ann")[0].id)
    uploads.add("bob", file, file.name)
    assert len(files(uploads)) == 1


def test_a_session_s_uploads_go_with_it_and_no_others(uploads, file):
    uploads.add("ann", file, file.name)
    kept = uploads.add("bob", file, file.name)
    uploads.leave("ann")
    for _ in range(600):
        if "ann" not in uploads._sessions:
            break
        time.sleep(0.05)
    assert files(uploads) == [kept.path]
    uploads.leave("bob")
    assert gone(uploads)
    uploads.leave("nobody")


def test_one_that_comes_back_in_time_keeps_them(tmp_path, file):
    uploads = Uploads(tmp_path / "uploads", grace=3600)
    upload = uploads.add("ann", file, file.name)
    uploads.leave("ann")
    timer = uploads._sessions["ann"].end
    uploads.leave("ann")  # two pages of a session, or a heartbeat lost twice
    assert uploads._sessions["ann"].end is timer
    assert uploads.of("ann") == [upload]
    timer.join(30)
    assert not timer.is_alive()
    assert upload.path.exists()


def test_what_a_crash_has_left_is_removed_at_the_next_start(tmp_path, file):
    root = tmp_path / "uploads"
    done = subprocess.Popen([sys.executable, "-c", ""])
    done.wait()
    for name in (f"{done.pid}-1", f"{psutil.Process().pid}-1", "rubbish"):
        (root / name / "x").mkdir(parents=True)
        (root / name / "x" / "a.safetensors").write_bytes(b"left")
    mine = Uploads(root).add("ann", file, file.name)
    other = Uploads(root)  # another server of this process's kind leaves the living alone
    assert files(other) == [mine.path]
