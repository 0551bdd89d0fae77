"""Listing and publishing: nobody ever sees half a model."""

import multiprocessing
import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from rf_app.errors import UserError
from rf_app.registry.folders import BUNDLED, Registry
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from tests.tiny import tiny_card, tiny_unet


def flow(seed):
    def build(folder: Path) -> None:
        tiny_unet(seed).save_pretrained(folder / "unet")
        RectifiedFlowScheduler().save_pretrained(folder / "scheduler")

    return build


def card(id="mine", **changes):
    return replace(tiny_card(id, "rectified-flow", 4, 1.0, "tiny-sd"), **changes)


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_lists_what_is_there(tiny_registry):
    assert [card.id for card in tiny_registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]
    assert tiny_registry.problems() == {}
    assert tiny_registry.card("tiny-2rf").kind == "rectified-flow"


def test_pieces_come_from_the_base_of_the_base(tiny_registry):
    pieces = tiny_registry.pieces("tiny-instaflow")
    owners = {name: path.parent.name for name, path in pieces.items()}
    assert owners == {
        "unet": "tiny-instaflow",
        "scheduler": "tiny-instaflow",
        "vae": "tiny-sd",
        "text_encoder": "tiny-sd",
        "tokenizer": "tiny-sd",
    }


def test_no_folders_at_all(tmp_path):
    registry = Registry([tmp_path / "none"])
    assert registry.cards() == []
    with pytest.raises(UserError, match=r"There is no model 'x'\. Models at hand: none"):
        registry.folder("x")


def test_unknown_and_malformed_ids(tiny_registry):
    with pytest.raises(UserError, match=r"'other'.*tiny-2rf, tiny-instaflow, tiny-sd"):
        tiny_registry.card("other")
    with pytest.raises(UserError, match="use 1 to 64"):
        tiny_registry.card("../tiny-sd")


def test_default_folders(monkeypatch, tmp_path):
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path))
    assert Registry.default().folders == (BUNDLED, tmp_path / "models")
    monkeypatch.delenv("INSTAFLOW_HOME")
    assert Registry.default().folders[1] == Path.home() / ".instaflow" / "models"


def test_bases_that_are_gone_or_go_round_are_problems(tiny_registry):
    root = tiny_registry.folders[0]
    shutil.rmtree(root / "tiny-sd")
    problems = tiny_registry.problems()
    assert sorted(problems) == ["tiny-2rf", "tiny-instaflow"]
    assert "base_model cannot be used. There is no model 'tiny-sd'" in problems["tiny-2rf"]
    text = (
        (root / "tiny-2rf" / "README.md").read_text().replace("base_model: tiny-sd", "base_model: tiny-2rf")
    )
    (root / "tiny-2rf" / "README.md").write_text(text)
    assert "in a circle" in tiny_registry.problems()["tiny-2rf"]


def test_no_path_of_this_machine_is_published(tiny_registry):
    def build(folder: Path) -> None:
        source = UNet2DConditionModel.from_pretrained(str(tiny_registry.folder("tiny-2rf") / "unet"))
        assert str(tiny_registry.folder("tiny-2rf")) in str(source.config._name_or_path)
        source.save_pretrained(folder / "unet")
        RectifiedFlowScheduler().save_pretrained(folder / "scheduler")

    folder = tiny_registry.publish("mine", build, card())
    assert str(tiny_registry.folder("tiny-2rf").parent) not in (folder / "unet/config.json").read_text()


def test_publish(tiny_registry):
    target = tiny_registry.publish("mine", flow(1), card(id="other", title="Mine"))
    assert target == tiny_registry.folders[0] / "mine"
    assert tiny_registry.card("mine").title == "Mine"
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "scheduler", "unet"]
    assert not list(target.parent.glob(".*"))


def test_a_build_that_raises_leaves_nothing(tiny_registry):
    before = content(tiny_registry.folders[0])

    def build(folder):
        flow(1)(folder)
        raise OSError(28, "No space left on device")

    for id in ("mine", "tiny-2rf"):
        with pytest.raises(OSError, match="No space"):
            tiny_registry.publish(id, build, card(id), overwrite=True)
    assert content(tiny_registry.folders[0]) == before
    assert not list(tiny_registry.folders[0].glob(".*"))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: shutil.rmtree(folder / "unet"), "unet: this folder is missing"),
        (lambda folder: (folder / "scheduler" / "scheduler_config.json").unlink(), "this file is missing"),
        (lambda folder: (folder / "unet" / "x.bin").write_bytes(b"x"), "pickle"),
    ],
)
def test_a_build_that_is_not_whole_is_refused(tiny_registry, spoil, message):
    def build(folder):
        flow(1)(folder)
        spoil(folder)

    with pytest.raises(UserError, match=message):
        tiny_registry.publish("mine", build, card())
    assert not (tiny_registry.folders[0] / "mine").exists()


def test_weights_that_diverged_are_refused(tiny_registry):
    def build(folder):
        unet = tiny_unet(1)
        with torch.no_grad():
            unet.conv_out.bias[0] = float("nan")
        unet.save_pretrained(folder / "unet")
        RectifiedFlowScheduler().save_pretrained(folder / "scheduler")

    with pytest.raises(UserError, match=r"conv_out\.bias holds values that are not finite"):
        tiny_registry.publish("mine", build, card())


def test_overwriting_needs_to_be_meant(tiny_registry):
    tiny_registry.publish("mine", flow(1), card(title="First"))
    with pytest.raises(UserError, match="already a model 'mine'"):
        tiny_registry.publish("mine", flow(2), card(title="Second"))
    assert tiny_registry.card("mine").title == "First"
    before = content(tiny_registry.folder("mine") / "unet")
    tiny_registry.publish("mine", flow(2), card(title="Second"), overwrite=True)
    assert tiny_registry.card("mine").title == "Second"
    assert content(tiny_registry.folder("mine") / "unet") != before
    assert not list(tiny_registry.folders[0].glob(".*"))


def test_bundled_models_are_not_replaced_by_the_user_s(tiny_registry, tmp_path):
    both = Registry([tiny_registry.folders[0], tmp_path / "user"])
    with pytest.raises(UserError, match="bundled model"):
        both.publish("tiny-sd", flow(1), card("tiny-sd"), overwrite=True)
    both.publish("mine", flow(1), card())
    assert both.folder("mine") == tmp_path / "user" / "mine"
    assert len(both.cards()) == 4


def _publish_and_die(root: Path) -> None:
    def build(folder: Path) -> None:
        flow(1)(folder)
        os.kill(os.getpid(), signal.SIGKILL)

    Registry([root]).publish("tiny-2rf", build, card("tiny-2rf", title="Never seen"), overwrite=True)


def test_a_killed_publisher_leaves_the_old_model(tiny_registry):
    root = tiny_registry.folders[0]
    before = content(root / "tiny-2rf")
    process = multiprocessing.get_context("spawn").Process(target=_publish_and_die, args=(root,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert content(root / "tiny-2rf") == before
    assert [card.id for card in tiny_registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]
    assert tiny_registry.problems() == {}
