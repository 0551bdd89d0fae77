"""Presets: around a prompt and back, kept and read as JSON, whatever the file holds."""

import json

import pytest

from rf_app.actions import presets
from rf_app.actions.generate import Generate, generate
from rf_app.actions.presets import SHIPPED, PromptPreset, at_hand, delete, own, preset, read, save
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.registry.permission import Permission
from rf_app.settings.picture import Lora, PictureSettings

OWN = PictureSettings("", "tiny-2rf", 3, negative_prompt="tent", loras=(Lora("x", 0.5),))
MINE = PromptPreset("Mine", "a poster of", ", at night", OWN)


def test_words_go_around_a_prompt_and_off_again():
    for before, after in (("a poster of", "at night"), ("", ", at night"), ("a poster of", ""), ("", "")):
        made = PromptPreset("x", before, after)
        assert made.within(made.around("a lake")) == "a lake"
    assert MINE.around("a lake") == "a poster of a lake, at night"
    assert MINE.within("another prompt") == "another prompt"


def test_what_is_given_counts_before_the_preset():
    plain = MINE.applied(PictureSettings("a lake", seed=4))
    assert plain == PictureSettings(
        "a poster of a lake, at night", "tiny-2rf", 3, None, 4, "tent", loras=OWN.loras
    )
    given = MINE.applied(PictureSettings("a lake", "tiny-sd", 7, loras=(Lora("y"),)))
    assert (given.model, given.steps, given.loras) == ("tiny-sd", 7, (Lora("y"),))


def test_a_picture_is_drawn_with_one(own_app):
    save(own_app, PromptPreset("Mine", "a", "at night", PictureSettings("", "tiny-2rf", 2)))
    made = results(generate(own_app, Generate(PictureSettings("lake"), preset="Mine")))[0].settings
    assert (made["prompt"], made["model"], made["steps"]) == ("a lake at night", "tiny-2rf", 2)
    for name in ("Yours", ["Yours"]):
        with pytest.raises(UserError, match=r"no preset .*'Yours'.*; there are .*Mine"):
            results(generate(own_app, Generate(PictureSettings("lake"), preset=name)))
    with pytest.raises(UserError, match="prompt must be text, not None"):
        results(generate(own_app, Generate(PictureSettings(None), preset="Mine")))


def test_ones_own_are_kept_exported_read_and_deleted(own_app, tmp_path, monkeypatch):
    save(own_app, MINE)
    save(own_app, PromptPreset("Mine", "another"), PromptPreset("Woodcut", "own"))
    assert own() == [PromptPreset("Mine", "another"), PromptPreset("Woodcut", "own")]
    assert preset("Woodcut").before == "own"  # not the one that comes with the program
    file = tmp_path / "home" / "presets.json"
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "elsewhere"))
    assert own() == []
    save(own_app, *read(file), MINE)
    assert own() == [MINE, PromptPreset("Woodcut", "own")]
    delete(own_app, "Mine")
    assert [each.name for each in own()] == ["Woodcut"]
    with pytest.raises(UserError, match="'Golden hour' is no preset of your own"):
        delete(own_app, "Golden hour")


def test_strangers_keep_none(own_app, monkeypatch):
    monkeypatch.setattr(Permission, "__bool__", lambda self: False)
    for act in (lambda: save(own_app, MINE), lambda: delete(own_app, "Mine")):
        with pytest.raises(UserError, match="is off on this public page"):
            act()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("no JSON", "the presets are not readable"),
        ('{"name": "x"}', "expected a list of presets"),
        ("[7]", r"preset 1 is 7; expected \{\"name\""),
        (
            '[{"name": "x"}, {"name": "y", "colour": "red"}]',
            "preset 2 has 'colour'; a preset has after, before",
        ),
        ('[{"name": 7}]', "name is 7; it must be a text"),
        ('[{"name": " \\u200b"}]', "Give the preset a name"),
        ('[{"name": "x", "steps": "many"}]', "steps is 'many'"),
        ('[{"name": "x", "loras": [{"id": "y", "strength": 9}]}]', "strength is 9"),
        ('[{"name": "x", "after": "' + "a" * 3000 + '"}]', "after is 'aaa.*up to 2000 characters"),
        ('[{"name": "x", "before": "\\ud83d"}]', "before holds half a surrogate pair"),
        ("[" + '{"name": "x"},' * 500 + '{"name": "x"}]', "at most 500"),
        ('[], "more": [', "not readable|expected a list"),
    ],
)
def test_a_file_may_come_from_anyone(tmp_path, text, message):
    (tmp_path / "presets.json").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=message):
        list(read(tmp_path / "presets.json"))


def test_the_shipped_ones_are_sound_and_listed(app):
    assert len(at_hand()) >= len(json.loads(SHIPPED.read_text(encoding="utf-8"))) >= 5
    listed = presets.answer(app, results(presets.presets(app, presets.Presets())))
    assert listed[0]["loras"] == [{"id": "pocket-woodcut", "strength": 0.8}]
