"""Uploads belong to their session: invisible to others, limited, and gone with it."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.plugins import uploads as module
from rf_app.plugins.uploads import Uploads
from rf_app.registry.disk import DiskFull, hidden_folder
from rf_app.registry.models import Registry
from tests.full_disk import full_disk


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
    upload = uploads.add("ann", file, file.name, trigger="in ink")
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
    file.write_bytes(b"\0" * 2**21)
    with pytest.raises(UserError, match="may take 2 MB together"):
        uploads.add("ann", file, file.name, 2 * 2**20)
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
    own = uploads._sessions["ann"]
    timer = own.end
    uploads.leave("ann")  # two pages of a session, or a heartbeat lost twice
    assert own.end is timer
    own.used -= 3600
    assert uploads.of("ann") == [upload]
    timer.cancel()
    timer.function(*timer.args)  # an hour after the page was closed
    assert upload.path.exists()
    assert own.end.is_alive()


def test_what_a_waiting_request_uses_goes_after_it(tmp_path, file):
    uploads = Uploads(tmp_path / "uploads", grace=2.0)
    upload = uploads.add("ann", file, file.name)
    uploads.leave("ann")
    time.sleep(0.5)
    used = time.monotonic()
    uploads.get("ann", upload.id)
    assert gone(uploads)
    assert time.monotonic() - used > 2.0


def test_the_longest_idle_make_room_and_no_others(tmp_path, file, monkeypatch):
    uploads = Uploads(tmp_path / "uploads")
    monkeypatch.setattr(module, "MAX_TOTAL_BYTES", 30)
    for name in ("ann", "bob", "cid"):
        uploads.add(name, file, file.name)
    with pytest.raises(UserError, match="no room for uploads"):
        uploads.add("dan", file, file.name)
    for name, hours in (("ann", 2), ("bob", 3)):
        uploads._sessions[name].used -= hours * 3600
    uploads.add("dan", file, file.name)
    assert [len(uploads.of(name)) for name in ("bob", "cid", "dan")] == [0, 1, 1]
    assert len(uploads._sessions["ann"].files) == 1
    assert len(files(uploads)) == 3


def test_a_full_disk_leaves_no_part_of_a_file(uploads, file):
    file.write_bytes(b"\0" * 2**20)
    with full_disk(2**19), pytest.raises(DiskFull, match="The disk is full"):
        uploads.add("ann", file, file.name)
    assert files(uploads) == []
    assert uploads.of("ann") == []
    uploads.add("ann", file, file.name)


def test_a_file_in_the_folder_s_place_is_named(uploads, file):
    uploads.root.write_text("a file")
    with pytest.raises(UserError, match="uploads: cannot be written to"):
        uploads.add("ann", file, file.name)
    assert uploads.of("ann") == []


def test_what_lies_beside_the_models_is_left_alone_and_leaves_the_uploads_alone(tmp_path, file):
    theirs = tmp_path / "uploads" / "holiday"
    theirs.mkdir(parents=True)
    uploads = Uploads.beside(Registry([tmp_path / "models"]))
    assert theirs.is_dir()
    upload = uploads.add("ann", file, file.name)
    os.utime(uploads.root, (0, 0))
    with hidden_folder(tmp_path, "export"):  # it removes what killed exports have left
        assert upload.path.exists()


def test_what_a_crash_has_left_is_removed_at_the_next_start(tmp_path, file):
    root = tmp_path / "uploads"
    script = f"""
import os
from pathlib import Path
from rf_app.plugins.uploads import Uploads
uploads = Uploads(Path({str(root)!r}))
uploads.add("ann", Path({str(file)!r}), "a")
os._exit(1)
"""
    assert subprocess.run([sys.executable, "-c", script]).returncode == 1
    (root / "holiday").mkdir()
    (left,) = root.glob(".instaflow-*")
    os.utime(left, (0, 0))
    first = Uploads(root)
    assert not left.exists()
    mine = first.add("ann", file, file.name)
    os.utime(mine.path.parents[1], (0, 0))
    other = Uploads(root)  # another server leaves the living alone
    assert files(other) == [mine.path]
    assert {path.name for path in root.iterdir()} == {"holiday", mine.path.parents[1].name}
