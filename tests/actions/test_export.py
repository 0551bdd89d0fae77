"""What is taken along: a folder or a ZIP, whole or not at all."""

import zipfile
from dataclasses import replace

import pytest
from safetensors.torch import load_file

from rf_app.actions.collection import thing
from rf_app.actions.export import Export, export
from rf_app.actions.import_model import ImportModel, import_model
from rf_app.actions.progress import Progress
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.plugins.picture import read_picture
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import LoraCard, Loras
from rf_app.settings.picture import PictureSettings
from tests.actions.test_single_file import shape  # noqa: F401
from tests.full_disk import full_disk
from tests.plugins.lora_files import random_lora, write
from tests.tiny import tiny_unet


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
def test_as_a_single_file_it_comes_back_as_it_was(own_app, shape, tmp_path, id):  # noqa: F811
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


def test_a_plug_in_as_a_single_file_is_named_as_other_programs_want_it(own_app, ink, tmp_path):
    (folder,) = results(export(own_app, Export("lora/ink", tmp_path, layout="single-file")))
    assert "<lora:ink:1>" in (folder / "README.md").read_text()
    (name, *_) = load_file(folder / "ink.safetensors")
    assert name.startswith("lora_unet_")
    (folder,) = results(export(own_app, Export("controlnet/tiny-canny", tmp_path, layout="single-file")))
    own = own_app.controlnets.folder("tiny-canny") / WEIGHTS["controlnet"]
    assert (folder / "tiny-canny.safetensors").read_bytes() == own.read_bytes()


def test_an_unknown_layout_is_named(own_app, tmp_path):
    with pytest.raises(UserError, match="layout is 'onyx'; expected diffusers or single-file"):
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
