"""The words a model has learned."""

import pytest

from rf_app.errors import UserError
from rf_app.registry.vocabulary import vocabulary


def test_found_through_the_base_models(tiny_registry):
    found = vocabulary(tiny_registry, "tiny-instaflow")
    assert found.topics["object"] == ("red tent",)
    assert found == vocabulary(tiny_registry, "tiny-sd")


def test_no_vocabulary(tiny_registry):
    (tiny_registry.folder("tiny-sd") / "vocabulary.json").unlink()
    assert vocabulary(tiny_registry, "tiny-2rf") is None


@pytest.mark.parametrize(
    ("prompt", "unknown"),
    [
        ("A photograph of a mountain near a lake at sunset.", []),
        ("MOUNTAIN, Lake; red-tent!", []),
        ("the mountain's lake", ["the"]),
        ("the mountain\u2019s lake", ["the"]),
        ("A dragon over the Dragon's lake, dragon!", ["dragon", "over", "the"]),
        ("red-sailed boat", ["sailed", "boat"]),
        ("山 और हिन्दी озеро", ["山", "और", "हिन्दी", "озеро"]),
        ("cafe\u0301 lake 42 🌄", ["café", "42", "🌄"]),
        ("a lake \U0001f3d4\ufe0f", ["\U0001f3d4\ufe0f"]),
        ("\ufe0f lake \u200d", []),
        ("lake🌄🌄🌊", ["🌄", "🌊"]),
        ("\U0001f469\U0001f3fd\u200d\U0001f680 at a lake", ["\U0001f469\U0001f3fd\u200d\U0001f680"]),
        ("a (snowy:1.3) mountain, ((lake: .9):1.1)", ["snowy"]),
        ("a lake <lora:pocket-woodcut:0.8>", []),
        ("a lake <lora:pocket-w", []),
        ("a lake at 3:30 (of 4)", ["3", "30", "4"]),
        ("", []),
    ],
)
def test_unknown_words(tiny_registry, prompt, unknown):
    assert vocabulary(tiny_registry, "tiny-sd").unknown(prompt) == unknown


@pytest.mark.parametrize(
    "content", ["[]", "{", '{"topics": [], "words": []}', '{"topics": {"a": "b"}, "words": []}']
)
def test_broken_files(tiny_registry, content):
    (tiny_registry.folder("tiny-sd") / "vocabulary.json").write_text(content)
    with pytest.raises(UserError, match=r"vocabulary\.json"):
        vocabulary(tiny_registry, "tiny-2rf")
