"""Another title, and deletion: what is protected stays."""

from dataclasses import replace

import pytest

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from tests.tiny import tiny_card, tiny_flow


def test_rename(tiny_registry):
    before = tiny_registry.card("tiny-2rf")
    assert tiny_registry.rename("tiny-2rf", "  Straight \n <b>lines</b> ") == "Straight <b>lines</b>"
    assert tiny_registry.card("tiny-2rf") == replace(before, title="Straight <b>lines</b>")


@pytest.mark.parametrize("title", ["", " \n ", "x" * 81])
def test_titles_that_are_none(tiny_registry, title):
    with pytest.raises(UserError, match=r"characters; 1 to 80 are accepted"):
        tiny_registry.rename("tiny-2rf", title)
    assert tiny_registry.card("tiny-2rf").title == "Tiny 2Rf"


def test_who_borrows_from_whom(tiny_registry):
    assert tiny_registry.borrowers("tiny-sd") == ["tiny-2rf"]
    assert tiny_registry.borrowers("tiny-2rf") == ["tiny-instaflow"]
    assert tiny_registry.borrowers("tiny-instaflow") == []


def test_delete(tiny_registry):
    with pytest.raises(UserError, match="'tiny-sd' cannot be deleted: tiny-2rf takes pieces from it"):
        tiny_registry.delete("tiny-sd")
    for id in ("tiny-instaflow", "tiny-2rf", "tiny-sd"):
        tiny_registry.delete(id)
    assert tiny_registry.cards() == []
    assert not any(path.is_dir() for path in tiny_registry.folders[0].iterdir())
    with pytest.raises(UserError, match="There is no model 'tiny-sd'"):
        tiny_registry.delete("tiny-sd")


@pytest.mark.parametrize("id", ["..", "../tiny-sd", "", "/", "a\0b", "<b>"])
def test_ids_that_are_paths_or_markup(tiny_registry, id):
    for act in (tiny_registry.delete, lambda id: tiny_registry.rename(id, "x")):
        with pytest.raises(UserError, match="use 1 to 64"):
            act(id)
    assert len(tiny_registry.cards()) == 3


def test_bundled_models_are_protected(tiny_registry, tmp_path):
    registry = Registry([*tiny_registry.folders, tmp_path / "own"])
    registry.publish("mine", tiny_flow(1), tiny_card("mine", "one-step", 1, 1.0, "tiny-sd"))
    assert registry.is_bundled("tiny-sd")
    assert not registry.is_bundled("mine")
    with pytest.raises(UserError, match="came with the program and cannot be deleted"):
        registry.delete("tiny-instaflow")
    with pytest.raises(UserError, match="came with the program and cannot be renamed"):
        registry.rename("tiny-instaflow", "x")
    registry.delete("mine")
    assert len(registry.cards()) == 3
