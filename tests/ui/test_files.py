"""Files that Gradio serves are cleared away, and nothing that is still of use."""

import json
import os
import time
import urllib.request
from pathlib import Path
from tempfile import gettempdir

import pytest

from rf_app.actions.asking import File
from rf_app.errors import UserError
from rf_app.ui import files
from rf_app.ui.files import DAY, HOUR, MAX_TEXT, keep_swept, served, sweep, uploaded_text
from tests.settled import until
from tests.test_architecture import ROOT


def made(folder: Path, name: str, age: float, size: int = 1) -> Path:
    """A folder with a file, as Gradio makes them, both so many seconds old."""
    (folder / name).mkdir(parents=True)
    (folder / name / "picture.png").write_bytes(bytes(size))
    aged(folder / name, age)
    return folder / name


def aged(entry: Path, age: float) -> None:
    for path in (*entry.rglob("*"), entry):
        os.utime(path, (time.time() - age,) * 2)


def test_an_uploaded_file_that_is_no_text_or_too_long_a_one_is_named(tmp_path):
    (tmp_path / "a.txt").write_text("a lake\nein See im Gebirge, übermorgen", encoding="utf-8-sig")
    (tmp_path / "b.txt").write_bytes(b"\x89\x00picture")
    (tmp_path / "c.txt").write_bytes(b" " * (MAX_TEXT + 1))
    assert uploaded_text(str(tmp_path / "a.txt")) == "a lake\nein See im Gebirge, übermorgen"
    for name, message in (("b.txt", "cannot be read as UTF-8"), ("c.txt", "is larger than the 4 MB")):
        with pytest.raises(UserError, match=rf"^{name} {message}"):
            uploaded_text(str(tmp_path / name))


def test_a_file_that_is_being_fetched_stays_whole_when_it_is_made_again(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    given = File("a lake.png", b"the picture")
    path = Path(served(given))
    with path.open("rb") as fetched:
        assert Path(served(given)) == path
        assert os.fstat(fetched.fileno()).st_ino != path.stat().st_ino  # not written into
        assert fetched.read() == given.content
    assert [path.name for path in tmp_path.rglob("*.*")] == [given.name]


def test_what_is_a_day_old_goes_with_its_folder(tmp_path):
    made(tmp_path, "old", DAY + 60)
    (tmp_path / "tmp1234").write_bytes(b"half an upload, of a process that was killed")
    aged(tmp_path / "tmp1234", DAY + 60)
    made(tmp_path, "empty", 0)
    (tmp_path / "empty" / "picture.png").unlink()
    aged(tmp_path / "empty", DAY + 60)
    young, used = made(tmp_path, "young", DAY - 60), made(tmp_path, "used", DAY + 60)
    old_and_new = made(tmp_path, "old-and-new", DAY + 60)
    (old_and_new / "again.png").write_bytes(b"the same picture under another name")
    sweep(tmp_path, {used})
    assert set(tmp_path.iterdir()) == {young, used, old_and_new}
    assert len(list(old_and_new.iterdir())) == 2


def test_beyond_a_size_the_oldest_go_but_none_that_somebody_may_look_at(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "MAX_BYTES", 2**20)
    oldest, older = made(tmp_path, "a", 3 * HOUR, 2**19), made(tmp_path, "b", 2 * HOUR, 2**18)
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {oldest, older}
    new = made(tmp_path, "c", HOUR / 2, 2**19)
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {older, new}
    newest = made(tmp_path, "d", 60, 2**20)
    sweep(tmp_path)
    assert set(tmp_path.iterdir()) == {new, newest}


def test_it_goes_on_after_a_folder_that_cannot_be_swept(tmp_path, caplog):
    def broken() -> set[Path]:
        raise OSError("no such database")

    old = made(tmp_path / "swept", "old", DAY + 60)
    keep_swept({tmp_path / "not": broken, tmp_path / "swept": set})
    until(lambda: not old.exists())
    assert "no such database" in caplog.text


def test_the_page_has_its_icons_in_itself_and_names_no_place_of_this_computer(url, page):
    """Files of theirs would be swept, or served from a folder that everybody learns of."""
    with urllib.request.urlopen(f"{url}config") as answer:
        config = answer.read().decode()
    icons = [
        part["props"]["icon"]["url"] for part in json.loads(config)["components"] if part["props"].get("icon")
    ]
    assert len(icons) == 6  # two examples, and a drawing in four tabs
    assert str(Path.home()) not in config
    assert not any(f'"{place}' in config or f"={place}" in config for place in (ROOT, gettempdir()))
    widths = "all => all.map(image => image.naturalWidth)"
    assert page.locator("#examples img").evaluate_all(widths) == [96, 96]
