"""Pictures of other programs: as much of their settings as there is something for here, the rest named."""

import json

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rf_app.actions.foreign import read_foreign
from rf_app.actions.restore import restore
from rf_app.errors import UserError
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.settings.picture import CheckedSettings, Lora
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load

A1111 = """a (mountain:1.2) near a lake,
sunset <lora:Ink_Wash:0.7><lora:gone:1>
Negative prompt: tent, (red:1.3)
Steps: 20, Sampler: DPM++ 2M Karras, CFG scale: 7.5, Seed: 123, Size: 512x768, Model hash: 9aba26abdf, \
Model: deliberate_v2, Denoising strength: 0.5, Clip skip: 2, Hires upscale: 2, Hires steps: 10, \
ADetailer model: "face, a", ADetailer prompt: "x: y", Lora hashes: "Ink_Wash: 1, gone: 2", Version: v1.6.0"""
COMFYUI = {
    "3": {
        "class_type": "KSampler",
        "inputs": {
            "seed": 7,
            "steps": 9,
            "cfg": 3.5,
            "sampler_name": "ddim",
            "scheduler": "normal",
            "denoise": 1.0,
            "model": ["10", 0],
            "positive": ["12", 0],
            "negative": ["7", 0],
            "latent_image": ["5", 0],
        },
    },
    "4": {"class_type": "CheckpointLoaderSimple", "inputs": {"ckpt_name": "sd/Tiny SD.safetensors"}},
    "5": {"class_type": "EmptyLatentImage", "inputs": {"width": 96, "height": 96, "batch_size": 1}},
    "6": {"class_type": "CLIPTextEncode", "inputs": {"text": ["14", 0], "clip": ["4", 1]}},
    "7": {"class_type": "CLIPTextEncode", "inputs": {"text": "tent", "clip": ["4", 1]}},
    "10": {
        "class_type": "LoraLoader",
        "inputs": {"lora_name": "ink-wash.safetensors", "strength_model": -0.5, "model": ["4", 0]},
    },
    "12": {"class_type": "ControlNetApplyAdvanced", "inputs": {"positive": ["6", 0], "negative": ["7", 0]}},
    "14": {"class_type": "PrimitiveString", "inputs": {"value": "a lake"}},
}
WORKFLOW = {
    "nodes": [
        {
            "id": 3,
            "type": "KSampler",
            "widgets_values": [7, "fixed", 9, 3.5, "ddim", "normal", 1],
            "inputs": [
                {"name": "model", "link": 1},
                {"name": "positive", "link": 2},
                {"name": "negative", "link": 3},
                {"name": "latent_image", "link": 4},
            ],
        },
        {"id": 4, "type": "CheckpointLoaderSimple", "widgets_values": ["Tiny SD.safetensors"]},
        {"id": 5, "type": "EmptyLatentImage", "widgets_values": [96, 96, 1]},
        {"id": 6, "type": "CLIPTextEncode", "widgets_values": ["a lake"]},
        {"id": 7, "type": "CLIPTextEncode", "widgets_values": ["tent"]},
    ],
    "links": [[1, 4, 0, 3, 0, "MODEL"], [2, 6, 0, 3, 1], [3, 7, 0, 3, 2], [4, 5, 0, 3, 3]],
}
INVOKEAI = {
    "app_version": "4.2.0",
    "generation_mode": "txt2img",
    "positive_prompt": "a lake",
    "negative_prompt": "tent",
    "model": {"key": "x", "name": "tiny-sd", "base": "sd-1"},
    "loras": [{"model": {"name": "Ink wash"}, "weight": 0.75}],
    "seed": 7,
    "steps": 9,
    "cfg_scale": 3.5,
    "scheduler": "dpmpp_2m_k",
    "width": 96,
    "height": 96,
    "clip_skip": 0,
    "vae": {"name": "own"},
}
INVOKEAI_2 = {
    "model_weights": "tiny-sd",
    "app_version": "2.3",
    "image": {
        "prompt": [{"prompt": "a lake [tent]", "weight": 1}],
        "seed": 7,
        "steps": 9,
        "cfg_scale": 3.5,
        "sampler": "k_euler",
        "width": 96,
        "height": 96,
    },
}
FOOOCUS = {
    "base_model": "juggernautXL_v8",
    "base_model_hash": "aeb7e9e689",
    "prompt": "a lake",
    "negative_prompt": "tent",
    "full_prompt": ["a lake, cinematic"],
    "guidance_scale": 4,
    "seed": "7",
    "steps": 30,
    "sampler": "dpmpp_2m_sde_gpu",
    "scheduler": "karras",
    "resolution": "(1152, 896)",
    "loras": [["ink wash", 0.1, "abc"]],
    "lora_combined_1": "ink wash : 0.1",
    "styles": "['Fooocus V2']",
    "sharpness": 2,
    "version": "Fooocus v2.5",
}
MADE = {
    "prompt": "a lake",
    "negative_prompt": "tent",
    "model": "tiny-sd",
    "steps": 9,
    "guidance": 3.5,
    "seed": 7,
}


@pytest.fixture
def inked(own_app):
    """An application with a LoRA called "Ink wash"."""
    folder = own_app.loras.folders[-1] / "ink"
    write(folder / WEIGHTS, random_lora(load(own_app.registry, "tiny-sd").unet))
    write_card(folder, LoraCard("ink", "Ink wash"))
    return own_app


def png(folder, **texts):
    info = PngInfo()
    for name, text in texts.items():
        info.add_text(name, text if isinstance(text, str) else json.dumps(text))
    path = folder / "shared.png"
    Image.new("RGB", (8, 8)).save(path, pnginfo=info)
    return path


def test_a1111_s_picture_brings_back_what_there_is_something_for(inked, tmp_path):
    found = restore(inked, png(tmp_path, parameters=A1111))
    assert found.settings == CheckedSettings(
        "a (mountain:1.2) near a lake,\nsunset",
        "tiny-sd",
        20,
        7.5,
        123,
        "tent, (red:1.3)",
        "dpm++",
        loras=(Lora("ink", 0.7),),
    )
    found = restore(inked, png(tmp_path, parameters=A1111.replace("512x768", "80x128, VAE: own.pt")))
    assert (found.settings.width, found.settings.height) == (80, 128)
    assert "VAE own.pt" in found.note
    assert "size" not in found.note
    found = restore(inked, png(tmp_path, parameters=A1111))
    assert found.note == (
        "Left out: model deliberate_v2, LoRA gone, karras schedule, size 512×768, clip skip 2, hires fix, "
        "ADetailer."
    )


def test_a1111_s_picture_that_began_from_another_says_so(inked, tmp_path):
    text = A1111.replace("Hires upscale: 2, Hires steps: 10, ", "")
    assert "denoising strength 0.5" in restore(inked, png(tmp_path, parameters=text)).note


@pytest.mark.parametrize(
    ("texts", "solver", "loras", "note"),
    [
        (
            {"prompt": COMFYUI, "workflow": {"nodes": []}},
            "ddim",
            (Lora("ink", -0.5),),
            "Left out: ControlNetApplyAdvanced, PrimitiveString.",
        ),
        ({"workflow": WORKFLOW}, "ddim", (), ""),
        (
            {"invokeai_metadata": INVOKEAI},
            "dpm++",
            (Lora("ink", 0.75),),
            "Left out: karras schedule, clip skip 0, vae.",
        ),
        ({"sd-metadata": INVOKEAI_2}, "euler", (), ""),
    ],
)
def test_a_graph_and_metadata_bring_back_the_same(inked, tmp_path, texts, solver, loras, note):
    found = restore(inked, png(tmp_path, **texts))
    assert found.settings == CheckedSettings(**MADE, solver=solver, loras=loras)
    assert found.note == note


def test_fooocus_picture_in_both_its_schemes(inked, tmp_path):
    found = restore(inked, png(tmp_path, parameters=FOOOCUS, fooocus_scheme="fooocus"))
    made = MADE | {"steps": 30, "guidance": 4}
    assert found.settings == CheckedSettings(**made, solver="dpm++", loras=(Lora("ink", 0.1),))
    assert found.note == (
        "Left out: model juggernautXL_v8, sampler dpmpp_2m_sde_gpu, karras schedule, size 1152×896, styles "
        "['Fooocus V2'], sharpness 2."
    )
    text = "a lake\nNegative prompt: tent\nSteps: 9, Sampler: DDIM, CFG scale: 3.5, Seed: 7, Size: 96x96, "
    found = restore(
        inked, png(tmp_path, parameters=f"{text}Model: tiny_sd, Sharpness: 2", fooocus_scheme="a1111")
    )
    assert found.settings == CheckedSettings(**MADE, solver="ddim")
    assert found.note == "Left out: sharpness 2."


@pytest.mark.parametrize("ending", ["jpg", "webp"])
def test_exif_carries_the_same(inked, tmp_path, ending):
    path, exif = tmp_path / f"a.{ending}", Image.Exif()
    comment = "a l\u00e4ke\nSteps: 9, Seed: 7, CFG scale: 3.5, Model: tiny-sd"
    for encoded in ("utf-16-be", "utf-16-le", "utf-8"):
        code = b"ASCII\0\0\0" if encoded == "utf-8" else b"UNICODE\0"
        exif.get_ifd(0x8769)[0x9286] = code + comment.encode(encoded)
        Image.new("RGB", (8, 8)).save(path, exif=exif)
        settings = restore(inked, path).settings
        assert (settings.prompt, settings.seed, settings.steps) == ("a l\u00e4ke", 7, 9)
    exif = Image.Exif()
    exif[0x9286] = json.dumps(FOOOCUS)  # as Fooocus does
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    assert restore(inked, path).settings.steps == 30
    exif = Image.Exif()
    exif[0x0110] = f"prompt:{json.dumps(COMFYUI)}"
    Image.new("RGB", (8, 8)).save(path, exif=exif)
    assert restore(inked, path).settings.seed == 7


def test_values_that_cannot_be_used_here_are_named(app, tmp_path):
    text = "a lake\nSteps: 500, Sampler: Euler a, CFG scale: nan, Seed: 99999999999, Size: 96x96"
    found = restore(app, png(tmp_path, parameters=text))
    assert found.note == "Left out: steps 500, guidance nan, seed 99999999999, sampler Euler a."
    assert found.settings == CheckedSettings("a lake", "tiny-sd", 4, 3.0, 0, solver="dpm++")


def test_our_own_settings_come_first(app, tmp_path):
    found = restore(app, png(tmp_path, parameters=A1111, instaflow={"prompt": "a tent", "model": "tiny-2rf"}))
    assert (found.settings.prompt, found.settings.model, found.note) == ("a tent", "tiny-2rf", "")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        ({}, "says nothing of how it was made"),
        ({"parameters": "{}"}, "says nothing of how it was made"),
        ({"parameters": "Steps: 20, Seed: 1"}, "says nothing of how it was made"),
        ({"prompt": {"1": {"class_type": "SaveImage"}}}, "says nothing of how it was made"),
        ({"prompt": "a lake"}, "not readable"),
        ({"invokeai_metadata": "[" * 10_000}, "not readable"),
        ({"parameters": "x" * 300_000}, "300,000 characters"),
        ({"parameters": "x" * 3_000 + "\nSteps: 4"}, "prompt has 3,000 characters"),
        ({"parameters": "a lake"}, "says nothing of how it was made"),
    ],
)
def test_nothing_readable_gets_its_message(app, tmp_path, texts, message):
    with pytest.raises(UserError, match=message):
        restore(app, png(tmp_path, **texts))


@pytest.mark.parametrize(
    "text",
    [
        "Steps: " + " " * 199_000,
        "Steps: " + 'a:"\\' * 49_000,
        "Steps: " + "a" * 199_000,
        "<lora:" * 30_000,
        "<lora:" + "a" * 199_000,
        "a\n" + "Steps: \n" * 24_000,
        "[" * 199_000,
    ],
)
def test_no_text_keeps_a_reader_busy(text):
    for end in ("", "\nSteps: 1"):
        read_foreign({"parameters": f"a lake\n{text}{end}"})
    read_foreign({"sd-metadata": json.dumps({"image": {"prompt": text}})})


def test_a_graph_that_goes_in_a_circle_comes_to_an_end():
    graph = {
        "1": {"inputs": {"positive": ["1", 0], "steps": ["1", 0], "model": ["1", 0], "latent_image": ["1"]}}
    }
    assert read_foreign({"prompt": json.dumps(graph)}) is None
