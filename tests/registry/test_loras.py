"""LoRAs on disk: listed with their cards, found by id, saved whole or not at all."""

import pytest
import yaml

from rf_app.errors import UserError
from rf_app.registry.card import read_card, write_card
from rf_app.registry.disk import DiskFull
from rf_app.registry.loras import WEIGHTS, LoraCard, Loras
from rf_app.registry.models import Registry
from tests.full_disk import full_disk

CARD = LoraCard(
    "woodcut",
    "Woodcut",
    "Black lines.",
    trigger="a woodcut of",
    license="apache-2.0",
    base_model="pocket-sd",
    measured={"shift": 0.7},
    settings={"rank": 8},
)


@pytest.fixture
def loras(tmp_path):
    return Loras([tmp_path / "bundled", tmp_path / "own"])


@pytest.fixture
def weights(tmp_path):
    path = tmp_path / "a.safetensors"
    path.write_bytes(b"weights")
    return path


def put(folder, card=None):
    folder.mkdir(parents=True)
    (folder / WEIGHTS).write_bytes(b"weights")
    if card:
        write_card(folder, card)
    return folder


def test_a_card_comes_back_as_it_was(loras):
    folder = put(loras.folders[0] / "woodcut", CARD)
    assert read_card(folder, LoraCard) == CARD
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    assert front["instance_prompt"] == "a woodcut of"
    assert front["base_model"] == "pocket-sd"
    assert "lora" in front["tags"]


def test_a_folder_of_the_hub_needs_no_card(loras):
    put(loras.folders[1] / "from-the-hub")
    assert loras.cards() == [LoraCard("from-the-hub", "from-the-hub")]


def test_earlier_folders_win_and_broken_ones_are_named(loras):
    put(loras.folders[0] / "woodcut", CARD)
    put(loras.folders[1] / "woodcut")
    (loras.folders[1] / "empty").mkdir()
    assert loras.cards() == [CARD]
    assert loras.file("woodcut").parent.parent == loras.folders[0]
    assert loras.problems()["empty"].endswith("this file is missing.")


def test_weights_under_another_name_or_without_a_folder_are_told_what_to_become(loras, weights):
    own = loras.folders[1]
    put(own / "other")
    (own / "other" / WEIGHTS).rename(own / "other" / "other.safetensors")
    (own / "style.safetensors").write_bytes(b"weights")
    (own / "old.PT").write_bytes(b"weights")
    assert loras.cards() == []
    assert loras.problems().pop("old.PT").startswith(f"{own / 'old.PT'}: a file by itself is not read; ")
    (own / "old.PT").unlink()
    assert loras.problems() == {
        "other": f"{own / 'other' / WEIGHTS}: this file is missing; rename other.safetensors.",
        "style.safetensors": f"{own / 'style.safetensors'}: a file by itself is not read; "
        f"expected a folder with the file in it as {WEIGHTS}.",
    }


def test_an_unknown_id_is_answered_with_those_at_hand(loras):
    with pytest.raises(UserError, match=r"no LoRA 'x'. LoRAs at hand: none."):
        loras.file("x")
    put(loras.folders[0] / "woodcut")
    with pytest.raises(UserError, match="at hand: woodcut"):
        loras.card("x")
    for bad in ("../woodcut", "", ".", "A", "a/b"):
        with pytest.raises(UserError, match="LoRA id"):
            loras.file(bad)


def test_saving(loras, weights):
    folder = loras.save(weights, CARD)
    assert folder == loras.folders[1] / "woodcut"
    assert loras.card("woodcut") == CARD
    assert loras.file("woodcut").read_bytes() == b"weights"
    with pytest.raises(UserError, match="already a LoRA 'woodcut'"):
        loras.save(weights, CARD)


@pytest.mark.parametrize("id", ["upload-0123456789ab", "../x", ""])
def test_what_cannot_be_an_id_is_not_saved(loras, weights, id):
    with pytest.raises(UserError):
        loras.save(weights, LoraCard(id, "x"))
    assert not loras.folders[1].exists()


def test_nothing_half_written_stays(loras, weights):
    weights.unlink()
    with pytest.raises(FileNotFoundError):
        loras.save(weights, CARD)
    assert list(loras.folders[1].iterdir()) == []


def test_a_full_disk_and_a_file_in_the_folder_s_place_are_named(loras, weights):
    weights.write_bytes(b"\0" * 2**20)
    with full_disk(2**19), pytest.raises(DiskFull, match="The disk is full"):
        loras.save(weights, CARD)
    assert list(loras.folders[1].iterdir()) == []
    loras.folders[1].rmdir()
    loras.folders[1].write_text("a file")
    with pytest.raises(UserError, match="own: cannot be written to"):
        loras.save(weights, CARD)


def test_they_lie_beside_the_models(tmp_path):
    registry = Registry([tmp_path / "a" / "models", tmp_path / "b" / "models"])
    assert Loras.beside(registry).folders == (tmp_path / "a" / "loras", tmp_path / "b" / "loras")
