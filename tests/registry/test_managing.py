"""Another title, and deletion: what is protected stays."""

from dataclasses import replace

import pytest

from rf_app.errors import UserError
from rf_app.registry.folders import Registry
from rf_app.registry.managing import borrowers, delete, is_bundled, rename
from tests.tiny import tiny_card, tiny_flow


def test_rename(tiny_registry):
    before = tiny_registry.card("tiny-2rf")
    assert rename(tiny_registry, "tiny-2rf", "  Straight \n <b>lines</b> ") == "Straight <b>lines</b>"
    assert tiny_registry.card("tiny-2rf") == replace(before, title="Straight <b>lines</b>")


@pytest.mark.parametrize("title", ["", " \n ", "x" * 81])
def test_titles_that_are_none(tiny_registry, title):
    with pytest.raises(UserError, match=r"characters; 1 to 80 are accepted"):
        rename(tiny_registry, "tiny-2rf", title)
    assert tiny_registry.card("tiny-2rf").title == "Tiny 2Rf"


def test_who_borrows_from_whom(tiny_registry):
    assert borrowers(tiny_registry, "tiny-sd") == ["tiny-2rf"]
    assert borrowers(tiny_registry, "tiny-2rf") == ["tiny-instaflow"]
    assert borrowers(tiny_registry, "tiny-instaflow") == []


def test_delete(tiny_registry):
    with pytest.raises(UserError, match="'tiny-sd' cannot be deleted: tiny-2rf takes pieces from it"):
        delete(tiny_registry, "tiny-sd")
    for id in ("tiny-instaflow", "tiny-2rf", "tiny-sd"):
        delete(tiny_registry, id)
    assert tiny_registry.cards() == []
    assert not any(path.is_dir() for path in tiny_registry.folders[0].iterdir())
    with pytest.raises(UserError, match="There is no model 'tiny-sd'"):
        delete(tiny_registry, "tiny-sd")


@pytest.mark.parametrize("id", ["..", "../tiny-sd", "", "/", "a\0b", "<b>"])
def test_ids_that_are_paths_or_markup(tiny_registry, id):
    for act in (delete, lambda registry, id: rename(registry, id, "x")):
        with pytest.raises(UserError, match="use 1 to 64"):
            act(tiny_registry, id)
    assert len(tiny_registry.cards()) == 3


def test_bundled_models_are_protected(tiny_registry, tmp_path):
    registry = Registry([*tiny_registry.folders, tmp_path / "own"])
    registry.publish("mine", tiny_flow(1), tiny_card("mine", "one-step", 1, 1.0, "tiny-sd"))
    assert is_bundled(registry, "tiny-sd")
    assert not is_bundled(registry, "mine")
    with pytest.raises(UserError, match="came with the program and cannot be deleted"):
        delete(registry, "tiny-instaflow")
    with pytest.raises(UserError, match="came with the program and cannot be renamed"):
        rename(registry, "tiny-instaflow", "x")
    delete(registry, "mine")
    assert len(registry.cards()) == 3
