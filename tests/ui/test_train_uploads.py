"""What is uploaded for a training gets names of our own, with its captions."""

import os
import shutil
import time
from dataclasses import asdict
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
from PIL import Image

from rf_app.jobs.database import Database
from rf_app.jobs.plan import Wish
from rf_app.jobs.stage import TRAINING, Plan, Stage
from rf_app.pipeline.png import as_png
from rf_app.ui.files import DAY, sweep
from rf_app.ui.train import uploads
from rf_app.ui.train.uploads import forget_pictures, keep_pictures, pictures_in_use
from tests.full_disk import full_disk


def test_pictures_keep_their_captions_and_nothing_of_their_names(tmp_path: Path) -> None:
    upload = tmp_path / "upload"
    upload.mkdir()
    for name in ("b <i>.png", "red_tent.JPG"):
        Image.new("RGB", (8, 8)).save(upload / name)
    (upload / "c-20-42.png").write_bytes(
        as_png(Image.new("RGB", (8, 8)), {"prompt": "a lake at night", "seed": 7})
    )
    (upload / "notes.html").write_text("<html>")
    (upload / "b <i>.txt").write_text("a black-and-white lake\nin sks_style")
    keep = keep_pictures(Database(tmp_path / "jobs"))
    folder = Path(keep([str(path) for path in upload.iterdir()]))
    assert folder.parent == tmp_path / "jobs" / "pictures"
    assert sorted(path.name for path in folder.iterdir()) == [
        "00000.png",
        "00000.txt",
        "00001.png",
        "00001.txt",
        "00002.jpg",
        "00002.txt",
    ]
    assert (folder / "00000.txt").read_text() == "a black-and-white lake in sks_style"
    assert (folder / "00001.txt").read_text() == "a lake at night"  # its prompt: its name says nothing
    assert (folder / "00002.txt").read_text() == "red tent"
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
    with ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("good", "holiday-17"):
            archive.write(tmp_path / f"{name}.png", f"{name}.png")
    with pytest.warns(UserWarning, match=r"^holiday-17\.png: The picture cannot be read"):
        assert keep_pictures(Database(tmp_path / "jobs"))([str(tmp_path / "all.zip")]) == ""
    assert not list((tmp_path / "jobs" / "pictures").iterdir())


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


def upload(folder: Path, count: int) -> list[str]:
    """So many pictures of 12 kB."""
    folder.mkdir()
    for i in range(count):
        Image.effect_noise((64, 64), 50 + i).convert("RGB").save(folder / f"{i}.bmp.png", compress_level=0)
    return [str(path) for path in sorted(folder.iterdir())]


def held(*folders: Path) -> int:
    """Bytes on the disk, with one file under several names counted once."""
    states = {path.lstat().st_ino: path.lstat() for folder in folders for path in folder.rglob("*.png")}
    return sum(state.st_size for state in states.values())


@pytest.mark.parametrize("links", [True, False])
def test_pictures_added_one_by_one_are_held_once(links, tmp_path, monkeypatch):
    if not links:  # as between two disks
        monkeypatch.setattr(os, "link", shutil.copyfile)
    files, folder = upload(tmp_path / "upload", 8), ""
    database = Database(tmp_path / "jobs")
    keep = keep_pictures(database)
    for count in range(1, len(files) + 1):
        folder = keep(files[:count], folder)
    assert len(list(Path(folder).glob("*.png"))) == len(files)
    assert held(database.pictures) == sum(Path(file).stat().st_size for file in files)
    assert held(database.pictures, tmp_path / "upload") == held(database.pictures) * (1 if links else 2)
    assert keep([], folder) == ""
    assert list(database.pictures.iterdir()) == []


def test_pictures_of_a_job_stay_and_those_of_none_go(tmp_path):
    files = upload(tmp_path / "upload", 2)
    database = Database(tmp_path / "jobs")
    keep = keep_pictures(database)
    used = keep(files)
    wish = asdict(Wish("lora", "tiny-sd", "mine", images=used))
    stages = (Stage("Learning", "trainers.lora", (), str(tmp_path / "mine"), ()),)
    database.add(lambda folder, others: Plan(TRAINING, TRAINING, "mine", "", wish, stages, 1.0))
    other = keep(files[:1], used)
    forget_pictures(database, used)
    forget_pictures(database, other)
    forget_pictures(database, "")
    assert list(database.pictures.iterdir()) == [Path(used)]
    left = keep(files)  # of a page whose end nobody heard of
    for path in (*database.pictures.rglob("*"), *database.pictures.iterdir()):
        os.utime(path, (time.time() - DAY - 60,) * 2)
    database.add(lambda folder, others: Plan(TRAINING, TRAINING, "", "", {"of": "another version"}, (), 1.0))
    sweep(database.pictures, pictures_in_use(database))
    assert Path(left).exists()
    database.remove(2)
    sweep(database.pictures, pictures_in_use(database))
    assert not Path(left).exists()
    assert len(list(Path(used).glob("*.png"))) == 2


def test_a_full_disk_is_named_and_no_half_of_a_set_stays(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "link", shutil.copyfile)
    files = upload(tmp_path / "upload", 2)
    database = Database(tmp_path / "jobs")
    with full_disk(10_000), pytest.warns(UserWarning, match=r"The disk is full: cannot write .* MiB free"):
        assert keep_pictures(database)(files) == ""
    assert list(database.pictures.iterdir()) == []


def test_a_zip_is_kept_as_it_is_but_for_what_no_name_should_have(tmp_path):
    files = upload(tmp_path / "upload", 2)
    archive = tmp_path / "kites.zip"
    with ZipFile(archive, "w") as whole:
        whole.write(files[0], "kites/red kite.png")
        whole.write(files[1], "kites/more/blue<b>.png")
        whole.writestr(
            f"kites/{'a kite, ' * 20}&c, it's [new]!.txt", b"x"
        )  # as a list of captions may say it
        for name in ("kites/notes.pdf", "kites/.hidden", "__MACOSX/kites/._red kite.png", "../../out.png"):
            whole.writestr(name, b"x")
    database = Database(tmp_path / "jobs")
    folder = Path(keep_pictures(database)([str(archive)]))
    assert folder.parent == database.pictures
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    listed = f"{'a kite, ' * 20}&c, it's [new]!.txt"
    assert found == {"red kite.png", "more/blue_b_.png", "notes.pdf", listed}
    assert not list(tmp_path.rglob("out.png"))


def test_pictures_with_a_list_of_captions_keep_their_names(tmp_path):
    files = upload(tmp_path / "upload", 2)
    listed = tmp_path / "metadata.csv"
    listed.write_text("file_name,text\n0.bmp.png,a kite\n")
    folder = Path(keep_pictures(Database(tmp_path / "jobs"))([*files, str(listed)]))
    assert {path.name for path in folder.iterdir()} == {"0.bmp.png", "1.bmp.png", "metadata.csv"}


def test_a_zip_that_is_none_or_too_large_is_refused_and_nothing_stays(tmp_path, monkeypatch):
    archive = tmp_path / "kites.zip"
    archive.write_bytes(b"PK no more")
    database = Database(tmp_path / "jobs")
    with pytest.warns(UserWarning, match=r"kites\.zip cannot be unpacked"):
        assert keep_pictures(database)([str(archive)]) == ""
    for names in (
        ("a", "a/b"),
        ("a/b", "a"),
        ("/".join(["long" * 25] * 60),),
    ):  # a file and a folder; too long
        with ZipFile(archive, "w") as whole:
            for name in names:
                whole.writestr(name, "")
        with pytest.warns(UserWarning, match=r"kites\.zip cannot be unpacked"):
            assert keep_pictures(database)([str(archive)]) == ""
    with ZipFile(archive, "w") as whole:
        whole.writestr("é.png", "")
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\xff\xff"))  # is no UTF-8, as it says
    with pytest.warns(UserWarning, match=r"kites\.zip cannot be unpacked"):
        assert keep_pictures(database)([str(archive)]) == ""
    with ZipFile(archive, "w", ZIP_DEFLATED) as whole:
        whole.writestr("bomb.png", bytes(2_000_000))
    monkeypatch.setattr(uploads, "MAX_UNPACKED", 1_000_000)
    with pytest.warns(UserWarning, match=r"kites\.zip holds 1 files"):
        assert keep_pictures(database)([str(archive)]) == ""
    assert not list(database.pictures.iterdir())
