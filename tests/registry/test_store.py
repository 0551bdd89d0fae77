"""Another title, and deletion: what is protected stays."""

from dataclasses import replace

import pytest

from rf_app.errors import UserError
from rf_app.registry import index
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import WEIGHTS, LoraCard, Loras
from rf_app.registry.models import Registry
from tests.tiny import tiny_card, tiny_controlnet, tiny_flow


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


@pytest.fixture
def stores(tiny_registry, tmp_path):
    """A bundled thing and one of the user's own of each kind, by the kind's name."""
    loras, nets = (
        kind([tiny_registry.folders[0].parent / kind.FOLDER, tmp_path / "own" / kind.FOLDER])
        for kind in (Loras, ControlNets)
    )
    weights = tmp_path / "a.safetensors"
    weights.write_bytes(b"weights")
    Loras(loras.folders[:1]).save(weights, LoraCard("theirs", "Theirs"))
    loras.save(weights, LoraCard("mine", "Mine", trigger="ink"))
    (nets.folders[0] / "tiny-canny").rename(nets.folders[0] / "theirs")
    nets.publish("mine", tiny_controlnet(3).save_pretrained, replace(nets.card("theirs"), title="Mine"))
    return {"LoRA": loras, "ControlNet": nets}


@pytest.mark.parametrize("name", ["LoRA", "ControlNet"])
def test_all_kinds_are_renamed_and_deleted_and_the_bundled_ones_are_not(stores, name):
    store = stores[name]
    assert {"theirs", "mine"} <= {card.id for card in store.cards()}
    assert [store.is_bundled(id) for id in ("theirs", "mine")] == [True, False]
    state, before = store.state(), store.card("mine")
    store.rename("mine", "Other")
    assert store.card("mine") == replace(before, title="Other")
    assert store.state() != state
    for act in (store.delete, lambda id: store.rename(id, "x"), store.check_free):
        with pytest.raises(UserError, match=f"came with the program|bundled {name}"):
            act("theirs")
    with pytest.raises(UserError, match=f"already a {name} 'mine'"):
        store.check_free("mine")
    state = store.state()
    store.delete("mine")
    assert store.state() != state
    assert "mine" not in [card.id for card in store.cards()]
    assert not any(path.is_dir() for path in store.folders[-1].iterdir())
    with pytest.raises(UserError, match=f"There is no {name} 'mine'. {name}s at hand: "):
        store.delete("mine")


def test_a_readme_of_the_hub_is_kept_when_its_lora_gets_another_title(stores):
    folder = stores["LoRA"].folder("mine")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Of the Hub\n")
    stores["LoRA"].rename("mine", "Ink")
    assert stores["LoRA"].card("mine").title == "Ink"
    assert "# Of the Hub" in (folder / "README.original.md").read_text()


def test_what_is_not_whole_is_not_published(stores):
    for store, missing in ((stores["LoRA"], WEIGHTS), (stores["ControlNet"], "config.json")):
        with pytest.raises(UserError, match=f"{missing}: this file is missing"):
            store.publish("half", lambda folder: None, replace(store.card("mine"), title="Half"))
        assert "half" not in [path.name for path in store.folders[-1].iterdir()]


def test_the_index_spares_the_next_process_the_reading(stores, monkeypatch):
    opened = []
    for store in stores.values():
        cards = store.cards()
        monkeypatch.setattr(index, "read_card", lambda folder, kind: opened.append(folder))
        monkeypatch.setattr(type(store), "check_part", lambda self, folder: opened.append(folder))
        assert type(store)(store.folders).cards() == cards
        monkeypatch.undo()
    assert opened == []


def test_a_folder_of_the_user_s_home_stays_theirs_beside_a_chosen_one(tiny_registry, tmp_path):
    registry = Registry([tmp_path / "bundled", *tiny_registry.folders, tmp_path / "chosen"])
    assert not registry.is_bundled("tiny-instaflow")
    with pytest.raises(UserError, match="already a model 'tiny-2rf'"):
        registry.check_free("tiny-2rf", overwrite=True)
    registry.delete("tiny-instaflow")
    assert [card.id for card in registry.cards()] == ["tiny-2rf", "tiny-sd"]
