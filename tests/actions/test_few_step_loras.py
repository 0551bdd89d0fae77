"""LoRAs that bring a sampler: uploaded, kept, imported or merged, they draw as the library has it."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import DDIMScheduler, LCMScheduler, TCDScheduler

from rf_app.actions import loras
from rf_app.actions.compare import Compare, SideDone, compare
from rf_app.actions.generate import Generate, generate
from rf_app.actions.import_model import ImportModel, answer, import_model
from rf_app.actions.restore import restore_json
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.plugins.deltas import Merge, merge
from rf_app.registry import catalogue
from rf_app.registry.loras import WEIGHTS, LoraCard, sampling_in
from rf_app.registry.recognition import RECOMMENDED
from rf_app.settings.picture import Lora, PictureSettings
from tests.actions.importing.hub import Hub
from tests.plugins.lora_files import EVERYWHERE, as_kohya, random_lora, write
from tests.tiny import load

TO_THE_END = {"timestep_spacing": "trailing", "set_alpha_to_one": True, "clip_sample": False}
PUBLISHED = [
    # name, its tensors' names, kind, steps, guidance, the library's scheduler, what differs in it
    ("lcm-lora-sdv1-5", dict, "consistency", 4, 1.0, LCMScheduler, {}),
    ("Hyper-SD15-1step-lora", as_kohya, "trajectory-consistency", 1, 1.0, TCDScheduler, {}),
    ("Hyper-SD15-4steps-lora", as_kohya, "few-step", 4, 1.0, DDIMScheduler, TO_THE_END),
    ("Hyper-SD15-8steps-CFG-lora", as_kohya, "few-step", 8, 5.0, DDIMScheduler, TO_THE_END),
    ("TCD-SD15-LoRA", as_kohya, "trajectory-consistency", 4, 1.0, TCDScheduler, {}),
]


@pytest.fixture
def ann(own_app):
    return own_app.seen_by("ann")


def tensors_for(app, seed=0):
    return random_lora(load(app.registry, "tiny-sd").unet, layers=EVERYWHERE, size=0.2, seed=seed)


def uploaded(app, folder, name, convert=dict, seed=0):
    file = write(folder / f"{name}.safetensors", convert(tensors_for(app, seed)))
    return loras.upload(app, file, file.name, "tiny-sd")


def draw(app, *ids, **values):
    wish = PictureSettings(
        "a lake", values.pop("model", "tiny-sd"), seed=3, **values, loras=tuple(map(Lora, ids))
    )
    (picture,) = results(generate(app, Generate(wish)))
    return picture.drawn


def stock(app, tensors, scheduler, changes, steps, guidance, **more):
    """The picture of the library's pipeline, in its own words."""
    pipeline = load(app.registry, "tiny-sd")
    pipeline.load_lora_weights(tensors, adapter_name="few")
    pipeline.scheduler = scheduler.from_config(pipeline.scheduler.config, **changes)
    return np.asarray(
        pipeline(
            "a lake",
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=torch.Generator("cpu").manual_seed(3),
            **more,
        ).images[0],
        int,
    )


@pytest.mark.parametrize(("name", "convert", "kind", "steps", "guidance", "scheduler", "changes"), PUBLISHED)
def test_an_upload_is_drawn_and_kept_with_its_own_sampler(
    ann, tmp_path, name, convert, kind, steps, guidance, scheduler, changes
):
    upload = uploaded(ann, tmp_path, name, convert)
    assert (upload.kind, upload.steps, upload.guidance) == (kind, steps, guidance)
    drawn = draw(ann, upload.id)
    settings = drawn.settings
    assert (settings.steps, settings.guidance) == (steps, guidance)
    more = {"eta": 0.3} if scheduler is TCDScheduler else {}
    expected = stock(ann, convert(tensors_for(ann)), scheduler, changes, steps, guidance, **more)
    assert np.abs(np.asarray(drawn.image, int) - expected).max() <= 1
    card = loras.keep(ann, upload.id)
    assert ann.loras.card(card.id) == replace(card, id=card.id)
    assert np.array_equal(draw(ann, card.id).image, drawn.image)
    assert restore_json(ann, settings.as_json(), "").settings == settings
    with pytest.raises(UserError, match=f"solver is 'euler'; tiny-sd takes one of {settings.solver}"):
        draw(ann, card.id, solver="euler")
    # In more steps too, and without it as before.
    expected = stock(ann, convert(tensors_for(ann)), scheduler, changes, 3, guidance, **more)
    assert np.abs(np.asarray(draw(ann, card.id, steps=3).image, int) - expected).max() <= 1
    assert draw(ann).settings.solver == "dpm++"
    off = PictureSettings("a lake", "tiny-sd", seed=3, loras=(Lora(card.id, 0.0),))
    assert results(generate(ann, Generate(off)))[0].drawn.settings.solver == "dpm++"


def test_a_file_without_a_name_is_made_for_what_its_owner_says(ann, tmp_path):
    upload = uploaded(ann, tmp_path, "pytorch_lora_weights (1)")
    (row,) = loras.rows(ann, [Lora(upload.id)])
    assert (upload.kind, row["sampler"]) == ("", False)
    kinds = [kind for kind, _ in row["kinds"]]
    assert kinds == ["", "consistency", "trajectory-consistency", "few-step"]
    loras.tell(ann, upload.id, "consistency")
    assert loras.rows(ann, [Lora(upload.id)])[0]["sampler"]
    settings = draw(ann, upload.id).settings
    assert (settings.solver, settings.steps, settings.guidance) == ("lcm", 4, 1.0)
    loras.tell(ann, upload.id, "")
    assert draw(ann, upload.id).settings.solver == "dpm++"
    with pytest.raises(UserError, match="kind is 'turbo'; of a LoRA expected one of consistency, "):
        loras.tell(ann, upload.id, "turbo")
    named = uploaded(ann, tmp_path, "Ink", seed=1)
    assert loras.rows(ann, [Lora(named.id)])[0]["kinds"] == []


@pytest.mark.parametrize(("folder", "said"), [("lcm-lora-sdv1-5", ""), ("mine", "consistency")])
def test_an_import_under_diffusers_name_is_known_by_its_folder_or_its_owner(ann, tmp_path, folder, said):
    (tmp_path / folder).mkdir()
    path = write(tmp_path / folder / WEIGHTS, tensors_for(ann))
    (path.parent / "README.md").write_text("---\nlicense: mit\n---\n")
    results(import_model(ann, ImportModel(str(path), kind=said)))
    card = ann.loras.card(folder)
    assert (card.title, card.kind, card.steps, card.guidance) == (folder, "consistency", 4, 1.0)


def test_a_file_in_the_hub_s_cache_has_its_model_s_name_and_a_link_that_is_gone_is_said(ann, tmp_path):
    cache = tmp_path / "models--latent-consistency--lcm-lora-sdv1-5"
    blob = write(cache / "blobs" / ("0f" * 32), tensors_for(ann))
    file = cache / "snapshots" / ("a1" * 20) / WEIGHTS
    file.parent.mkdir(parents=True)
    file.symlink_to("../../blobs/" + blob.name)
    results(import_model(ann, ImportModel(str(file))))
    card = ann.loras.card("lcm-lora-sdv1-5")
    assert (card.title, card.kind) == ("lcm-lora-sdv1-5", "consistency")
    blob.unlink()
    assert ", which is gone." in ann.loras.problems()[card.id]


@pytest.mark.parametrize(
    ("stem", "shape", "message"),
    [
        (
            "lora_unet_input_blocks_4_1_transformer_blocks_0_attn2_to_k",
            (4, 2048),
            "is for Stable Diffusion XL",
        ),
        ("lora_unet_double_blocks_0_img_attn_qkv", (4, 8), "made for a transformer, as SD 3 and Flux have"),
    ],
)
def test_an_import_for_another_base_is_refused_by_name(ann, tmp_path, stem, shape, message):
    parts = {f"{stem}.lora_down.weight": torch.ones(shape), f"{stem}.lora_up.weight": torch.ones(8, 4)}
    path = write(tmp_path / "Style.safetensors", parts)
    with pytest.raises(UserError, match=message):
        results(import_model(ann, ImportModel(str(path))))
    assert not list((ann.registry.folders[-1] / ".imports").rglob("*.safetensors"))


def test_what_of_an_import_is_not_used_is_on_its_card(ann, tmp_path):
    none = "unet.mid_block.attentions.7.proj_in"
    more = {"bundle_emb.words": torch.ones(2, 32), f"{none}.diff": torch.ones(2, 32)}
    path = write(tmp_path / "Ink.safetensors", tensors_for(ann) | more)
    results(import_model(ann, ImportModel(str(path))))
    assert ann.loras.card("ink").description.endswith(f"Not used of its file: bundle_emb.words, {none}.")


def test_two_that_disagree_and_a_model_that_is_no_diffusion_model_are_named(ann, tmp_path):
    lcm, hyper = (
        uploaded(ann, tmp_path, name, seed=i) for i, name in enumerate(("LCM_one", "Hyper-SD15-2steps"))
    )
    style = uploaded(ann, tmp_path, "Ink", seed=2)
    with pytest.raises(UserError, match=re.escape("LoRAs LCM_one and Hyper-SD15-2steps want different")):
        draw(ann, lcm.id, hyper.id)
    assert draw(ann, style.id, lcm.id).settings.solver == "lcm"
    with pytest.raises(UserError, match=r"LoRA LCM_one makes a diffusion model draw in 4 steps; tiny-2rf is"):
        draw(ann, lcm.id, model="tiny-2rf")


def test_it_stands_in_a_comparison_beside_a_one_step_model(ann, tmp_path):
    """Which is drawn without it, and with the other LoRAs of both."""
    lcm, style = uploaded(ann, tmp_path, "lcm-lora"), uploaded(ann, tmp_path, "Ink", seed=2)
    given = (Lora(lcm.id), Lora(style.id))
    wish = Compare("a lake", ("tiny-sd", "tiny-instaflow"), 3, given)
    done = [each for each in results(compare(ann, wish)) if isinstance(each, SideDone)]
    first, second = (each.attempt.settings for each in sorted(done, key=lambda each: each.index))
    assert (first.solver, first.steps, first.loras) == ("lcm", 4, given)
    assert (second.solver, second.steps, second.loras) == ("euler", 1, given[1:])
    assert all(each.attempt.picture for each in done)


def test_a_merged_model_is_of_that_kind(ann, tmp_path):
    file = write(tmp_path / "lcm-lora.safetensors", tensors_for(ann))
    merge(ann.registry, Merge("tiny-sd", "quick", lora=str(file)))
    card = ann.registry.card("quick")
    assert (card.kind, card.steps, card.guidance) == ("consistency", 4, 1.0)
    expected = draw(ann, loras.upload(ann, file, file.name, "tiny-sd").id).image
    assert np.abs(np.asarray(draw(ann, model="quick").image, int) - np.asarray(expected, int)).max() <= 1


def test_the_catalogue_s_is_imported_and_drawn(ann, reached, tmp_path, monkeypatch):
    """From a Hub that has other files beside it, each entry that is a LoRA."""
    entries = [each for each in catalogue.catalogue() if "A LoRA" in each.about]
    assert len(entries) == 2
    for entry in entries:
        file = entry.name.partition("/")[2].partition("/")[2]
        content = write(tmp_path / entry.id / WEIGHTS, tensors_for(ann)).read_bytes()
        there = {"README.md": b"#", file or WEIGHTS: content, "b.safetensors": content, "x.bin": b"\x80\x04"}
        monkeypatch.setattr(Hub, "files", there)
        own = replace(entry, name=f"somebody/tiny/{file}".rstrip("/"))
        monkeypatch.setattr(catalogue, "catalogue", lambda own=own: (own,))
        found = results(import_model(ann, ImportModel(own.name)))
        assert answer(ann, found)["id"] == entry.id
        card = ann.loras.card(entry.id)
        assert (card.kind, card.title, card.license) == (entry.kind, entry.title, entry.license)
        settings = draw(ann, entry.id).settings
        assert (settings.steps, settings.guidance) == (entry.steps, entry.guidance)
        with pytest.raises(UserError, match="already a LoRA"):
            results(import_model(ann, ImportModel(own.name)))
    assert not list((ann.registry.folders[-1] / ".imports").glob("*"))


@pytest.mark.parametrize(
    ("name", "kind", "steps"),
    [
        ("LCM_LoRA_Weights_SD15", "consistency", 4),
        ("lcm-lora-2step", "consistency", 2),
        ("hyper_sd15_12steps_cfg", "few-step", 12),
        ("Hyper-SD15", "trajectory-consistency", 1),
        ("hyper 99 steps", "few-step", 50),
        ("hyperrealism", "", 0),
        ("Hyper_Realism-sd15", "", 0),
        ("halcmate", "", 0),
        ("woodcut", "", 0),
    ],
)
def test_what_a_name_says(name, kind, steps):
    found = sampling_in(name)
    assert (found.get("kind", ""), found.get("steps", 0)) == (kind, steps)
    assert not kind or kind in RECOMMENDED


@pytest.mark.parametrize("values", [{"kind": "new"}, {"steps": 0}, {"guidance": 21.0}, {"strength": 3.0}])
def test_a_card_out_of_range_is_refused(values):
    with pytest.raises(UserError):
        LoraCard("a", "A", **values)
