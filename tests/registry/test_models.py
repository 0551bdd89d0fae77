"""Listing and publishing: nobody ever sees half a model."""

import os
import shutil
import signal
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel

from benchmarks.listing import fill
from rf_app.errors import UserError
from rf_app.registry import index, store
from rf_app.registry.card import read_card, write_card
from rf_app.registry.disk import HIDDEN, DiskFull
from rf_app.registry.models import BUNDLED, Registry
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from tests.processes import Started
from tests.tiny import tiny_card, tiny_flow, tiny_text_encoder, tiny_tokenizer, tiny_unet, tiny_vae


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
    shared = dict.fromkeys(("vae", "text_encoder", "tokenizer"), "tiny-sd")
    assert owners == {"unet": "tiny-instaflow", "scheduler": "tiny-instaflow"} | shared


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
    target = tiny_registry.publish("mine", tiny_flow(1), card(id="other", title="Mine"))
    assert target == tiny_registry.folders[0] / "mine"
    assert tiny_registry.card("mine").title == "Mine"
    assert sorted(path.name for path in target.iterdir()) == ["README.md", "scheduler", "unet"]
    assert not list(target.parent.glob(f"{HIDDEN}*"))


def test_a_build_that_raises_leaves_nothing(tiny_registry):
    before = content(tiny_registry.folders[0])

    def build(folder):
        tiny_flow(1)(folder)
        raise OSError(28, "No space left on device")

    for id in ("mine", "tiny-2rf"):
        with pytest.raises(DiskFull, match="The disk is full: cannot write"):
            tiny_registry.publish(id, build, card(id), overwrite=True)
    assert content(tiny_registry.folders[0]) == before
    assert not list(tiny_registry.folders[0].glob(f"{HIDDEN}*"))


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
        tiny_flow(1)(folder)
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


@pytest.mark.parametrize(
    ("piece", "module", "message"),
    [("vae", tiny_vae, "autoencoder"), ("text_encoder", lambda: tiny_text_encoder(tiny_tokenizer()), "text")],
)
def test_diverged_pieces_of_its_own_are_refused(tiny_registry, piece, module, message):
    def build(folder):
        tiny_flow(1)(folder)
        spoilt = module()
        torch.nn.init.constant_(next(spoilt.parameters()), float("inf"))
        spoilt.save_pretrained(folder / piece)

    with pytest.raises(UserError, match=rf"the {message}.* holds values that are not finite"):
        tiny_registry.publish("mine", build, card())
    assert not (tiny_registry.folders[0] / "mine").exists()


def test_overwriting_needs_to_be_meant(tiny_registry):
    tiny_registry.publish("mine", tiny_flow(1), card(title="First"))
    with pytest.raises(UserError, match="already a model 'mine'"):
        tiny_registry.publish("mine", tiny_flow(2), card(title="Second"))
    assert tiny_registry.card("mine").title == "First"
    before = content(tiny_registry.folder("mine") / "unet")
    tiny_registry.publish("mine", tiny_flow(2), card(title="Second"), overwrite=True)
    assert tiny_registry.card("mine").title == "Second"
    assert content(tiny_registry.folder("mine") / "unet") != before
    assert not list(tiny_registry.folders[0].glob(f"{HIDDEN}*"))


def test_bundled_models_are_not_replaced_by_the_user_s(tiny_registry, tmp_path):
    both = Registry([tiny_registry.folders[0], tmp_path / "user"])
    with pytest.raises(UserError, match="bundled model"):
        both.publish("tiny-sd", tiny_flow(1), card("tiny-sd"), overwrite=True)
    both.publish("mine", tiny_flow(1), card())
    assert both.folder("mine") == tmp_path / "user" / "mine"
    assert len(both.cards()) == 4


def _publish_and_die(root: Path) -> None:
    def build(folder: Path) -> None:
        tiny_flow(1)(folder)
        os.kill(os.getpid(), signal.SIGKILL)

    Registry([root]).publish("tiny-2rf", build, card("tiny-2rf", title="Never seen"), overwrite=True)


def test_a_killed_publisher_leaves_the_old_model(tiny_registry):
    root = tiny_registry.folders[0]
    before = content(root / "tiny-2rf")
    assert Started(_publish_and_die, root).finish()[0] == -signal.SIGKILL
    assert content(root / "tiny-2rf") == before
    assert [card.id for card in tiny_registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]
    assert tiny_registry.problems() == {}


def _publish_again_and_again(root: Path, times: int) -> None:
    registry = Registry([root])
    for i in range(times):
        registry.publish("tiny-2rf", tiny_flow(i), card("tiny-2rf", title=str(i)), overwrite=True)


def test_readers_find_a_model_that_two_processes_replace(tiny_registry):
    """Always there, always whole, whoever of the two was last."""
    root = tiny_registry.folders[0]
    publishers = [Started(_publish_again_and_again, root, 10) for _ in range(2)]
    looks = 0
    while any(each.alive for each in publishers):
        assert {"tiny-sd", "tiny-2rf", "tiny-instaflow"} <= {each.name for each in root.iterdir()}
        # A folder that goes while it is listed is seen in part; its successor is there by then.
        seen = [{path.name for path in (root / "tiny-2rf").iterdir()} for _ in range(3)]
        assert {"README.md", "scheduler", "unet"} in seen
        looks += 1
    assert looks
    assert [each.finish()[0] for each in publishers] == [0, 0]
    assert tiny_registry.problems() == {}
    assert tiny_registry.card("tiny-2rf").title == "9"
    assert not list(root.glob(f"{HIDDEN}*"))


def test_of_two_who_want_the_same_id_the_second_hears_so(tiny_registry):
    def build(folder: Path) -> None:
        tiny_registry.publish("mine", tiny_flow(1), card(title="First"))
        tiny_flow(2)(folder)

    with pytest.raises(UserError, match="already a model 'mine'"):
        tiny_registry.publish("mine", build, card(title="Second"))
    assert tiny_registry.card("mine").title == "First"


def _publish_on_a_small_disk(root: Path) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        Registry([root]).publish("tiny-2rf", tiny_flow(1), card("tiny-2rf"), overwrite=True)
    except DiskFull as error:
        raise SystemExit("The disk is full: cannot write" in str(error) and 7) from None


def test_a_full_disk_leaves_the_old_model(tiny_registry):
    root = tiny_registry.folders[0]
    before = content(root)
    assert Started(_publish_on_a_small_disk, root, file_limit=4096).finish()[0] == 7
    assert content(root) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written_to_is_named(tiny_registry):
    root = tiny_registry.folders[0]
    root.chmod(0o555)
    try:
        with pytest.raises(UserError, match=r"models: cannot be written to \(Permission denied\)"):
            tiny_registry.publish("mine", tiny_flow(1), card())
    finally:
        root.chmod(0o755)


def test_a_folder_below_a_file_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"file.models: cannot be written to"):
        Registry([tmp_path / "file" / "models"]).publish("mine", tiny_flow(1), card())


def test_what_changes_on_disk_is_read_anew(tiny_registry):
    folder = tiny_registry.folders[0] / "tiny-2rf"
    assert len(tiny_registry.cards()) == 3
    before = tiny_registry.state()
    write_card(folder, replace(tiny_registry.card("tiny-2rf"), title="Another title"))
    assert tiny_registry.state() != before
    assert "Another title" in [card.title for card in tiny_registry.cards()]
    weights = folder / "unet" / "diffusion_pytorch_model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-1])
    assert list(tiny_registry.problems()) == ["tiny-2rf"]
    weights.write_bytes(whole)
    assert tiny_registry.problems() == {}


def test_a_thousand_models_are_listed_without_reading_them_again(tmp_path, monkeypatch):
    """Counted, not timed: `python -m benchmarks.listing` says how long it takes."""
    fill(tmp_path, 1000)
    registry = Registry([BUNDLED, tmp_path])
    ids = [card.id for card in registry.cards()]
    assert sum(id.startswith("model-") for id in ids) == 1000
    opened = []
    monkeypatch.setattr(index, "read_card", lambda folder, kind: opened.append(folder) or read_card(folder))
    assert [card.id for card in registry.cards()] == ids
    assert opened == []
    write_card(tmp_path / "model-0500", replace(registry.card("model-0500"), title="Another title"))
    assert "Another title" in [card.title for card in registry.cards()]
    assert opened == [tmp_path / "model-0500"]


def test_another_process_need_not_read_them_either(tmp_path, monkeypatch):
    fill(tmp_path, 3)
    cards = Registry([BUNDLED, tmp_path]).cards()
    opened = []
    monkeypatch.setattr(
        index, "read_card", lambda folder, kind: opened.append(folder.name) or read_card(folder)
    )
    assert Registry([BUNDLED, tmp_path]).cards() == cards
    assert opened == []
    write_card(tmp_path / "model-0001", replace(cards[-1], title="Another title"))
    assert "Another title" in [card.title for card in Registry([BUNDLED, tmp_path]).cards()]
    assert opened == ["model-0001"]


@pytest.mark.parametrize("content", ["", "[]", "{}", '{"code": "another version", "entries": {}}'])
def test_an_index_that_says_nothing_is_ignored(content, tmp_path):
    fill(tmp_path, 2)
    cards = Registry([tmp_path.parent, tmp_path]).problems().keys()
    (tmp_path / store.INDEX).write_text(content)
    assert Registry([tmp_path.parent, tmp_path]).problems().keys() == cards


def test_an_index_keeps_faults(tmp_path, monkeypatch):
    fill(tmp_path, 2)
    (tmp_path / "model-0000" / "README.md").write_text("no card")
    first = Registry([BUNDLED, tmp_path])
    opened = []
    monkeypatch.setattr(
        index, "read_card", lambda folder, kind: opened.append(folder.name) or read_card(folder)
    )
    cards, problems = first.cards(), first.problems()
    opened.clear()
    another = Registry([BUNDLED, tmp_path])
    assert another.cards() == cards
    assert another.problems() == problems
    assert list(problems) == ["model-0000"]
    assert opened == []
