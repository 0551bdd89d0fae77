"""Alternatives in a prompt: one seed, one prompt; seeds in a row go through all of them."""

from collections import Counter

import pytest

from rf_app.errors import UserError
from rf_app.settings.alternatives import choices, expanded, longest


@pytest.fixture
def lists(tmp_path, monkeypatch):
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    (tmp_path / "wildcards").mkdir()
    return tmp_path / "wildcards"


def test_seeds_in_a_row_show_every_combination_once() -> None:
    found = [expanded("a {red|blue} {boat|tent|car}", seed) for seed in range(10, 16)]
    assert len(set(found)) == 6
    assert expanded("a {red|blue} boat", 4) == expanded("a {red|blue} boat", 4) == "a red boat"


def test_groups_within_groups_and_empty_ones() -> None:
    found = {expanded("{a {small|large} boat|nothing|}", seed) for seed in range(20)}
    assert found == {"a small boat", "a large boat", "nothing", ""}


def test_several_are_taken_by_lot_without_repeats() -> None:
    counts = Counter(expanded("{2$$moon|cloud|bird}", seed) for seed in range(200))
    assert len(counts) == 6  # in any order
    assert all(len(set(each.split(", "))) == 2 for each in counts)
    assert expanded("{3$$ and $$a|b}", 1) in ("a and b", "b and a")


@pytest.mark.parametrize("text", ["a {boat}", "{", "}{", "a | b", "__", "a__b", "{}", '{"json": 1}', "😀 {a"])
def test_what_is_no_alternative_stays(text: str) -> None:
    assert expanded(text, 3) == text


def test_the_longest_of_each_group_stays_where_it_stands_and_choices_are_counted() -> None:
    text = "a {red|yellow} {a|{bcd|e}} {2$$x|y} end"
    alone = longest(text)
    assert alone.split() == ["a", "yellow", "bcd", "x", "y", "end"]
    assert all(alone.index(word) == text.index(word) for word in ("yellow", "bcd", "end"))
    assert [choices(each) for each in ("{a|b} {c|d|e}", "a {b}", text, "__animal__ {a|b}")] == [6, 1, 1, 1]


def test_lists_are_read_with_groups_in_them(lists) -> None:
    (lists / "animal.txt").write_text("# pets\na {black|white} cat\n\na dog\n", encoding="utf-8")
    drawn = {expanded("__animal__ by a lake", seed) for seed in range(12)}
    assert drawn == {f"{each} by a lake" for each in ("a black cat", "a white cat", "a dog")}


def test_lists_that_are_not_there_or_never_end_are_named(lists) -> None:
    with pytest.raises(UserError, match="There is no list __animal__; there are none yet"):
        expanded("__animal__", 1)
    (lists / "empty.txt").write_text("# nothing\n")
    with pytest.raises(UserError, match="__empty__ is empty"):
        expanded("__empty__", 1)
    with pytest.raises(UserError, match="no list __animal__; there are empty"):
        expanded("__animal__", 1)
    (lists / "loop.txt").write_text("__loop__ __loop__\n")
    with pytest.raises(UserError, match="never end"):
        expanded("__loop__", 1)


def test_a_hundred_choices_are_made_and_no_more() -> None:
    assert expanded("{a|b}" * 100, 0) == "a" * 100
    with pytest.raises(UserError, match="never end"):
        expanded("{a|b}" * 101, 0)


def test_a_prompt_that_nothing_draws_is_given_back_at_once() -> None:
    long = "{" + "|" * 4_000_000
    assert expanded(long, 1) is long
