"""Texts in files of any editor."""

from pathlib import Path

import pytest

from rf_app.errors import UserError
from rf_app.settings.text import read_text, visible

TEXT = "ein See im Gebirge, übermorgen\na lake"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_a_text_is_read_without_its_byte_order_mark(encoding: str, tmp_path: Path) -> None:
    mark = "\ufeff" if encoding == "utf-16-be" else ""  # Python writes those of the other two itself
    (tmp_path / "a.txt").write_bytes((mark + TEXT).encode(encoding))
    assert read_text(tmp_path / "a.txt") == TEXT


@pytest.mark.parametrize(
    "content", [TEXT.encode("cp1252"), TEXT.encode("utf-16-le"), TEXT.encode("utf-32"), b"\xff\xfe\x00"]
)
def test_any_other_file_is_named(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(UserError, match=r"a\.txt cannot be read as UTF-8 text"):
        read_text(tmp_path / "a.txt")
    with pytest.raises(UserError, match=r"^yours cannot be read"):
        read_text(tmp_path / "a.txt", "yours")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"a\.txt cannot be read as UTF-8 text \(No such file"):
        read_text(tmp_path / "a.txt")


@pytest.mark.parametrize(
    "text",
    [
        "a lake\u200b",
        "\ufeffa lake",
        "\u202aa lake\u202c",
        "a la\u00adke",
        "a\x08 lake",
        "a la\u3164ke\x9f\ufffc",
        "\u200da la\u200cke\ufe0f",
        "a lake\U000e0068\U000e0069",
    ],
)
def test_what_nobody_sees_is_dropped(text: str) -> None:
    assert visible(text) == "a lake"


@pytest.mark.parametrize(
    "text",
    ["a\u00a0lake\n", "می\u200cخواهم", "👩\u200d🚀 ❤\ufe0f", "naïve", "🏴\U000e0067\U000e0062\U000e007f"],
)
def test_what_makes_a_difference_to_the_eye_stays(text: str) -> None:
    assert visible(text) == text
