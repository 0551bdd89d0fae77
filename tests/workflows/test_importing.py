"""Bringing models in: what is taken, what is refused, and what a broken transfer costs."""

import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import short
from rf_app.registry.catalogue import catalogue, obstacle
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.disk import locked
from rf_app.registry.models import Registry
from rf_app.registry.permission import Permission
from rf_app.workflows import importing
from rf_app.workflows import imports as imports_module
from rf_app.workflows.importing import Options, bring_in, id_of
from rf_app.workflows.imports import Imports
from tests.single_file import save_single_file

ROOT = Path(__file__).parents[2]
UNET = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture
def elsewhere(tiny_models, tmp_path):
    """tiny-sd as it may lie in anybody's folder: other file names, no card of ours, and things beside it."""
    folder = tmp_path / "elsewhere" / "My Model (v2)"
    shutil.copytree(tiny_models / "tiny-sd", folder)
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# Somebody's\n")
    (folder / "unet" / "diffusion_pytorch_model.bin").write_bytes(b"\x80\x04 a pickle")
    (folder / "safety_checker").mkdir()
    (folder / "run-me.py").write_text("raise SystemExit('run')")
    weights = folder / "vae" / WEIGHTS["vae"]
    weights.rename(weights.with_name("diffusion_pytorch_model.fp16.safetensors"))
    return folder


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """An empty folder of models, as a process of its own finds it, too."""
    monkeypatch.setenv("INSTAFLOW_HOME", str(tmp_path / "home"))
    return Registry.default(tmp_path / "models")


def files(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_folder_is_taken_without_what_is_no_part_of_a_model(registry, elsewhere):
    folder = bring_in(registry, Options(str(elsewhere)))
    assert folder.name == "my-model-v2"
    assert files(folder) == [
        "README.md",
        "scheduler/scheduler_config.json",
        "text_encoder/config.json",
        "text_encoder/model.safetensors",
        "tokenizer/tokenizer.json",
        "tokenizer/tokenizer_config.json",
        "unet/config.json",
        UNET,
        "vae/config.json",
        "vae/diffusion_pytorch_model.safetensors",
        "vocabulary.json",
    ]
    card = registry.card("my-model-v2")
    assert (card.kind, card.resolution, card.license, card.steps) == ("diffusion", 96, "mit", 25)
    assert str(elsewhere.parent) not in (folder / "README.md").read_text()
    assert not (registry.folders[-1] / ".imports" / "my-model-v2").exists()
    assert elsewhere.joinpath("unet", "diffusion_pytorch_model.bin").exists()  # nothing is changed there


def test_a_folder_with_our_card_keeps_it(registry, tiny_models):
    bring_in(registry, Options(str(tiny_models / "tiny-sd"), id="mine", title="Another title"))
    card = registry.card("mine")
    assert (card.title, card.description, card.guidance) == (
        "Another title",
        "Random weights for the tests.",
        3.0,
    )


def test_a_chosen_kind_comes_before_our_card_s(registry, tiny_models):
    source = str(tiny_models / "tiny-sd")
    bring_in(registry, Options(source, id="mine", kind="one-step"))
    card = registry.card("mine")
    assert (card.kind, card.steps, card.guidance) == ("one-step", 1, 1.0)
    bring_in(registry, Options(source, id="same", kind="diffusion"))
    assert (registry.card("same").steps, registry.card("same").guidance) == (4, 3.0)


def change(path, name, value):
    """Spoil or mend one tensor of a safetensors file, whose size stays; its time does not."""
    tensors = load_file(path)
    tensors[name].view(-1)[0] = value
    save_file(tensors, path, metadata={"format": "pt"})
    os.utime(path, ns=(0, path.stat().st_mtime_ns + 10**9))


def test_a_part_of_a_file_that_has_changed_is_not_gone_on_with(registry, elsewhere, monkeypatch):
    """The copying is cut off in the middle of the largest file, which is another one when it goes on."""
    unet = elsewhere / UNET
    monkeypatch.setattr(importing, "CHUNK", 2**16)
    cut = unet.stat().st_size // 2

    class Cut(importing.Report):
        def __call__(self, done, of, text, error=""):
            super().__call__(done, of, text, error)
            if any(part.stat().st_size > cut for part in self.path.parent.rglob(f"{unet.name}.part")):
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(importing, "Report", Cut)
        with pytest.raises(KeyboardInterrupt):
            bring_in(registry, Options(str(elsewhere), id="mine"))
    assert list((registry.folders[-1] / ".imports" / "mine").rglob("*.part"))
    change(unet, "conv_in.bias", 5.0)
    folder = bring_in(registry, Options(str(elsewhere), id="mine"))
    assert (folder / UNET).read_bytes() == unet.read_bytes()
    assert not list(folder.rglob("*.part"))


def test_pieces_of_a_single_file_that_has_changed_are_made_anew(registry, tiny_models, tmp_path):
    bring_in(registry, Options(str(tiny_models / "tiny-sd")))
    path = tmp_path / "one.safetensors"
    save_single_file(registry.pieces("tiny-sd"), path)
    change(path, "model.diffusion_model.out.2.bias", math.nan)
    with pytest.raises(UserError, match="not finite"):
        bring_in(registry, Options(str(path)))
    change(path, "model.diffusion_model.out.2.bias", 5.0)
    assert load_file(bring_in(registry, Options(str(path))) / UNET)["conv_out.bias"][0] == 5.0


def test_a_single_file_becomes_pieces_and_borrows_a_tokenizer(registry, tiny_models, tmp_path):
    bring_in(registry, Options(str(tiny_models / "tiny-sd")))
    save_single_file(registry.pieces("tiny-sd"), tmp_path / "One File.safetensors")
    bring_in(registry, Options(str(tmp_path / "One File.safetensors")))
    pieces, own = registry.pieces("one-file"), registry.pieces("tiny-sd")
    assert pieces["tokenizer"] == own["tokenizer"]
    for piece, name in WEIGHTS.items():
        if piece in pieces:
            one, other = load_file(pieces[piece] / name), load_file(own[piece] / name)
            one, other = ({short(key): tensor for key, tensor in each.items()} for each in (one, other))
            assert one.keys() == other.keys()
            assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert registry.card("one-file").base_model == "tiny-sd"


def test_a_flow_of_the_original_s_folders_gets_our_scheduler(registry, elsewhere):
    (elsewhere / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "PNDMScheduler"}')
    folder = bring_in(registry, Options(str(elsewhere), id="flow", kind="one-step"))
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler == {"_class_name": "RectifiedFlowScheduler", "prediction_type": "velocity"}
    assert registry.card("flow").steps == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "/nowhere/at/all"}, "expected a folder or a .safetensors file on this machine"),
        ({"source": "<b>x</b>"}, "expected a folder"),
        ({"source": "../../nowhere"}, "expected a folder"),
        ({"source": "/dev/zero"}, "expected a folder"),
        ({"source": "a\0b"}, "expected a folder"),
        ({"source": "x" * 100_000}, "expected a folder"),
        ({"source": "--help"}, "expected a folder"),
        ({"kind": "two-step"}, "expected one of diffusion"),
        ({"id": "../x"}, "use 1 to 64"),
        ({"id": "<img>"}, "use 1 to 64"),
        ({"id": "pocket-sd"}, "already a model 'pocket-sd'"),
    ],
)
def test_what_cannot_be_brought_in(registry, elsewhere, changes, message):
    with pytest.raises(UserError, match=message):
        bring_in(registry, Options(**{"source": str(elsewhere)} | changes))
    assert not (registry.folders[-1]).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / UNET).unlink(), "as a pickle only, which can run any code"),
        (lambda folder: (folder / UNET).write_bytes(b"PK\x03\x04" * 20), "not a complete safetensors file"),
        (lambda folder: shutil.rmtree(folder / "unet"), "is no diffusers model"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "names no base_model to take it from"),
        (lambda folder: (folder / "unet" / "config.json").write_text("[" * 100_000), "not valid JSON"),
    ],
)
def test_what_is_not_whole_never_appears(registry, elsewhere, spoil, message):
    spoil(elsewhere)
    with pytest.raises(UserError, match=message):
        bring_in(registry, Options(str(elsewhere), id="mine"))
    assert "mine" not in [card.id for card in registry.cards()]
    assert not (registry.folders[-1] / "mine").exists()


def test_ids_are_made_from_names():
    assert id_of("Lykon/DreamShaper 7") == "dreamshaper-7"
    assert id_of("/a/b/Ünï<b>.safetensors") == "uni-b"
    assert id_of("山").startswith("own-")
    assert id_of(".safetensors") == "model"


def wait(condition):
    while not condition():
        time.sleep(0.05)


def test_failed_paused_resumed_and_dropped(registry, elsewhere):
    vae = elsewhere / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    weights = vae.read_bytes()
    vae.unlink()
    imports = Imports(registry, Permission())
    assert imports.start(str(elsewhere), "mine") == "mine"
    wait(lambda: not imports.all()[0].running)
    assert "this file is missing" in imports.all()[0].error
    with pytest.raises(UserError, match="among the imports already"):
        imports.start(str(elsewhere), "mine")
    vae.write_bytes(weights)
    imports.resume("mine")
    imports.pause("mine")
    assert not imports.all()[0].running
    assert "mine" not in [card.id for card in registry.cards()]
    found_again = Imports(registry, Permission())  # as a page that was restarted
    found_again.resume("mine")
    wait(lambda: not found_again.all())
    assert "mine" in [card.id for card in registry.cards()]
    imports.start(str(elsewhere), "other")
    imports.drop("other")
    assert imports.all() == []
    with pytest.raises(UserError, match="no import 'other'"):
        imports.resume("other")


def test_one_killed_before_it_ran_is_resumed(registry, elsewhere):
    imports = Imports(registry, Permission())
    imports.start(str(elsewhere), "mine", kind="one-step")
    imports._processes["mine"].kill()
    imports._processes["mine"].wait()
    found_again = Imports(registry, Permission())
    assert [(each.source, each.running) for each in found_again.all()] == [(str(elsewhere), False)]
    found_again.resume("mine")
    wait(lambda: not found_again.all())
    assert registry.card("mine").kind == "one-step"


def test_one_that_noted_nothing_is_not_resumed(registry):
    imports = Imports(registry, Permission())
    (imports.folder / "mine").mkdir(parents=True)
    with pytest.raises(UserError, match="drop it, begin anew"):
        imports.resume("mine")
    imports.drop("mine")
    assert imports.all() == []


IMPORTING = """
import sys, time
from pathlib import Path
from rf_app.registry.disk import locked
from rf_app.workflows.fetching import Report
with locked(Path(sys.argv[1])):
    Report(Path(sys.argv[1]))(1, 2, "Copying")
    time.sleep(60)
"""


def test_one_that_was_started_elsewhere_is_paused(registry):
    imports = Imports(registry, Permission())
    folder = imports.folder / "mine"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", IMPORTING, folder], cwd=ROOT) as process:
        wait(lambda: (folder / "progress.json").exists())
        assert imports.all()[0].running
        imports.pause("mine")
        assert process.wait(10) == -signal.SIGTERM
    assert not imports.all()[0].running


def test_another_process_that_has_the_number_now_is_left_alone(registry, monkeypatch):
    monkeypatch.setattr(imports_module, "PATIENCE", 0.3)
    imports = Imports(registry, Permission())
    folder = imports.folder / "mine"
    folder.mkdir(parents=True)
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        progress = folder / "progress.json"
        progress.write_text(
            json.dumps({"pid": stranger.pid, "done": 1, "of": 2, "text": "Copying", "error": ""})
        )
        os.utime(progress, (time.time() - 60,) * 2)  # of a run before
        with locked(folder):
            imports.pause("mine")
        assert stranger.poll() is None
        stranger.communicate(b"\n")


def test_strangers_may_not(registry, elsewhere, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/space")
    imports = Imports(registry, Permission())
    for act in (
        lambda: imports.start(str(elsewhere)),
        lambda: imports.drop("x"),
        lambda: imports.resume("x"),
    ):
        with pytest.raises(UserError, match="off on this public page"):
            act()
    Imports(registry, Permission(allowed=True)).permission.check("Importing a model")


def test_the_catalogue_names_what_stands_in_the_way(monkeypatch, tmp_path):
    entries = {entry.id: entry for entry in catalogue()}
    assert {"sd-1-5", "instaflow-0.9b", "2-rf-sd-1-5", "dreamshaper-7"} <= entries.keys()
    assert "sampler" in obstacle(entries["lcm-lora-sd-1-5"], tmp_path)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from dataclasses import replace

    small = replace(entries["sd-1-5"], memory=0.1, gigabytes=0.001)
    assert obstacle(small, tmp_path) == "the Hub cannot be reached from here"
    assert "of memory; this machine has" in obstacle(replace(small, memory=1e6), tmp_path)
    assert "of disk" in obstacle(replace(small, gigabytes=1e9), tmp_path)
