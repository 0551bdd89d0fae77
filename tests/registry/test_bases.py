"""A base is known by what it lends: what was made for another of its name is refused by name."""

import shutil
from dataclasses import replace

import pytest

from rf_app.errors import UserError
from rf_app.registry import bases
from rf_app.registry.card import read_card, write_card
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import WEIGHTS, LoraCard, Loras
from tests.tiny import tiny_card, tiny_flow, tiny_vae

SAID = "was made for another tiny-sd: today's has another autoencoder or text encoder"


@pytest.fixture
def made(tiny_registry, tmp_path):
    """What is made from tiny-sd: a model that borrows from it, one that does not, a LoRA."""
    own = tiny_registry
    own.publish("mine", tiny_flow(3), tiny_card("mine", "rectified-flow", 4, 1.5, "tiny-sd"))
    whole = tiny_card("whole", "diffusion", 4, 3.0, "tiny-sd")
    own.publish("whole", lambda to: shutil.copytree(own.folder("tiny-sd"), to, dirs_exist_ok=True), whole)
    file = tmp_path / "a.safetensors"
    file.write_bytes(b"weights")
    Loras.beside(own).save(file, LoraCard("ink", "Ink", base_model="mine"))
    return own


def another_base(registry):
    """Make tiny-sd another model, whose pieces have the shapes of the one before."""
    vae = tiny_vae()
    vae.decoder.conv_in.weight.data.add_(0.1)
    vae.save_pretrained(registry.folder("tiny-sd") / "vae")


def test_what_was_made_for_another_base_of_that_name_is_refused_by_name(made):
    loras = Loras.beside(made)
    assert made.problems() == loras.problems() == {}
    assert loras.file("ink").name == WEIGHTS
    assert read_card(made.folder("mine")).base_weights == loras.card("ink").base_weights != ""
    another_base(made)
    assert {card.id for card in made.cards()} == {"tiny-sd", "whole"}
    assert {*made.problems()} == {"mine", "tiny-2rf", "tiny-instaflow"}
    assert f"mine {SAID}" in made.problems()["mine"]
    for refused in (lambda: made.card("mine"), lambda: loras.file("ink")):
        with pytest.raises(UserError, match="was made for another"):
            refused()
    assert list(loras.problems()) == ["ink"]
    with pytest.raises(UserError, match=SAID):  # what was made elsewhere, of the former one
        made.publish("late", tiny_flow(4), read_card(made.folder("mine")))
    assert not (made.folders[-1] / "late").exists()
    made.delete("mine")
    loras.delete("ink")
    assert loras.problems() == {}
    assert "mine" not in made.problems()


def test_a_card_that_says_nothing_is_older_than_what_the_first_base_lent(tiny_registry, monkeypatch):
    nets, first = ControlNets.beside(tiny_registry), tiny_registry.lent_by("tiny-sd")
    card = replace(tiny_registry.card("tiny-2rf"), base_weights="")
    write_card(tiny_registry.folder("tiny-2rf"), card)
    assert nets.card("tiny-canny").base_weights == ""
    another_base(tiny_registry)
    assert "tiny-2rf" not in tiny_registry.problems()
    assert nets.problems() == {}
    monkeypatch.setitem(bases.FIRST, "tiny-sd", first)
    assert "tiny-2rf was made for the first edition of tiny-sd" in tiny_registry.problems()["tiny-2rf"]
    assert {*nets.problems()} == {"tiny-canny", "tiny-depth"}


@pytest.mark.parametrize("base", [None, "../tiny-sd", "nobody", "circle"])
def test_a_base_that_is_not_there_lends_nothing(tiny_registry, base):
    folder = tiny_registry.folders[0] / "circle"
    folder.mkdir()
    write_card(folder, tiny_card("circle", "diffusion", 1, 1.0, "circle"))
    assert tiny_registry.lent_by(base) == ""
