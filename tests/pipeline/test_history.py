"""The kept pictures: found by their words, bounded, and whole whatever was killed, broken or put in."""

import shutil
import sqlite3
import time

import pytest
from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.history import History
from rf_app.pipeline.png import as_png


def picture(prompt: str, colour: int = 0, **more: object) -> tuple[bytes, dict]:
    settings = {"prompt": prompt, "model": "tiny-sd", "seed": colour} | more
    return as_png(Image.new("RGB", (32, 32), (colour, 0, 0)), settings), settings


@pytest.fixture
def history(tmp_path):
    return History(tmp_path / "pictures")


def prompts(history: History, *wish: object) -> list[str]:
    return [each.settings["prompt"] for each in history.search(*wish)[0]]


def test_the_newest_come_first_and_all_the_words_count(history: History) -> None:
    history.keep(*picture("A red boat", 1))
    history.keep(*picture("a RED tent, 100% wool", 2, loras=[{"id": "woodcut", "strength": 1.0}]))
    assert prompts(history) == ["a RED tent, 100% wool", "A red boat"]
    assert prompts(history, "red boat") == prompts(history, "BOAT") == ["A red boat"]
    assert prompts(history, "woodcut") == ["a RED tent, 100% wool"]
    assert prompts(history, "0%") == ["a RED tent, 100% wool"]
    assert prompts(history, "0_") == prompts(history, "' OR 1 --") == []
    assert history.search("tiny-sd", False, 1)[1] == 2  # of which one is given


def test_the_same_picture_again_is_kept_once_and_is_the_newest(history: History) -> None:
    first = history.keep(*picture("a boat", 1))
    history.keep(*picture("a tent", 2))
    assert history.keep(*picture("a boat", 1)) == first
    assert prompts(history) == ["a boat", "a tent"]
    (history.folder / first).unlink()  # somebody took it away
    assert history.keep(*picture("a boat", 1)) == first
    assert history.png(first) == picture("a boat", 1)[0]


def test_stars_and_deleting(history: History) -> None:
    one, two = (history.keep(*picture(text, i)) for i, text in enumerate(("a boat", "a tent")))
    history.star(one, True)
    assert prompts(history, "", True) == ["a boat"]
    history.star(one, False)
    assert prompts(history, "", True) == []
    history.delete(two)
    assert prompts(history) == ["a boat"]
    assert not (history.folder / two).exists()
    for name in (two, "../../secret.png", "", one.upper()):
        for do in (history.png, history.delete, history.picture):
            with pytest.raises(UserError, match="There is no picture"):
                do(name)


def test_beyond_the_limit_the_oldest_without_a_star_leaves(tmp_path, monkeypatch) -> None:
    size = len(picture("a boat", 0)[0])
    history = History(tmp_path, limit=int(2.5 * size))
    first = history.keep(*picture("a boat", 0))
    history.star(first, True)
    names = [history.keep(*picture("a boat", i)) for i in range(1, 4)]
    assert {each.name for each in history.search()[0]} == {first, names[-1]}
    assert {path.name for path in tmp_path.glob("*/*.png")} == {
        name.split("/")[1] for name in (first, names[-1])
    }
    assert history.size()[0] == 2
    assert History(tmp_path / "small", limit=1).keep(*picture("a boat", 1))  # the newest always stays
    monkeypatch.setattr(time, "time", lambda: 0.0)  # also where the clock was put back
    assert history.png(history.keep(*picture("a boat", 4))) == picture("a boat", 4)[0]


def test_files_and_index_agree_at_the_next_start(history: History, tmp_path) -> None:
    kept, gone = history.keep(*picture("a boat", 1)), history.keep(*picture("a tent", 2))
    with sqlite3.connect(history.path) as rows:  # killed between the file and its row
        rows.execute("DELETE FROM picture WHERE name = ?", [kept])
    (history.folder / gone).unlink()
    (history.folder / "2001-01-01").mkdir()
    (history.folder / "2001-01-01" / "brought.png").write_bytes(picture("brought here", 3)[0])
    (history.folder / "2001-01-01" / "torn.png").write_bytes(picture("torn", 4)[0][:60])
    Image.new("RGB", (8, 8)).save(history.folder / "2001-01-01" / "foreign.png")
    (history.folder / "2001-01-01" / "hostile.png").write_bytes(picture("hostile", 5, loras=7)[0])
    assert set(prompts(History(history.folder))) == {"a boat", "brought here"}
    history.path.write_bytes(b"not a database" * 100)
    assert set(prompts(History(history.folder))) == {"a boat", "brought here"}
    assert (history.folder / "index.broken").exists()
    shutil.rmtree(history.folder)
    assert prompts(History(history.folder)) == []


def test_where_it_cannot_be_written_the_message_names_the_place(tmp_path) -> None:
    (tmp_path / "file").write_text("in its place")
    with pytest.raises(UserError, match="cannot be written to"):
        History(tmp_path / "file").keep(*picture("a boat"))
