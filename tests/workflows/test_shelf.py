"""Models as a person browses them: found by words, in families; and their sample pictures."""

from dataclasses import replace

import pytest
from rf_app.workflows.samples import PROMPT, Samples, settings_of, thumbnail
from rf_app.workflows.shelf import family, found, size

from rf_app.pipeline.png import read_settings
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
    assert outline(family(CARDS, "quick")) == (
        "teacher",
        True,
        [("straight", True, [("quick", True, [])])],
    )


def test_ancestors_that_are_gone_keep_their_place():
    assert outline(family(CARDS, "other")) == ("ancestor", False, [("lost", False, [("other", True, [])])])


def test_a_family_that_goes_round_ends():
    round_ = [replace(CARDS[0], id="a", lineage=("b",)), replace(CARDS[0], id="b", lineage=("a",))]
    assert outline(family(round_, "a")) == ("b", True, [("a", True, [])])


@pytest.mark.parametrize(
    ("words", "kind", "ids"),
    [
        ("", "", ["tiny-instaflow", "tiny-2rf", "tiny-sd"]),
        ("TINY sd", "", ["tiny-2rf", "tiny-sd"]),
        ("apache one step", "", ["tiny-instaflow"]),
        ("", "diffusion", ["tiny-sd"]),
        ("<script>", "", []),
    ],
)
def test_found_by_words(tiny_registry, words, kind, ids):
    assert [card.id for card in found(tiny_registry, words, kind)] == ids


def test_a_model_s_size_is_that_of_its_own_files(tiny_registry):
    assert 0 < size(tiny_registry, "tiny-2rf") < size(tiny_registry, "tiny-sd")


def test_a_sample_is_drawn_once_and_anew_when_the_model_is(studio, tiny_registry, monkeypatch):
    monkeypatch.setattr(studio, "registry", tiny_registry)
    samples = Samples(studio)
    assert samples.at_hand("tiny-2rf") is None
    assert samples.quick("tiny-2rf")
    path = samples.draw("tiny-2rf")
    assert samples.at_hand("tiny-2rf") == path
    assert read_settings(path)["prompt"] == PROMPT
    assert settings_of(path, "tiny-2rf")["model"] == "tiny-2rf"
    assert settings_of(None, "x") == {"prompt": PROMPT, "seed": 7, "model": "x"}
    assert thumbnail(path, 32).size == (32, 32)
    assert [card.id for card in tiny_registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]
    unet = tiny_registry.folder("tiny-2rf") / "unet"
    (unet / "config.json").rename(unet / "x")
    (unet / "x").rename(unet / "config.json")
    assert samples.at_hand("tiny-2rf") is None
    assert samples.draw("tiny-2rf") != path
    assert len(list(path.parent.iterdir())) == 1
