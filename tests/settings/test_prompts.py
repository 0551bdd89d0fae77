"""Lists of prompts: a line each, or a table from any spreadsheet."""

import pytest

from rf_app.errors import UserError
from rf_app.settings.picture import PictureSettings
from rf_app.settings.prompts import lines

BASE = PictureSettings("", "tiny-sd", steps=3, seed=5)


def read(text):
    return list(lines(text, BASE))


def test_a_prompt_a_line():
    found = read("\ufeffa lake\r\n\n  a tent, at night \n# no prompt\nprompt, a word like others")
    assert [(each.number, each.settings.prompt) for each in found] == [
        (1, "a lake"),
        (3, "a tent, at night"),
        (5, "prompt, a word like others"),
    ]
    assert all((each.settings.steps, each.count, each.seeded) == (3, None, False) for each in found)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_a_table_says_more(separator):
    rows = [
        ["Prompt", "Seed", "negative prompt", "guidance", "count"],
        ['"a lake, a tent"', "7", "snow", "2.5", "3"],
        ["a boat", "", "", "", ""],
        ["", "", "", "", ""],
    ]
    first, second = read("\n".join(separator.join(row) for row in rows))
    assert first.settings == PictureSettings("a lake, a tent", "tiny-sd", 3, 2.5, 7, "snow")
    assert (first.number, first.count, first.seeded) == (2, 3, True)
    assert (second.settings.prompt, second.settings.seed, second.seeded) == ("a boat", 5, False)


def test_a_table_of_one_column_may_break_lines():
    assert [each.settings.prompt for each in read('prompt\n"a lake\nat night"\na tent')] == [
        "a lake\nat night",
        "a tent",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("prompt,colour\na,b", "no column 'colour'; there may be prompt, negative_prompt, model, seed"),
        ("prompt,seed\na lake,seven", "Line 2: seed is 'seven'; expected a whole number"),
        ("prompt\na lake, at night", "Line 2 has more cells than the heading: put a prompt with ',' in it"),
        ("prompt,guidance\n\na lake,strong", "Line 3: guidance is 'strong'; expected a number"),
        ('prompt,seed\n"' + 200_000 * "a", "cannot be read"),
    ],
)
def test_what_cannot_be_read_is_named(text, message):
    with pytest.raises(UserError, match=message):
        read(text)
