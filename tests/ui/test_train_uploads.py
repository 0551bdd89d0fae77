"""What is uploaded for a training gets names of our own, with its captions."""

from pathlib import Path

from rf_app.jobs.database import Database
from rf_app.ui.train.uploads import keep_pictures, prompts_of


def test_pictures_keep_their_captions_and_nothing_of_their_names(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    for name in ("b <i>.png", "red_tent.JPG", "notes.html"):
        (upload / name).write_bytes(name.encode())
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


def test_a_file_that_is_no_text_gives_no_prompts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("a lake\nein See im Gebirge, übermorgen", encoding="utf-8")
    (tmp_path / "b.txt").write_bytes(b"\xff\xfe\x00picture")
    assert prompts_of(str(tmp_path / "a.txt")).endswith("übermorgen")
    assert prompts_of(str(tmp_path / "b.txt")) == ""
