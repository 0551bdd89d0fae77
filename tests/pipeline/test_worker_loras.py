"""The worker with LoRAs: the library's own way gives the same pictures, and nothing of them stays."""

import json
import re

import numpy as np
import pytest
import torch
from diffusers.utils import convert_state_dict_to_kohya

from rf_app.errors import UserError
from rf_app.pipeline.trajectory import Recorder
from rf_app.pipeline.turns import result_of
from rf_app.plugins.plugging import RESIDENT
from rf_app.registry.loras import WEIGHTS
from rf_app.settings.picture import Lora, PictureSettings
from rf_app.settings.way import KeyFrame, Way
from tests.plugins.lora_files import EVERYWHERE, as_kohya, as_peft, random_lora, write
from tests.tiny import load

MODELS = ["tiny-sd", "tiny-2rf", "tiny-instaflow"]


def put(worker, id, **options):
    """A LoRA of random weights in the registry; returns its tensors."""
    stock = load(worker.registry, "tiny-sd")
    text = stock.text_encoder if options.pop("text", False) else None
    unet = None if options.pop("only_text", False) else stock.unet
    convert = options.pop("convert", lambda tensors: tensors)
    tensors = random_lora(unet, text, **options)
    write(worker.loras.folders[-1] / id / WEIGHTS, convert(tensors))
    return tensors


def draw(worker, *loras, **values):
    values = {"prompt": "a lake", "model": "tiny-instaflow", "seed": 3} | values
    wish = tuple(Lora(*each) if isinstance(each, tuple) else Lora(each) for each in loras)
    return levels(result_of(worker.draw(PictureSettings(**values, loras=wish))).image)


def levels(image):
    return np.asarray(image).astype(int)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("convert", [lambda tensors: tensors, as_kohya], ids=["diffusers", "kohya"])
@pytest.mark.parametrize("strength", [1.0, -0.7])
def test_the_library_s_own_way_gives_the_same_picture(worker, model, convert, strength):
    tensors = put(worker, "style", text=True, layers=EVERYWHERE, size=0.2, convert=convert)
    found = draw(worker, ("style", strength), model=model, steps=2, guidance=2.0)
    stock = load(worker.registry, model)
    stock.load_lora_weights(convert(tensors), adapter_name="style")
    stock.set_adapters(["style"], [strength])
    expected = stock(
        "a lake", num_inference_steps=2, guidance_scale=2.0, generator=torch.Generator("cpu").manual_seed(3)
    ).images[0]
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 1
    assert np.abs(found - draw(worker, model=model, steps=2, guidance=2.0)).max() > 5


def test_peft_s_names_are_the_same_lora(worker):
    tensors = put(worker, "one")
    write(worker.loras.folders[-1] / "two" / WEIGHTS, as_peft(tensors))
    assert np.array_equal(draw(worker, "one"), draw(worker, "two"))


def test_what_diffusers_exports_for_kohya_is_the_same_lora(worker):
    """Its alphas are whole numbers, and text_model is missing in its names."""
    tensors = put(worker, "one", text=True)
    write(worker.loras.folders[-1] / "two" / WEIGHTS, convert_state_dict_to_kohya(tensors))
    assert np.array_equal(draw(worker, "one"), draw(worker, "two"))


def test_an_alpha_scales_in_every_format(worker):
    """Half the rank as alpha is half the strength, said by kohya's tensors or beside diffusers' own."""
    tensors = put(worker, "plain")
    write(worker.loras.folders[-1] / "kohya" / WEIGHTS, as_kohya(tensors, alpha=2.0))
    said = json.dumps({"unet.r": 4, "unet.lora_alpha": 2, "unet.target_modules": ["../../etc"]})
    write(worker.loras.folders[-1] / "stated" / WEIGHTS, tensors, {"lora_adapter_metadata": said})
    half = draw(worker, ("plain", 0.5))
    assert np.array_equal(draw(worker, "kohya"), half)
    assert np.array_equal(draw(worker, "stated"), half)
    assert not np.array_equal(draw(worker, "plain"), half)


@pytest.mark.parametrize("model", MODELS)
def test_what_is_removed_leaves_no_trace(worker, model):
    put(worker, "style", text=True, layers=EVERYWHERE)
    put(worker, "words", text=True, only_text=True, seed=1)
    before = draw(worker, model=model)
    others = [each for each in MODELS if each != model]
    unplugged = [draw(worker, model=other) for other in others]
    assert not np.array_equal(draw(worker, "style", model=model), before)
    # The models share their text encoder.
    assert all(
        np.array_equal(draw(worker, model=each), old) for each, old in zip(others, unplugged, strict=True)
    )
    assert not np.array_equal(draw(worker, "words", model=model), before)
    assert np.array_equal(draw(worker, model=model), before)
    assert np.array_equal(draw(worker, ("style", 0.0), ("words", 0), model=model), before)


def test_two_together_in_any_order_and_each_strength_counts(worker):
    put(worker, "one", text=True)
    put(worker, "two", seed=1)
    together = draw(worker, ("one", 0.5), ("two", -0.5))
    pictures = [together, draw(worker), draw(worker, ("one", 0.5)), draw(worker, ("two", -0.5))]
    pictures += [draw(worker, ("one", -0.5), ("two", 0.5))]
    for i, picture in enumerate(pictures):
        assert not any(np.array_equal(picture, other) for other in pictures[i + 1 :])
    assert np.array_equal(draw(worker, ("two", -0.5), ("one", 0.5)), together)


def test_a_frame_and_a_trajectory_have_them_too(worker):
    put(worker, "style", text=True)
    settings = PictureSettings("a lake", "tiny-2rf", 4, 1.0, 3, loras=(Lora("style", 1.0),))
    way = Way((KeyFrame("a lake", 3), KeyFrame("a tent", 4)), (0.0,), settings)
    expected = draw(worker, "style", model="tiny-2rf", steps=4, guidance=1.0)
    assert np.array_equal(levels(result_of(worker.draw(settings, between=way)).image), expected)
    recorder = Recorder(2)
    assert np.array_equal(levels(result_of(worker.draw(settings, observe=recorder)).image), expected)
    assert np.array_equal(levels(recorder.images[-1]), expected)


def test_a_crash_with_a_lora_leaves_no_trace(worker):
    put(worker, "style", text=True)
    before = draw(worker)

    def crash(moment):
        raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        result_of(
            worker.draw(PictureSettings("a lake", "tiny-instaflow", loras=(Lora("style"),)), observe=crash)
        )
    assert np.array_equal(draw(worker), before)


def test_a_lora_written_anew_is_read_anew(worker):
    put(worker, "style")
    before = draw(worker, "style")
    put(worker, "style", seed=1)
    assert not np.array_equal(draw(worker, "style"), before)


def test_those_used_longest_ago_make_room_in_memory(worker):
    for i in range(RESIDENT + 2):
        put(worker, f"l{i}", seed=i)
        draw(worker, f"l{i}")
    resident = worker._plugs._fitted[worker._models.get("tiny-instaflow").pipeline.unet]
    assert [path.parent.name for path, *_ in resident] == [f"l{i}" for i in range(2, RESIDENT + 2)]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ([Lora("nothing")], "no LoRA 'nothing'. LoRAs at hand: style"),
        ([Lora("../../etc")], "LoRA id '../../etc': use 1 to 64"),
        ([Lora("style", 2.5)], "LoRA style: strength is 2.5; it must be in -2..2"),
        ([Lora("style", float("nan"))], "strength is nan"),
        ([Lora("style"), Lora("style", 0.5)], "'style' is there twice"),
        ([Lora(f"l{i}") for i in range(9)], "There are 9 LoRAs; at most 8"),
        ([Lora("upload-0123456789ab")], "none of this session's uploads"),
    ],
)
def test_a_bad_wish_is_named_and_the_worker_lives(worker, wish, message):
    put(worker, "style")
    with pytest.raises(UserError, match=re.escape(message)):
        result_of(worker.draw(PictureSettings("a lake", "tiny-instaflow", loras=tuple(wish))))
    assert draw(worker, "style").std() > 1


def test_an_upload_is_its_session_s_alone(worker, tmp_path):
    file = write(tmp_path / "My style.safetensors", random_lora(load(worker.registry, "tiny-sd").unet))
    upload = worker.uploads.add("ann", file, file.name)
    settings = PictureSettings("a lake", "tiny-instaflow", seed=3, loras=(Lora(upload.id),))
    assert not np.array_equal(levels(result_of(worker.draw(settings, "ann")).image), draw(worker))
    for stranger in ("bob", ""):
        with pytest.raises(UserError, match="none of this session's uploads"):
            result_of(worker.draw(settings, stranger))
    worker.uploads.remove("ann", upload.id)
    with pytest.raises(UserError, match="upload the file again"):
        result_of(worker.draw(settings, "ann"))


@pytest.mark.parametrize(
    ("width", "message"),
    [
        (2048, "made for SDXL, cross-attention width 2048; this model has 32"),
        (768, "made for SD 1.5, cross-attention width 768; this model has 32"),
        (96, "made for another model, cross-attention width 96; this model has 32"),
    ],
)
def test_another_family_s_lora_is_named(worker, tmp_path, width, message):
    path = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"
    tensors = {
        f"unet.{path}.lora_A.weight": torch.ones(4, width),
        f"unet.{path}.lora_B.weight": torch.ones(16, 4),
    }
    for convert in (dict, as_kohya):
        file = write(tmp_path / "a.safetensors", convert(tensors))
        with pytest.raises(UserError, match=re.escape(message)):
            worker.inspect_lora(file, "tiny-instaflow")


def test_what_fits_nothing_is_named(worker, tmp_path):
    def inspect(tensors):
        return worker.inspect_lora(write(tmp_path / "a.safetensors", tensors), "tiny-instaflow")

    good = random_lora(load(worker.registry, "tiny-sd").unet, layers=("to_q",))
    assert len(inspect(good).layers) == len(good) // 2
    first = next(iter(good))
    elsewhere = {name.replace("blocks.0", "blocks.7"): tensor for name, tensor in good.items()}
    second = {name.replace("unet.", "text_encoder_2."): tensor for name, tensor in good.items()}
    flux = {name.replace("unet.", "transformer."): tensor for name, tensor in good.items()}
    for tensors, message in (
        (good | {first: torch.ones(4, 17)}, "this model has a weight of shape [16, 16] there"),
        (elsewhere, "none of this model's"),
        (second, "SDXL, which has a second text encoder"),
        (flux, "as SD 3 and Flux have"),
        (good | as_kohya(good), "twice, under two names"),
    ):
        with pytest.raises(UserError, match=re.escape(message)):
            inspect(tensors)
