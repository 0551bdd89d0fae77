"""What is uploaded for a training gets names of our own, with its captions."""

from pathlib import Path

import pytest
from PIL import Image

from rf_app.jobs.database import Database
from rf_app.ui.train.uploads import keep_pictures, prompts_of


def test_pictures_keep_their_captions_and_nothing_of_their_names(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    for name in ("b <i>.png", "red_tent.JPG"):
        Image.new("RGB", (8, 8)).save(upload / name)
    (upload / "notes.html").write_text("<html>")
    (upload / "b <i>.txt").write_text("a black-and-white lake\nin sks_style")
    keep = keep_pictures(Database(tmp_path / "jobs"))
    folder = Path(keep([str(path) for path in upload.iterdir()]))
    assert folder.parent == tmp_path / "jobs" / "pictures"
    assert sorted(path.name for path in folder.iterdir()) == [
        "00000.png",
        "00000.txt",
        "00001.jpg",
        "00001.txt",
    ]
    assert (folder / "00000.txt").read_text() == "a black-and-white lake in sks_style"
    assert (folder / "00001.txt").read_text() == "red tent"
    assert keep([str(upload / "notes.html")]) == keep(None) == ""


@pytest.mark.parametrize("keep_bytes", [0, 100])
def test_a_picture_that_cannot_be_read_is_refused_by_its_own_name(tmp_path, keep_bytes):
    Image.effect_noise((64, 64), 50).save(tmp_path / "good.png")
    content = (tmp_path / "good.png").read_bytes()
    (tmp_path / "holiday-17.png").write_bytes(content[:keep_bytes] or b"<html>404</html>")
    with pytest.warns(UserWarning, match=r"holiday-17\.png: The picture cannot be read"):
        kept = keep_pictures(Database(tmp_path / "jobs"))([str(file) for file in tmp_path.glob("*.png")])
    assert kept == ""
    assert not (tmp_path / "jobs" / "pictures").exists()


def test_captions_of_another_encoding_are_read_or_refused(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    (tmp_path / "a.txt").write_text("a café terrace", encoding="utf-16")
    keep = keep_pictures(Database(tmp_path / "jobs"))
    files = [str(tmp_path / "a.png"), str(tmp_path / "a.txt")]
    assert (Path(keep(files)) / "00000.txt").read_text(encoding="utf-8") == "a café terrace"
    kept = list((tmp_path / "jobs").rglob("*"))
    (tmp_path / "a.txt").write_text("a café terrace", encoding="cp1252")
    with pytest.warns(UserWarning, match=r"^a\.txt cannot be read as UTF-8"):
        assert keep(files) == ""
    assert list((tmp_path / "jobs").rglob("*")) == kept


def test_a_file_that_is_no_text_gives_no_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a lake\nein See im Gebirge, übermorgen", encoding="utf-8-sig")
    (tmp_path / "b.txt").write_bytes(b"\x89\x00picture")
    assert prompts_of(str(tmp_path / "a.txt")) == "a lake\nein See im Gebirge, übermorgen"
    assert prompts_of(str(tmp_path / "b.txt")) == ""
