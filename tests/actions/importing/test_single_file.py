"""Single files as other tools write them: taken apart with no model like them at hand, or refused by name."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from rf_app.actions import single_file
from rf_app.actions.import_model import ImportModel
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.plugins.checkpoint import configs_of, empty, short
from rf_app.plugins.lora import read_lora
from rf_app.registry.checking import WEIGHTS, check_piece
from rf_app.registry.loading import load_piece
from rf_app.settings.picture import PictureSettings
from tests.actions.importing.bringing import UNET, bring_in, saved
from tests.plugins.lora_files import as_peft, random_lora, write
from tests.single_file import save_controlnet_file
from tests.tiny import tiny_controlnet, tiny_unet


def same_weights(folder, other):
    for piece in ("unet", "vae", "text_encoder"):
        one, two = (load_file(each / piece / WEIGHTS[piece]) for each in (folder, other))
        one, two = ({short(name): tensor for name, tensor in each.items()} for each in (one, two))
        assert one.keys() == two.keys()
        assert all(torch.equal(tensor, two[name]) for name, tensor in one.items())


def test_with_averages_integers_and_older_names_and_no_model_like_it(app, tiny_models, tmp_path, whole):
    """As v1-5-pruned is: the averages of its training, step counters, a text encoder of older names."""
    unet = {name: tensor for name, tensor in whole.items() if name.startswith("model.diffusion_model.")}
    tensors = {name.replace("transformer.text_model.", "transformer."): each for name, each in whole.items()}
    tensors |= {"model_ema." + name[6:].replace(".", ""): tensor + 1 for name, tensor in unet.items()}
    tensors |= {
        "model_ema.num_updates": torch.tensor(470000, dtype=torch.int32),
        "model_ema.decay": torch.tensor(0.9999),
        "cond_stage_model.transformer.embeddings.position_ids": torch.arange(32)[None],
        "cond_stage_model.transformer.text_projection.weight": torch.eye(32),  # as ComfyUI saves one
        "cond_stage_model.logit_scale": torch.tensor(4.6),
        "alphas_cumprod": torch.linspace(1, 0, 1000, dtype=torch.float64),
    }
    folder = bring_in(app, ImportModel(str(saved(tmp_path, tensors))))
    same_weights(folder, tiny_models / "tiny-sd")
    card = app.registry.card("some-model")
    assert (card.title, card.kind, card.base_model) == ("Some Model", "diffusion", None)
    assert result_of(app.worker.draw(PictureSettings("a lake", "some-model", steps=2))).image.size == (96, 96)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64, torch.float8_e4m3fn])
def test_other_precisions_are_read(app, tmp_path, whole, dtype):
    path = saved(tmp_path, {name: tensor.to(dtype) for name, tensor in whole.items()})
    unet = load_file(bring_in(app, ImportModel(str(path))) / UNET)["conv_in.weight"]
    kept = {torch.float64: torch.float32, torch.float8_e4m3fn: torch.float16}.get(dtype, dtype)
    assert unet.dtype == kept
    assert torch.equal(unet, whole["model.diffusion_model.input_blocks.0.0.weight"].to(dtype).to(kept))


@pytest.mark.parametrize("how", ["header", "ComfyUI's header", "mark", "beside"])
def test_a_velocity_is_known_for_one(app, tmp_path, whole, how):
    """By the header's modelspec, an empty tensor as a mark, or the original code's configuration beside."""
    fields = {"header": "modelspec.prediction_type", "ComfyUI's header": "modelspec.predict_key"}
    metadata = {fields[how]: "v"} if how in fields else {}
    marks = dict.fromkeys(("v_pred", "ztsnr"), torch.tensor([])) if how == "mark" else {}
    path = saved(tmp_path, whole | marks, **metadata)
    if how == "beside":
        path.with_suffix(".yaml").write_text('model:\n  params:\n    parameterization: "v"\n')
    folder = bring_in(app, ImportModel(str(path)))
    scheduler = json.loads((folder / "scheduler" / "scheduler_config.json").read_text())
    assert scheduler["prediction_type"] == "v_prediction"
    assert scheduler.get("rescale_betas_zero_snr", False) == (how == "mark")
    assert scheduler["timestep_spacing"] == ("trailing" if how == "mark" else "linspace")


@pytest.mark.parametrize("names", ["original", "original, bare", "diffusers"])
def test_a_unet_alone_is_given_the_rest_of_a_model_at_hand(app, tiny_models, tmp_path, whole, names):
    unet = {name: tensor for name, tensor in whole.items() if name.startswith("model.diffusion_model.")}
    if names == "original, bare":
        unet = {name.removeprefix("model.diffusion_model."): tensor for name, tensor in unet.items()}
    elif names == "diffusers":
        unet = load_file(tiny_models / "tiny-sd" / UNET)
    path = saved(tmp_path, unet)
    with pytest.raises(UserError, match=r"has no autoencoder and no text encoder\. Import a whole model"):
        bring_in(app, ImportModel(str(path)))
    bring_in(app, ImportModel(str(tiny_models / "tiny-sd"), "lender"))
    folder = bring_in(app, ImportModel(str(path)))
    same_weights(folder, tiny_models / "tiny-sd")
    assert "those of `lender`" in app.registry.card("some-model").description
    lender = app.registry.folder("lender")
    assert (folder / "vae" / WEIGHTS["vae"]).samefile(lender / "vae" / WEIGHTS["vae"])
    assert not (folder / "vae" / "config.json").samefile(lender / "vae" / "config.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"model.diffusion_model.time_embed.cond_proj.weight": (4, 4)},
            "is a consistency model that is told its guidance, which is read from a folder alone",
        ),
        ({"model.diffusion_model.time_embed.other.weight": (4, 4)}, "its U-Net has .*other.weight, which"),
        (
            {"model.diffusion_model.out.2.weight": (4, 16, 3, 3)},
            "is a model that edits pictures: its U-Net takes 8 channels and gives 4",
        ),
        (
            {"model.diffusion_model.input_blocks.0.0.weight": (16, 9, 3, 3)},
            "is an inpainting model: its U-Net",
        ),
        (
            {"conditioner.embedders.1.model.ln.weight": (4,)},
            "is a Stable Diffusion XL model; expected a model",
        ),
        (
            {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (16, 1280)},
            "is for the Stable Diffusion XL refiner: it takes texts 1280 wide",
        ),
        (
            {"model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (16, 2048)},
            "is for Stable Diffusion XL: it takes texts 2048 wide",
        ),
        (
            {"model.diffusion_model.time_embed.0.bias": (3,)},
            r"time_embedding.linear_1.bias has the shape \[3\]",
        ),
    ],
)
def test_another_model_is_refused_by_name(app, tmp_path, whole, change, message):
    changed = {name: torch.zeros(shape) for name, shape in change.items()}
    with pytest.raises(UserError, match=f"Some Model.safetensors: {message}"):
        bring_in(app, ImportModel(str(saved(tmp_path, whole | changed))))
    assert not list(app.registry.folders[-1].glob(".imports/*/files/*"))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("adapter.body.0.in_conv.weight", "is a T2I adapter"),
        ("body.0.block1.weight", "is a T2I adapter"),
        ("image_proj.proj.weight", "is an IP-Adapter"),
        ("down_blocks.0.motion_modules.0.norm.weight", "is a motion module"),
        ("emb_params", "is a textual inversion"),
        ("<cat-toy>", "'<cat-toy>' is a token, as textual inversions have"),
        ("difference", "is a ControlNet as differences to a model's weights"),
        ("lora_controlnet", "is a Control-LoRA"),
        ("lllite_unet_mid.down.0.weight", "is a ControlNet-LLLite"),
        ("double_blocks.0.img_attn.norm.key_norm.scale", "is a Flux model"),
        ("joint_blocks.0.x_block.attn.qkv.weight", "is a Stable Diffusion 3 model"),
        ("first_stage_model.decoder.conv_in.weight", "is an autoencoder by itself"),
        (
            "something.else",
            "is nothing that is known here; expected a model, a LoRA, a ControlNet or a tiny decoder for",
        ),
    ],
)
def test_what_is_none_of_ours_is_named(app, tmp_path, name, message):
    with pytest.raises(UserError, match=message):
        bring_in(app, ImportModel(str(saved(tmp_path, {name: torch.zeros(2, 2)}))))


@pytest.mark.parametrize("names", ["original", "diffusers", "folder"])
def test_a_controlnet_comes_among_the_controlnets(app, tmp_path, shape, names):
    folder = tmp_path / "control_v11p_sd15_canny"
    net = tiny_controlnet(0)
    net.save_pretrained(folder)
    path = tmp_path / "control_v11p_sd15_canny.safetensors"
    if names == "original":
        save_controlnet_file(folder, path)
    elif names == "diffusers":
        shutil.copyfile(folder / WEIGHTS["controlnet"], path)
    arrived = bring_in(app, ImportModel(str(folder if names == "folder" else path)))
    assert arrived == app.controlnets.folder("control_v11p_sd15_canny")
    assert app.controlnets.card(arrived.name).preprocessor == "canny"
    found, own = load_file(arrived / WEIGHTS["controlnet"]), net.state_dict()
    assert found.keys() == own.keys()
    assert all(torch.equal(tensor, own[name]) for name, tensor in found.items())


def test_a_controlnet_of_another_base_is_refused_by_name(app, tmp_path, shape):
    folder = tmp_path / "controlnet-canny-sdxl"
    net = tiny_controlnet(0)
    net.register_to_config(cross_attention_dim=2048)
    net.save_pretrained(folder)
    said = "is a ControlNet for Stable Diffusion XL; expected one for"
    with pytest.raises(UserError, match=said):
        bring_in(app, ImportModel(str(folder)))
    by_hand = app.controlnets.folders[-1] / folder.name
    shutil.copytree(folder, by_hand)
    assert said in app.controlnets.problems()[folder.name]
    for each in (folder, by_hand):
        (each / "config.json").write_text(json.dumps({"_class_name": "T2IAdapter"}))
    with pytest.raises(UserError, match="is a T2I adapter"):
        bring_in(app, ImportModel(str(folder), id="adapter"))
    assert "is a T2I adapter" in app.controlnets.problems()[folder.name]


def test_a_lora_that_fits_nothing_is_refused(app, tmp_path):
    layer = "base_model.model.model.layers.0.self_attn.q_proj"  # of a language model, by PEFT
    file = saved(
        tmp_path, {f"{layer}.lora_A.weight": torch.ones(4, 8), f"{layer}.lora_B.weight": torch.ones(8, 4)}
    )
    with pytest.raises(
        UserError, match=r"Some Model: fits neither Stable Diffusion 1\.x or 2\.x nor a model"
    ):
        bring_in(app, ImportModel(str(file)))


def test_a_lora_of_peft_s_has_the_alpha_of_its_config(app, shape, tmp_path):
    path = write(tmp_path / "ink" / "adapter_model.safetensors", as_peft(random_lora(tiny_unet(3), rank=4)))
    path.with_name("adapter_config.json").write_text(
        json.dumps({"r": 4, "lora_alpha": 6, "alpha_pattern": {"attn1.to_k": 2}})
    )
    bring_in(app, ImportModel(str(path.parent)))
    layers = read_lora(app.loras.file("ink")).layers
    assert {name.split(".")[-2]: layer.scale for name, layer in layers.items() if "to_k" in name} == {
        "attn1": 0.5,
        "attn2": 1.5,
    }


def test_a_lora_comes_among_the_loras_where_it_lies(app, shape, tmp_path):
    folder = tmp_path / "woodcut-lora"
    folder.mkdir()
    path = write(folder / "pytorch_lora_weights.safetensors", random_lora(tiny_unet(3)))
    shutil.copyfile(path, folder / "kohya.safetensors")
    (folder / "README.md").write_text("---\nlicense: mit\ninstance_prompt: a woodcut\n---\n# Woodcut\n")
    bring_in(app, ImportModel(str(folder)))
    card = app.loras.card("woodcut-lora")
    assert (card.title, card.trigger, card.license) == ("woodcut-lora", "a woodcut", "mit")
    assert app.loras.file("woodcut-lora").samefile(path)
    bring_in(app, ImportModel(str(path), id="copied", copy=True))
    path.unlink()
    assert app.loras.file("copied").is_file()
    assert "woodcut-lora" not in [card.id for card in app.loras.cards()]


def test_what_comes_with_the_program_is_stable_diffusion_1():
    """The published numbers of weights, and CLIP's ids of the words of diffusers' first example."""
    configs = configs_of({piece: single_file.SD1 / piece for piece in ("unet", "vae", "text_encoder")})
    counts = {
        piece: sum(tensor.numel() for tensor in empty(piece, configs[piece]).parameters())
        for piece in configs
    }
    assert counts == {"unet": 859_520_964, "vae": 83_653_863, "text_encoder": 123_060_480}
    tokenizer = load_piece(single_file.SD1 / "tokenizer", torch.float32)
    ids = [49406, 320, 1125, 539, 550, 18376, 6765, 320, 4558, 525, 7496, 49407]
    assert tokenizer("a photo of an astronaut riding a horse on mars").input_ids == ids
    assert tokenizer.model_max_length == 77
    check_piece(single_file.SD1 / "scheduler")
