"""What is at hand as a person browses it: found by words, in families."""

from dataclasses import replace

import pytest

from rf_app.actions.collection import family, thing, things
from rf_app.errors import UserError
from tests.tiny import tiny_card

CARDS = [
    tiny_card("teacher", "diffusion", 25, 3.0),
    replace(tiny_card("straight", "rectified-flow", 4, 1.0, "teacher"), lineage=("teacher",)),
    replace(tiny_card("quick", "one-step", 1, 1.0, "teacher"), lineage=("teacher", "gone", "straight")),
    replace(tiny_card("other", "one-step", 1, 1.0, "teacher"), lineage=("ancestor", "lost")),
]


def outline(tree):
    return tree.id, bool(tree.card), [outline(child) for child in tree.children]


def test_a_family_goes_from_the_teacher_down():
    assert outline(family(CARDS, "quick")) == ("teacher", True, [("straight", True, [("quick", True, [])])])


def test_ancestors_that_are_gone_keep_their_place():
    assert outline(family(CARDS, "other")) == ("ancestor", False, [("lost", False, [("other", True, [])])])


def test_a_family_that_goes_round_ends():
    round_ = [replace(CARDS[0], id="a", lineage=("b",)), replace(CARDS[0], id="b", lineage=("a",))]
    assert outline(family(round_, "a")) == ("b", True, [("a", True, [])])


@pytest.mark.parametrize(
    ("words", "kind", "keys"),
    [
        ("", "", ["tiny-instaflow", "tiny-2rf", "tiny-sd", "controlnet/tiny-canny", "controlnet/tiny-depth"]),
        ("TINY sd", "", ["tiny-2rf", "tiny-sd", "controlnet/tiny-canny", "controlnet/tiny-depth"]),
        ("apache one step", "", ["tiny-instaflow"]),
        ("canny controlnet", "", ["controlnet/tiny-canny"]),
        ("", "diffusion", ["tiny-sd"]),
        ("", "controlnet", ["controlnet/tiny-canny", "controlnet/tiny-depth"]),
        ("tiny", "lora", []),
        ("<script>", "", []),
    ],
)
def test_found_by_words(own_app, words, kind, keys):
    assert [each.key for each in things(own_app, words, kind)] == keys


def test_a_key_leads_to_what_it_names(own_app):
    for each in things(own_app):
        found = thing(own_app, each.key)
        assert (found.key, found.kind, found.card) == (each.key, each.kind, each.card)
        assert found.folder.is_dir()


@pytest.mark.parametrize(
    "key", ["no-such", "lora/tiny-sd", "controlnet/no-such", "../tiny-sd", "", "lora/../x"]
)
def test_what_is_not_here_says_so(own_app, key):
    with pytest.raises(UserError):
        thing(own_app, key)


def test_a_model_s_size_is_that_of_its_own_files(own_app):
    assert 0 < thing(own_app, "tiny-2rf").size < thing(own_app, "tiny-sd").size


def test_who_is_needed_is_known(own_app):
    assert thing(own_app, "tiny-sd").needed_by == ["tiny-2rf"]
    assert thing(own_app, "controlnet/tiny-canny").needed_by == []
