"""What a visitor does with LoRAs, without a browser."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from rf_app.actions import loras
from rf_app.actions.application import LOOKED_AT
from rf_app.actions.asking import File
from rf_app.actions.generate import Generate, generate
from rf_app.actions.run import results
from rf_app.actions.upload_lora import UploadLora, answer, upload_lora
from rf_app.errors import UserError
from rf_app.registry.loras import WEIGHTS
from rf_app.registry.permission import Permission
from rf_app.settings.picture import Lora, PictureSettings
from rf_app.ui.page import launch_options
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load


@pytest.fixture
def file(own_app, tmp_path):
    tensors = random_lora(load(own_app.registry, "tiny-sd").unet)
    write(own_app.loras.folders[-1] / "ink" / WEIGHTS, tensors)
    return write(tmp_path / "Wood & <b>Cut!.safetensors", tensors, {"modelspec.trigger_phrase": "woodcut"})


def upload(app, file):
    return loras.upload(app, file, file.name, "tiny-instaflow")


def test_a_list_and_rows_are_the_visitor_s_own(own_app, file):
    ann, bob = own_app.seen_by("ann"), own_app.seen_by("bob")
    own = upload(ann, file)
    assert loras.choices(ann) == [("Wood & <b>Cut! (uploaded)", own.id), ("ink", "ink")]
    assert loras.choices(bob) == [("ink", "ink")]
    (row,) = loras.rows(ann, [Lora(own.id, 0.5)])
    assert row == {
        **{"id": own.id, "title": "Wood & <b>Cut!", "trigger": "woodcut", "strength": 0.5},
        **{"on": True, "sampler": False, "uploaded": True},
        **{"preview": "", "note": "", "kind": "", "kinds": []},
    }
    with pytest.raises(UserError, match="none of this session's uploads"):
        loras.rows(bob, [Lora(own.id)])


def test_styles_share_a_budget_of_strength_as_they_come(own_app, file, tmp_path):
    ann, rows = own_app.seen_by("ann"), []
    unet = load(own_app.registry, "tiny-sd").unet
    for seed, name in enumerate(("a", "b", "lcm", "c")):
        own = upload(ann, write(tmp_path / f"{name}.safetensors", random_lora(unet, seed=seed)))
        rows = loras.added(ann, rows, Lora(own.id, own.strength))
        assert loras.added(ann, rows, Lora(own.id)) == rows
        strengths = {row["title"]: row["strength"] for row in rows}
        if name == "a":
            assert strengths == {"a": 1.0}
            rows[0]["strength"] = -0.8
        elif name == "b":
            assert strengths == {"a": -0.5, "b": 0.5}
            rows[0]["strength"] = 0.2
        elif name == "lcm":  # without its sampler's steps at full strength it draws nothing
            assert strengths == {"a": 0.2, "b": 0.5, "lcm": 1.0}
            rows[1]["on"] = False
    assert strengths == {"a": 0.2, "b": 0.5, "lcm": 1.0, "c": 0.5}
    full = [rows[0] | {"id": str(i)} for i in range(8)]
    with pytest.raises(UserError, match="8 LoRAs are there already"):
        loras.added(ann, full, Lora("ink"))


def test_a_program_hears_the_id_and_the_file_stays(own_app, file):
    """Gradio gives equal files one path: another visitor may still want it."""
    ann = own_app.seen_by("ann")
    found = results(upload_lora(ann, UploadLora(File(file.name, file))))
    said = answer(ann, found)
    assert said == {
        **{"id": found[0].id, "title": "Wood & <b>Cut!", "trigger": "woodcut", "strength": 1.0},
        **{"kind": "", "bytes": file.stat().st_size, "unused": []},
    }
    with pytest.raises(UserError, match="file is missing"):
        results(upload_lora(ann, UploadLora(None)))
    with pytest.raises(UserError, match="belongs to a session"):
        results(upload_lora(own_app, UploadLora(File(file.name, file))))
    assert file.exists()


def test_a_file_that_is_cleared_away_while_it_waits(own_app, file):
    busy, begun = threading.Event(), threading.Event()
    worker, ann = own_app.worker, own_app.seen_by("ann")
    with ThreadPoolExecutor() as visitors:
        visitors.submit(worker._turns.wait_for, lambda: (begun.set(), busy.wait(60)))
        assert begun.wait(60)
        waiting = visitors.submit(upload, ann, file)
        while not worker._turns._thread._work_queue.qsize():
            assert not waiting.done()
            time.sleep(0.01)
        file.unlink()
        busy.set()
        assert waiting.result(60).title == "Wood & <b>Cut!"
    with pytest.raises(UserError, match="please upload it again"):
        upload(ann, file)


def test_many_files_at_once_are_refused_before_they_are_copied(own_app, file):
    with ExitStack() as others:
        for _ in range(LOOKED_AT):
            others.enter_context(own_app.looking)
        with pytest.raises(UserError, match="8 uploaded files are being looked at: try again"):
            upload(own_app.seen_by("ann"), file)
    assert upload(own_app.seen_by("ann"), file)


def test_strangers_have_a_bound_of_their_own_and_the_owner_another(own_app, file, monkeypatch):
    monkeypatch.setattr(loras, "STRANGER_FILE_BYTES", 2**10)
    monkeypatch.setattr(loras, "MAX_BYTES", 2**10)
    ann = own_app.seen_by("ann")
    assert file.stat().st_size > 2**10
    assert upload(ann, file).size == file.stat().st_size
    stranger = replace(ann, permission=Permission(open_to_strangers=True))
    with pytest.raises(UserError, match="The file has 0 MB; at most 0 MB are accepted"):
        upload(stranger, file)
    assert loras.file_limit(own_app.permission) == 2**30
    assert launch_options()["max_file_size"] == 2**30
    assert launch_options(permission=stranger.permission)["max_file_size"] == 2**10


def test_what_is_not_used_is_said_and_stands_on_the_card(own_app, file, tmp_path):
    ann = own_app.seen_by("ann")
    more = {f"lora_te_text_model_encoder_layers_9_mlp_fc{i}.diff": torch.ones(2, 2) for i in range(1, 12)}
    own = upload(ann, write(tmp_path / "More.safetensors", load_file(file) | more))
    assert sorted(own.unused) == sorted(name.removesuffix(".diff") for name in more)
    (row,) = loras.rows(ann, [Lora(own.id)])
    assert row["note"].startswith("Not used of its file: lora_te_text_model_encoder_layers_9_mlp_fc1")
    assert row["note"].endswith(" and 3 more.")
    assert row["note"] in loras.keep(ann, own.id).description
    assert answer(ann, [own])["unused"] == list(own.unused)


def test_what_is_kept_draws_the_same_picture_for_everybody(own_app, file):
    ann, bob = own_app.seen_by("ann"), own_app.seen_by("bob")
    own = upload(ann, file)
    card = loras.keep(ann, own.id)
    assert (card.id, card.title, card.trigger) == ("wood-b-cut", "Wood & <b>Cut!", "woodcut")

    def draw(app, id):
        (picture,) = results(generate(app, Generate(PictureSettings("a lake", loras=(Lora(id),)))))
        return picture.drawn.image.tobytes()

    assert draw(ann, own.id) == draw(bob, card.id)
    with pytest.raises(UserError, match="already a LoRA 'wood-b-cut'"):
        loras.keep(ann, own.id)
    with pytest.raises(UserError, match="none of this session's uploads"):
        loras.keep(bob, own.id)


def test_nobody_but_the_owner_keeps_one_on_a_public_page(own_app, file, monkeypatch):
    ann = own_app.seen_by("ann")
    own = upload(ann, file)
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    with pytest.raises(UserError, match="Keeping a LoRA is off on this public page"):
        loras.keep(ann, own.id)
    assert not (Path(own_app.loras.folders[-1]) / "wood-b-cut").exists()
