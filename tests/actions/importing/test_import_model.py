"""Bringing models in: what is taken, what is refused, and what a broken transfer costs."""

import json
import math
import os
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file, save_file

from rf_app.actions import gathering, reported
from rf_app.actions import import_model as importing
from rf_app.actions.collection import thing
from rf_app.actions.import_model import ImportModel, answer, id_of, import_model, start_import
from rf_app.actions.receiving import Arrival
from rf_app.errors import UserError
from rf_app.jobs import events, queue
from rf_app.jobs.progress import progress
from rf_app.pipeline.turns import result_of
from rf_app.plugins.checkpoint import short
from rf_app.registry.catalogue import catalogue, obstacle
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.loading import load
from rf_app.settings.picture import PictureSettings
from tests.actions.importing.bringing import UNET, bring_in, change, files
from tests.jobs.queues import ended
from tests.settled import until
from tests.single_file import save_single_file
from tests.tiny import in_shards


def test_a_folder_is_taken_without_what_is_no_part_of_a_model(app, elsewhere):
    folder = bring_in(app, ImportModel(str(elsewhere)))
    assert folder.name == "my-model-v2"
    assert files(folder) == [
        *("README.md", "scheduler/scheduler_config.json"),
        *("text_encoder/config.json", "text_encoder/model.safetensors"),
        *("tokenizer/tokenizer.json", "tokenizer/tokenizer_config.json", "unet/config.json", UNET),
        *("vae/config.json", "vae/diffusion_pytorch_model.safetensors", "vocabulary.json"),
    ]
    card = app.registry.card("my-model-v2")
    assert (card.kind, card.resolution, card.license, card.steps) == ("diffusion", 96, "mit, cc-by-4.0", 25)
    assert str(elsewhere.parent) not in (folder / "README.md").read_text()
    assert not (app.registry.folders[-1] / ".imports" / "my-model-v2").exists()
    assert elsewhere.joinpath("unet", "diffusion_pytorch_model.bin").exists()  # nothing is changed there


def test_weights_are_used_where_they_lie_or_copied(app, elsewhere):
    """Nothing is written there; a link that leads nowhere is said, and what was copied stays."""
    linked, copied = (
        bring_in(app, ImportModel(str(elsewhere), id=id, copy=id == "copied")) for id in ("linked", "copied")
    )
    before = elsewhere / UNET
    assert (linked / UNET).readlink() == before
    assert not (copied / UNET).is_symlink()
    seen, whole = (thing(app, id) for id in ("linked", "copied"))
    assert (seen.linked, whole.linked) == (before.parent, None)
    assert seen.size < whole.size / 4
    config = linked / "unet" / "config.json"
    assert not config.is_symlink()
    assert not config.samefile(elsewhere / "unet" / "config.json")
    before.rename(elsewhere / "away")
    assert {card.id for card in app.registry.cards()} >= {"copied"}
    assert seen.linked != before.parent
    assert f"is a link to {before}, which is gone" in app.registry.problems()["linked"]
    (elsewhere / "away").rename(before)
    assert "linked" in {card.id for card in app.registry.cards()}
    app.registry.delete("linked")
    assert before.is_file()
    again = bring_in(app, ImportModel(str(copied), id="again"))  # from here, where it may be deleted
    assert not (again / UNET).is_symlink()


def test_weights_that_become_others_where_they_lie_are_drawn_with(app, elsewhere):
    """As a training has them that goes on writing there."""
    id = bring_in(app, ImportModel(str(elsewhere))).name
    old, again = (
        result_of(app.worker.draw(PictureSettings("a lake", id, steps=1))).image.tobytes() for _ in range(2)
    )
    tensors = load_file(elsewhere / UNET)
    save_file({name: tensor * 0.9 for name, tensor in tensors.items()}, elsewhere / UNET)
    new = result_of(app.worker.draw(PictureSettings("a lake", id, steps=1))).image.tobytes()
    assert old == again != new


def test_parts_that_another_model_has_are_stored_and_loaded_once(app, elsewhere):
    """Alike to half precision, whoever wrote the config: as Stable Diffusion's are in InstaFlow's folder."""
    bring_in(app, ImportModel(str(elsewhere), id="first", copy=True))
    for piece in ("vae", "text_encoder"):
        config = elsewhere / piece / "config.json"
        version = "_diffusers_version" if piece == "vae" else "transformers_version"
        written = json.loads(config.read_text()) | {version: "0.1"}
        config.write_text(json.dumps(written))
    weights = elsewhere / "text_encoder" / WEIGHTS["text_encoder"]
    save_file({name: each.half() for name, each in load_file(weights).items()}, weights, {"format": "pt"})
    change(elsewhere / UNET, "conv_in.bias", 5.0)
    bring_in(app, ImportModel(str(elsewhere), id="second"))
    first, second = (app.registry.folder(id) for id in ("first", "second"))
    for name in ("vae/diffusion_pytorch_model.safetensors", "text_encoder/model.safetensors"):
        assert (first / name).samefile(second / name)
    shared = {}
    one, other = (load(app.registry.pieces(id), "diffusion", shared=shared) for id in ("first", "second"))
    assert one.unet is not other.unet
    assert (one.vae, one.text_encoder, one.tokenizer) == (other.vae, other.text_encoder, other.tokenizer)
    app.registry.delete("first")  # takes nothing from the other
    assert result_of(app.worker.draw(PictureSettings("a lake", "second", steps=1))).image
    change(elsewhere / "vae" / "diffusion_pytorch_model.fp16.safetensors", "decoder.conv_in.bias", 5.0)
    bring_in(app, ImportModel(str(elsewhere), id="third"))
    assert not (app.registry.folder("third") / "vae" / WEIGHTS["vae"]).samefile(
        second / "vae" / WEIGHTS["vae"]
    )


def test_a_link_out_of_the_folder_is_not_followed(app, elsewhere, tmp_path):
    """But one into the Hub's own cache is, which keeps its files beside the folders that show them."""
    secret = tmp_path / "secret.json"
    config = elsewhere / "vae" / "config.json"
    config.rename(secret)
    config.symlink_to(secret)
    with pytest.raises(UserError, match=f"config.json: leads out of the folder, to {secret}; put the file"):
        bring_in(app, ImportModel(str(elsewhere)))
    cache = tmp_path / "models--somebody--model"
    shutil.copytree(elsewhere, cache / "snapshots" / "0123", symlinks=True)
    blob = cache / "blobs" / "4567"
    blob.parent.mkdir()
    secret.rename(blob)
    link = cache / "snapshots" / "0123" / "vae" / "config.json"
    link.unlink()
    link.symlink_to("../../../blobs/4567")
    assert bring_in(app, ImportModel(str(link.parents[1]), id="mine")).name == "mine"


def test_what_cannot_draw_is_not_published(app, elsewhere):
    """Found where the import draws a first picture, in its process and not in the page's."""
    edited = json.loads((elsewhere / "vae" / "config.json").read_text()) | {"scaling_factor": "half"}
    (elsewhere / "vae" / "config.json").write_text(json.dumps(edited))
    with pytest.raises(UserError, match="mine cannot draw: TypeError"):
        bring_in(app, ImportModel(str(elsewhere), id="mine"))
    assert app.registry.cards()[-1].id != "mine"


def test_a_folder_with_our_card_keeps_it(app, tiny_models):
    bring_in(app, ImportModel(str(tiny_models / "tiny-sd"), id="mine", title="Another title"))
    card = app.registry.card("mine")
    assert (card.title, card.guidance) == ("Another title", 3.0)
    assert card.description == "Random weights for the tests."


def test_a_chosen_kind_comes_before_our_card_s(app, tiny_models):
    source = str(tiny_models / "tiny-sd")
    bring_in(app, ImportModel(source, id="mine", kind="one-step"))
    card = app.registry.card("mine")
    assert (card.kind, card.steps, card.guidance) == ("one-step", 1, 1.0)
    bring_in(app, ImportModel(source, id="same", kind="diffusion"))
    assert (app.registry.card("same").steps, app.registry.card("same").guidance) == (4, 3.0)


def cut_off(app, elsewhere, monkeypatch):
    """An import that ended in the middle of its largest file; after how many bytes of it."""
    unet = elsewhere / UNET
    cut = unet.stat().st_size // 2
    staging = app.registry.folders[-1] / ".imports" / "mine"

    class Cut(reported.Report):
        def __call__(self, done, of, text):
            super().__call__(done, of, text)
            if any(part.stat().st_size > cut for part in staging.rglob(f"{unet.name}.part")):
                raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "CHUNK", 2**16)
        patched.setattr(reported, "Report", Cut)
        with pytest.raises(KeyboardInterrupt):
            bring_in(app, ImportModel(str(elsewhere), id="mine", copy=True))
    assert list(staging.rglob("*.part"))
    return cut


def test_a_part_of_a_file_that_has_changed_is_not_gone_on_with(app, elsewhere, monkeypatch):
    """It is another one when the import goes on."""
    unet = elsewhere / UNET
    cut_off(app, elsewhere, monkeypatch)
    change(unet, "conv_in.bias", 5.0)
    folder = bring_in(app, ImportModel(str(elsewhere), id="mine", copy=True))
    assert (folder / UNET).read_bytes() == unet.read_bytes()
    assert not list(folder.rglob("*.part"))


def test_pieces_of_a_single_file_that_has_changed_are_made_anew(app, tiny_models, tmp_path):
    bring_in(app, ImportModel(str(tiny_models / "tiny-sd")))
    path = tmp_path / "one.safetensors"
    save_single_file(app.registry.pieces("tiny-sd"), path)
    change(path, "model.diffusion_model.out.2.bias", math.nan)
    with pytest.raises(UserError, match="not finite"):
        bring_in(app, ImportModel(str(path)))
    change(path, "model.diffusion_model.out.2.bias", 5.0)
    assert load_file(bring_in(app, ImportModel(str(path))) / UNET)["conv_out.bias"][0] == 5.0


def test_a_single_file_becomes_pieces_with_the_tokenizer_of_a_model_like_it(app, tiny_models, tmp_path):
    bring_in(app, ImportModel(str(tiny_models / "tiny-sd")))
    save_single_file(app.registry.pieces("tiny-sd"), tmp_path / "One File.safetensors")
    bring_in(app, ImportModel(str(tmp_path / "One File.safetensors")))
    pieces, own = app.registry.pieces("one-file"), app.registry.pieces("tiny-sd")
    assert pieces["tokenizer"].parent == app.registry.folder("one-file")
    assert (pieces["tokenizer"] / "tokenizer.json").samefile(own["tokenizer"] / "tokenizer.json")
    for piece, name in WEIGHTS.items():
        if piece in pieces:
            one, other = load_file(pieces[piece] / name), load_file(own[piece] / name)
            one, other = ({short(key): tensor for key, tensor in each.items()} for each in (one, other))
            assert one.keys() == other.keys()
            assert all(torch.equal(tensor, other[key]) for key, tensor in one.items())
    assert app.registry.card("one-file").base_model is None


def test_a_flow_of_the_original_s_folders_gets_our_scheduler(app, elsewhere):
    (elsewhere / "scheduler" / "scheduler_config.json").write_text('{"_class_name": "PNDMScheduler"}')
    folder = bring_in(app, ImportModel(str(elsewhere), id="flow", kind="one-step"))
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler == {"_class_name": "RectifiedFlowScheduler", "prediction_type": "velocity"}
    assert app.registry.card("flow").steps == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"source": "/nowhere/at/all"}, "expected a folder or a .safetensors file on this machine"),
        ({"source": ""}, "'': expected a folder"),
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
def test_what_cannot_be_brought_in(app, elsewhere, changes, message):
    with pytest.raises(UserError, match=message):
        bring_in(app, ImportModel(**{"source": str(elsewhere)} | changes))
    assert not (app.registry.folders[-1]).exists()


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda folder: (folder / UNET).unlink(), "as a pickle only, which can run any code"),
        (lambda folder: in_shards(folder / UNET), "unet: its weights are in shards, which are not read"),
        (lambda folder: (folder / UNET).write_bytes(b"PK\x03\x04" * 20), "not a complete safetensors file"),
        (lambda folder: shutil.rmtree(folder / "unet"), "is no diffusers model"),
        (lambda folder: shutil.rmtree(folder / "tokenizer"), "names no base_model to take it from"),
        (lambda folder: (folder / "unet" / "config.json").write_text("[" * 100_000), "not valid JSON"),
    ],
)
def test_what_is_not_whole_never_appears(app, elsewhere, spoil, message):
    spoil(elsewhere)
    with pytest.raises(UserError, match=message):
        bring_in(app, ImportModel(str(elsewhere), id="mine"))
    assert "mine" not in [card.id for card in app.registry.cards()]
    assert not (app.registry.folders[-1] / "mine").exists()


def test_what_has_no_room_is_not_begun(app, elsewhere):
    os.truncate(elsewhere / UNET, 2**43)  # 8 TB that take no room themselves
    with pytest.raises(UserError, match=r"takes 8192\.\d GB; \d+\.\d GB are free"):
        bring_in(app, ImportModel(str(elsewhere), id="mine", copy=True))
    assert files(app.registry.folders[-1]) == [".imports/mine/sources.json"]


def test_ids_are_made_from_names():
    assert id_of("Lykon/DreamShaper 7") == "dreamshaper-7"
    assert id_of("/a/b/Ünï<b>.safetensors") == "uni-b"
    assert id_of("山").startswith("own-")
    assert id_of(".safetensors") == "model"


def test_it_says_how_far_it_is(app, elsewhere):
    *said, arrival = import_model(app, ImportModel(str(elsewhere), id="mine"))
    assert [each for each in said if each][-1].text == "Checking the model…"
    assert (arrival.what, arrival.folder) == ("model", app.registry.folder("mine"))


def test_one_that_nobody_waits_for_ends_and_is_gone_on_with(app, elsewhere, monkeypatch):
    monkeypatch.setattr(gathering, "CHUNK", 1)
    first = import_model(app, ImportModel(str(elsewhere), id="mine", copy=True))
    next(first)  # begins
    staging = app.registry.folders[-1] / ".imports" / "mine"
    until(lambda: list(staging.rglob("*.part")), "the copying")
    first.close()
    monkeypatch.setattr(gathering, "CHUNK", 2**20)
    monkeypatch.setattr(importing, "PATIENCE", 60.0)
    assert bring_in(app, ImportModel(str(elsewhere), id="mine", copy=True)).is_dir()


def test_as_a_job_it_fails_is_resumed_and_done(app, elsewhere):
    vae = elsewhere / "vae" / "diffusion_pytorch_model.fp16.safetensors"
    weights = vae.read_bytes()
    vae.unlink()
    wish = ImportModel(str(elsewhere), "mine", "-my model", "one-step")
    job = start_import(app, wish)
    assert (job.kind, job.output, job.name) == ("import_model", "mine", "-my model")
    assert job.wish["source"] == str(elsewhere)
    with pytest.raises(UserError, match=f"Job {job.id} needs 'mine'"):
        queue.check_unused(app.jobs, "mine")
    ended(app.jobs, job.id, "failed")
    assert "this file is missing" in app.jobs.job(job.id).said
    with pytest.raises(UserError, match=f"among the imports already, as job {job.id}"):
        start_import(app, wish)
    vae.write_bytes(weights)
    queue.resume(app.jobs, job.id)
    ended(app.jobs, job.id)
    card = app.registry.card("mine")
    assert (card.kind, card.title) == ("one-step", "-my model")
    assert not (app.registry.folders[-1] / ".imports" / "mine").exists()
    assert progress(app.jobs, app.jobs.job(job.id)).share == 1
    given = json.loads((app.jobs.job_folder(job.id) / "answer.json").read_text())
    assert given == answer(app, [Arrival("model", app.registry.folder("mine"))])
    assert [event["of"] for event in events.read(app.jobs.job_folder(job.id))]


def test_a_dropped_job_takes_what_has_arrived_with_it(app, elsewhere):
    (elsewhere / "scheduler" / "scheduler_config.json").unlink()
    job = start_import(app, ImportModel(str(elsewhere), "mine"))
    ended(app.jobs, job.id, "failed")
    staging = app.registry.folders[-1] / ".imports" / "mine"
    assert staging.is_dir()
    queue.delete(app.jobs, job.id)
    assert not staging.exists()


def test_an_import_that_an_earlier_version_began_is_gone_on_with(app, elsewhere, monkeypatch):
    """Its staging folder held the wish, a progress and a log beside what had arrived."""
    cut = cut_off(app, elsewhere, monkeypatch)
    staging = app.registry.folders[-1] / ".imports" / "mine"
    (staging / "wish.json").write_text(json.dumps({"source": str(elsewhere), "id": "mine"}))
    (staging / "progress.json").write_text(
        json.dumps({"pid": 7, "done": 1, "of": 2, "text": "", "error": ""})
    )
    (staging / "log.txt").write_text("")
    arrived = sum(path.stat().st_size for path in staging.rglob("*.part"))
    assert arrived > cut
    monkeypatch.setattr(gathering, "CHUNK", 1)
    monkeypatch.setattr(importing, "PATIENCE", 60.0)
    going_on = import_model(app, ImportModel(str(elsewhere), id="mine", copy=True))
    assert next(each for each in going_on if each).done > cut
    going_on.close()
    monkeypatch.setattr(gathering, "CHUNK", 2**20)
    folder = bring_in(app, ImportModel(str(elsewhere), id="mine", copy=True))
    assert (folder / UNET).read_bytes() == (elsewhere / UNET).read_bytes()
    assert not staging.exists()


def test_the_catalogue_names_what_stands_in_the_way(monkeypatch, tmp_path):
    entries = {entry.id: entry for entry in catalogue()}
    assert {"sd-1-5", "instaflow-0.9b", "2-rf-sd-1-5", "dreamshaper-7"} <= entries.keys()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    small = replace(entries["sd-1-5"], memory=0.1, gigabytes=0.001)
    assert obstacle(small, tmp_path) == "the Hub cannot be reached from here"
    assert "of memory; this machine has" in obstacle(replace(small, memory=1e6), tmp_path)
    assert "of disk" in obstacle(replace(small, gigabytes=1e9), tmp_path)
