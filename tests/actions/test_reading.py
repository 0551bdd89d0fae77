"""What a model reads of a prompt while it is typed."""

import pytest

from rf_app.actions.reading import reading
from rf_app.errors import UserError
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.settings.picture import Lora
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load


def test_words_not_learned_are_named_with_those_that_may_have_been_meant(app):
    found = reading(app, "a zebra near a lkae, 湖", "tiny-instaflow")
    assert found.unknown == {"zebra": [(2, 7)], "lkae": [(15, 19)], "湖": [(21, 22)]}
    assert found.like == {"zebra": [], "lkae": ["lake"]}
    assert found.topics["water"] == ("lake",)
    assert reading(app, "a red tent near a lake", "tiny-instaflow").places == {
        "object": (0, 10),
        "water": (18, 22),
    }


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a lake near a mount", []),  # may become "mountain"
        ("a lake near a zeb", ["zeb"]),  # can become nothing it knows
        ("a mount near a lake", ["mount"]),  # finished
        ("a mount ", ["mount"]),
    ],
)
def test_a_word_being_typed_is_not_complained_about(app, text, named):
    assert list(reading(app, text, "tiny-instaflow", typing=True).unknown) == named
    assert "zeb" in named or "mount" in reading(app, text, "tiny-instaflow").unknown


@pytest.mark.parametrize(
    ("prompt", "notes"),
    [
        ("a (lake:1.3)", ("weights",)),
        ("a ((lake))", ("weights",)),
        ("a [lake] 🌄", ("weights", "emoji")),
        ("a lake <lora:pocket-woodcut:0.8>", ("tags",)),
        ("a lake: \\(red\\)", ()),
    ],
)
def test_what_a_pocket_model_does_not_read_is_noted_and_is_no_unknown_word(app, prompt, notes):
    found = reading(app, prompt, "tiny-instaflow")
    assert found.notes == notes
    assert found.unknown == {}


def test_the_words_that_call_a_lora_are_known_while_it_acts(own_app):
    tensors = random_lora(load(own_app.registry, "tiny-sd").unet)
    folder = own_app.loras.folders[-1] / "ink"
    write(folder / WEIGHTS, tensors)
    write_card(folder, LoraCard("ink", "Ink", trigger="woodcut"))
    prompt = "a woodcut of a dragon"
    for loras, unknown in (
        ((), ["woodcut", "dragon"]),
        ((Lora("ink"),), ["dragon"]),
        ((Lora("ink", 0),), ["woodcut", "dragon"]),
    ):
        assert list(reading(own_app, prompt, "tiny-instaflow", loras).unknown) == unknown


def test_tokens_are_counted_and_the_cut_is_named(own_app):
    found = reading(own_app, "x" * 35, "tiny-instaflow")
    assert (found.tokens, found.room, found.unread, found.chunks) == (35, 30, 30, ())
    assert list(reading(own_app, "zebra " * 5 + "x" * 5 + " dragon", "tiny-instaflow").unknown) == [
        "zebra",
        "xxxxx",
    ]
    (own_app.registry.folder("tiny-sd") / "vocabulary.json").unlink()
    found = reading(own_app, "🌄(x:1.2) " + "x" * 34, "tiny-instaflow")
    assert (found.tokens, found.room, found.unread, found.chunks) == (39, 60, None, (34,))
    assert (found.unknown, found.notes, found.topics) == ({}, (), {})
    found = reading(own_app, "x" * 130, "tiny-instaflow")
    assert (found.tokens, found.room, found.unread, found.chunks) == (130, 120, 120, (30, 60, 90))


def test_no_prompt_and_one_that_nothing_draws(app):
    assert reading(app, "", "tiny-instaflow").tokens == 0
    for prompt, model, message in (
        ("x" * 2001, "tiny-instaflow", "2,001 characters"),
        ("\ud800", "tiny-instaflow", "half a surrogate"),
        (None, "tiny-instaflow", "must be text"),
        ("a lake", "gone", "gone"),
        ("a lake", None, "None"),
    ):
        with pytest.raises(UserError, match=message):
            reading(app, prompt, model)
