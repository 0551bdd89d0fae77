"""What is taken along: a folder or a ZIP, whole or not at all."""

import json
import subprocess
import sys
import zipfile
from dataclasses import replace
from importlib.util import find_spec

import numpy as np
import pytest
import torch
from diffusers import DPMSolverMultistepScheduler
from safetensors.torch import load_file

from rf_app.actions.collection import thing
from rf_app.actions.export import Export, export
from rf_app.actions.import_model import ImportModel, import_model
from rf_app.actions.other_programs import settings_for
from rf_app.actions.progress import Progress
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.plugins import graphs
from rf_app.plugins.picture import read_picture
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import LoraCard, Loras
from rf_app.settings.picture import PictureSettings
from tests.actions.test_decoders import decoder_for
from tests.full_disk import full_disk
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load, tiny_card, tiny_unet

ALONE = """
import runpy, sys
sys.modules |= {"torch": None, "diffusers": None, "rf_app": None}  # whoever imports one gets an ImportError
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.fixture
def ink(own_app, tmp_path):
    """A LoRA."""
    file = write(tmp_path / "Ink.safetensors", random_lora(tiny_unet(3)))
    own_app.loras.save(file, LoraCard("ink", "Ink"))


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_model_has_what_it_borrows(own_app, tmp_path):
    (folder,) = results(export(own_app, Export("tiny-2rf", tmp_path / "out")))
    assert folder == tmp_path / "out" / "tiny-2rf"
    assert (folder / "vae" / WEIGHTS["vae"]).is_file()
    assert (folder / "model_index.json").is_file()
    assert read_picture((folder / "sample.png").read_bytes()).size == (96, 96)
    assert "(sample.png)" in (folder / "README.md").read_text()
    assert [path.name for path in folder.parent.iterdir()] == ["tiny-2rf"]


@pytest.mark.parametrize(("key", "kind"), [("lora/ink", Loras), ("controlnet/tiny-canny", ControlNets)])
def test_a_plug_in_is_what_it_was(own_app, ink, tmp_path, key, kind):
    (folder,) = results(export(own_app, Export(key, tmp_path / kind.FOLDER / "out")))
    assert files(folder) == files(thing(own_app, key).folder)
    assert kind([folder.parent]).cards() == [thing(own_app, key).card]


@pytest.mark.parametrize("id", ["tiny-2rf", "tiny-sd"])
def test_as_a_single_file_it_comes_back_as_it_was(own_app, shape, tmp_path, id):
    """A velocity for other programs' flow matching, whose sign is the other one, and a diffusion model."""
    (folder,) = results(export(own_app, Export(id, tmp_path / "out", layout="single-file")))
    assert {path.name for path in folder.iterdir()} == {f"{id}.safetensors", "README.md", "sample.png"}
    readme = (folder / "README.md").read_text()
    assert ("ModelSamplingSD3" if id == "tiny-2rf" else "`dpmpp_2m`") in readme
    results(import_model(own_app, ImportModel(str(folder / f"{id}.safetensors"), "again")))
    kept = own_app.registry.card("again")
    assert replace(kept, id=id, base_model=own_app.registry.card(id).base_model) == own_app.registry.card(id)
    one, other = (result_of(own_app.worker.draw(PictureSettings("a lake", each))) for each in (id, "again"))
    assert one.image.tobytes() == other.image.tobytes()


def test_of_a_model_that_predicts_v_other_programs_have_to_be_told():
    own = DPMSolverMultistepScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    said = settings_for(tiny_card("it", "diffusion", 25, 7.5), own, {"cross_attention_dim": 768})
    assert "ModelSamplingDiscrete (`v_prediction`, zsnr true)" in said


def test_a_plug_in_as_a_single_file_is_named_as_other_programs_want_it(own_app, ink, tmp_path):
    (folder,) = results(export(own_app, Export("lora/ink", tmp_path, layout="single-file")))
    assert "<lora:ink:1>" in (folder / "README.md").read_text()
    (name, *_) = load_file(folder / "ink.safetensors")
    assert name.startswith("lora_unet_")
    (folder,) = results(export(own_app, Export("controlnet/tiny-canny", tmp_path, layout="single-file")))
    own = own_app.controlnets.folder("tiny-canny") / WEIGHTS["controlnet"]
    assert (folder / "tiny-canny.safetensors").read_bytes() == own.read_bytes()
    decoder_for(own_app)
    with pytest.raises(UserError, match="a tiny decoder is taken along as it is, as a folder"):
        results(export(own_app, Export("decoder/small", tmp_path / "out", layout="single-file")))
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.slow
@pytest.mark.skipif(find_spec("onnxscript") is None, reason="an optional extra")
def test_graphs_draw_in_a_process_with_onnxruntime_alone(own_app, tmp_path, monkeypatch):
    """Their weights beside them, as where a graph is larger than 2 GB."""
    monkeypatch.setattr(graphs, "LARGEST", 0)
    with pytest.raises(UserError, match="expected a rectified flow"):
        results(export(own_app, Export("tiny-sd", tmp_path, layout="onnx")))
    (folder,) = results(export(own_app, Export("tiny-2rf", tmp_path, layout="onnx")))
    assert (folder / "unet" / "model.onnx.data").is_file()
    index = json.loads((folder / "model_index.json").read_text())
    assert index["vae_decoder"] == ["diffusers", "OnnxRuntimeModel"]
    assert index["scheduler"] == ["diffusers", "UniPCMultistepScheduler"]
    command = [sys.executable, "-c", ALONE, str(folder / "draw.py"), "a lake", str(tmp_path / "lake.png")]
    subprocess.run(command, check=True, cwd=tmp_path)
    pipeline = load(own_app.registry, "tiny-2rf")
    noise = np.random.default_rng(7).standard_normal((1, 8, 12, 12), np.float32)
    steps = {"num_inference_steps": 4, "guidance_scale": 1.5, "latents": torch.from_numpy(noise)}
    own = np.asarray(pipeline("a lake", **steps).images[0], int)
    assert np.abs(own - np.asarray(read_picture((tmp_path / "lake.png").read_bytes()), int)).max() <= 1


def test_an_unknown_layout_is_named(own_app, tmp_path):
    with pytest.raises(UserError, match="layout is 'onyx'; expected one of diffusers, single-file, onnx"):
        results(export(own_app, Export("tiny-sd", tmp_path, layout="onyx")))


def test_as_a_zip_it_says_how_far_it_is(own_app, tmp_path):
    *said, path = export(own_app, Export("controlnet/tiny-canny", tmp_path / "out", archive=True))
    assert path == tmp_path / "out" / "tiny-canny.zip"
    assert [each.text[:7] for each in said if isinstance(each, Progress)][-1] == "Packing"
    with zipfile.ZipFile(path) as archive:
        archive.extractall(tmp_path / "unpacked")
    assert files(tmp_path / "unpacked" / "tiny-canny") == files(
        thing(own_app, "controlnet/tiny-canny").folder
    )


def test_what_is_there_already_stays(own_app, tmp_path):
    (tmp_path / "tiny-sd").write_text("a file of somebody's")
    with pytest.raises(UserError, match="exists already: choose another folder"):
        results(export(own_app, Export("tiny-sd", tmp_path)))
    assert (tmp_path / "tiny-sd").read_text() == "a file of somebody's"


@pytest.mark.parametrize("archive", [True, False])
def test_a_full_disk_is_named_and_nothing_is_left(own_app, tmp_path, archive):
    with full_disk(20_000), pytest.raises(UserError, match="disk is full"):
        results(export(own_app, Export("controlnet/tiny-canny", tmp_path / "out", archive)))
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unknown_thing_is_named(own_app, tmp_path):
    with pytest.raises(UserError, match="There is no LoRA 'no-such'"):
        results(export(own_app, Export("lora/no-such", tmp_path / "out")))
    assert not (tmp_path / "out").exists()
