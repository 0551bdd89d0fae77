"""Every form and every naming of a LoRA: what is merged is what a merge by hand in float64 gives."""

import re

import numpy as np
import pytest
import torch

from rf_app.errors import UserError
from rf_app.plugins.lora import fit, read_lora
from rf_app.plugins.merging import Merger, Part
from rf_app.plugins.original_names import unet_name as original_name
from tests.plugins.lora_files import ATTENTION, EVERYWHERE, as_kohya, random_lora, write
from tests.tiny import tiny_text_encoder, tiny_tokenizer, tiny_unet

LINEAR = "down_blocks.0.attentions.0.transformer_blocks.0.attn2.to_k"  # [16, 32]
CONV = "up_blocks.1.resnets.0.conv1"  # [16, 48, 3, 3]
NORM = "mid_block.resnets.0.norm1"
STRENGTH = -0.7


@pytest.fixture(scope="module")
def model():
    return tiny_unet(3).requires_grad_(False), tiny_text_encoder(tiny_tokenizer()).requires_grad_(False)


def kohya(path):
    return f"lora_unet_{path.replace('.', '_')}"


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed + sum(shape))).mul(0.3)


def lora(out, into, k):
    up, down = random(out, 4, *[1] * len(k)), random(4, into, *k)
    change = np.einsum("or,r...->o...", up.double().numpy().reshape(out, 4), down.double().numpy())
    return {"lora_up.weight": up, "lora_down.weight": down, "alpha": torch.tensor(2.0)}, 2 / 4 * change


def tucker(out, into, k):
    up, down, mid = random(out, 4, 1, 1), random(4, into, 1, 1), random(4, 4, *k)
    each = [t.double().numpy() for t in (up[..., 0, 0], mid, down[..., 0, 0])]
    change = sum(
        np.multiply.outer(np.outer(each[0][:, i], each[2][j]), each[1][i, j])
        for i in range(4)
        for j in range(4)
    )
    return {"lora_up.weight": up, "lora_down.weight": down, "lora_mid.weight": mid}, change


def loha(out, into, k):
    flat = into * int(np.prod(k))
    a1, b1, a2, b2 = random(out, 3), random(3, flat), random(out, 3, seed=1), random(3, flat, seed=1)
    one, two = (a.double().numpy() @ b.double().numpy() for a, b in ((a1, b1), (a2, b2)))
    names = ("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b")
    tensors = dict(zip(names, (a1, b1, a2, b2), strict=True)) | {"alpha": torch.tensor(1.5)}
    return tensors, 1.5 / 3 * (one * two)


def loha_tucker(out, into, k):
    parts = {}
    halves = []
    for i in (1, 2):
        a, b, core = random(3, out, seed=i), random(3, into, seed=i), random(3, 3, *k, seed=i)
        parts |= {f"hada_w{i}_a": a, f"hada_w{i}_b": b, f"hada_t{i}": core}
        t, a, b = core.double().numpy(), a.double().numpy(), b.double().numpy()
        halves.append(
            sum(np.multiply.outer(np.outer(a[m], b[n]), t[m, n]) for m in range(3) for n in range(3))
        )
    return parts, halves[0] * halves[1]


def lokr(out, into, k):
    w1, w2 = random(2, 4), random(out // 2, into // 4, *k)
    change = np.kron(w1.double().numpy().reshape(2, 4, *[1] * len(k)), w2.double().numpy())
    return {"lokr_w1": w1, "lokr_w2": w2, "alpha": torch.tensor(7.0)}, change  # which counts for nothing


def lokr_low_rank(out, into, k):
    a1, b1 = random(2, 3), random(3, 4)
    a2, b2 = random(out // 2, 3), random(3, into // 4 * int(np.prod(k)))
    change = np.kron(a1.double().numpy() @ b1.double().numpy(), a2.double().numpy() @ b2.double().numpy())
    tensors = {"lokr_w1_a": a1, "lokr_w1_b": b1, "lokr_w2_a": a2, "lokr_w2_b": b2}
    return tensors | {"alpha": torch.tensor(1.0)}, 1 / 3 * change


def lokr_tucker(out, into, k):
    w1, a, b, core = random(2, 4), random(3, out // 2), random(3, into // 4), random(3, 3, *k)
    w2 = np.einsum("mnhw,mo,ni->oihw", *(t.double().numpy() for t in (core, a, b)))
    change = np.kron(w1.double().numpy()[..., None, None], w2)
    return {"lokr_w1": w1, "lokr_w2_a": a, "lokr_w2_b": b, "lokr_t2": core}, change


def full(out, into, k):
    diff = random(out, into, *k)
    return {"diff": diff}, diff.double().numpy()


CASES = [
    *((LINEAR, form) for form in (lora, loha, lokr, lokr_low_rank, full)),
    *((CONV, form) for form in (lora, tucker, loha, loha_tucker, lokr, lokr_low_rank, lokr_tucker, full)),
]


def merged(model, path, tensors, strength=STRENGTH):
    """The parameters of a layer of the U-Net with the LoRA in a file, and what they were."""
    unet, text_encoder = model
    fitted = fit(read_lora(path), unet, text_encoder)
    merger, owner = Merger(), unet.get_submodule(tensors)
    before = [None if each is None else each.clone() for each in (owner.weight, owner.bias)]
    merger.give(unet, [Part("a", fitted.unet, strength)])
    found = [None if each is None else each.clone() for each in (owner.weight, owner.bias)]
    merger.give(unet, [])
    assert all(
        each is None or torch.equal(each, now)
        for each, now in zip(before, (owner.weight, owner.bias), strict=True)
    )
    return before, found


def close(found, expected):
    np.testing.assert_allclose(found.double().numpy(), expected, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("scale", ["", "outputs", "inputs", "peft"])
@pytest.mark.parametrize(("path", "form"), CASES, ids=lambda case: getattr(case, "__name__", "layer"))
def test_a_form_merged_is_the_merge_by_hand(model, tmp_path, path, form, scale):
    shape = model[0].get_submodule(path).weight.shape
    tensors, change = form(*shape[:2], shape[2:])
    own = model[0].get_submodule(path).weight.double().numpy()
    change = change.reshape(own.shape)
    if scale:  # DoRA
        axis = 1 if scale == "inputs" else 0
        others = tuple(i for i in range(own.ndim) if i != axis)
        magnitude = random(*[n if i == axis else 1 for i, n in enumerate(shape)]).abs() + 0.5
        whole = own + change
        norm = np.sqrt((whole**2).sum(others, keepdims=True))
        change = magnitude.double().numpy() * whole / norm - own
        if scale == "peft":  # which has a convolution's in the second dimension
            magnitude = magnitude.transpose(0, 1) if len(shape) > 2 else magnitude.flatten()
        tensors["lora_magnitude_vector" if scale == "peft" else "dora_scale"] = magnitude
    file = write(tmp_path / "a.safetensors", {f"{kohya(path)}.{name}": t for name, t in tensors.items()})
    (before, _), (found, _) = merged(model, file, path)
    close(found, before.double().numpy() + STRENGTH * change)


def test_biases_and_norms_are_changed_and_put_back(model, tmp_path):
    tensors = {
        f"{kohya(CONV)}.diff_b": random(16),
        f"{kohya(NORM)}.w_norm": random(32),
        f"{kohya(NORM)}.b_norm": random(32, seed=1),
        "lora_te_text_model_final_layer_norm.w_norm": random(32),
    }
    file = write(tmp_path / "a.safetensors", tensors)
    (weight, bias), (same, found) = merged(model, file, CONV)
    assert torch.equal(weight, same)
    close(found, (bias + STRENGTH * tensors[f"{kohya(CONV)}.diff_b"]).double().numpy())
    before, after = merged(model, file, NORM)
    for own, now, change in zip(before, after, [*tensors.values()][1:3], strict=True):
        close(now, (own + STRENGTH * change).double().numpy())
    assert list(fit(read_lora(file), *model).text_encoder) == ["final_layer_norm"]


def test_dora_is_the_library_s_own(model, tmp_path):
    """PEFT's layers beside the model's own, at strength 1."""
    from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

    plain = random_lora(model[0], layers=("to_k", "conv1"), rank=4)
    tensors, expected = dict(plain), tiny_unet(3)
    for name in plain:
        if name.endswith("lora_A.weight"):
            path = name.removeprefix("unet.").removesuffix(".lora_A.weight")
            shape = model[0].get_submodule(path).weight.shape
            sizes = [shape[0]] if len(shape) == 2 else [1, shape[0], 1, 1]
            tensors[f"unet.{path}.lora_magnitude_vector"] = random(*sizes).abs() + 0.5
    config = LoraConfig(r=4, lora_alpha=4, use_dora=True, target_modules=["to_k", "conv1"])
    inject_adapter_in_model(config, expected)
    stored = {name.removeprefix("unet."): tensor for name, tensor in tensors.items()}
    outcome = set_peft_model_state_dict(expected, stored)
    assert not outcome.unexpected_keys
    merger = Merger()
    merger.give(
        model[0], [Part("a", fit(read_lora(write(tmp_path / "a.safetensors", tensors)), *model).unet, 1.0)]
    )
    inputs = random(1, 8, 12, 12), torch.tensor(300), random(1, 7, 32)
    found = model[0](*inputs).sample
    merger.give(model[0], [])
    torch.testing.assert_close(found, expected(*inputs).sample, atol=1e-4, rtol=1e-4)
    assert not torch.allclose(found, model[0](*inputs).sample, atol=1e-2)


def comfy(tensors, unet):
    """The same under the names of the original code."""
    config = dict(unet.config)
    renamed = {}
    for name, tensor in tensors.items():
        path, half, _ = name.rsplit(".", 2)
        half = {"lora_A": "lora_down", "lora_B": "lora_up"}[half]
        if path.startswith("unet."):
            original = original_name(f"{path.removeprefix('unet.')}.weight", config)
            path = original.removeprefix("model.").removesuffix(".weight")
        else:
            path = f"text_encoders.clip_l.transformer.text_model.{path.removeprefix('text_encoder.')}"
        renamed[f"{path}.{half}.weight"] = tensor
    return renamed


def flat(tensors, unet):
    """The same as trainers have them that train the original code."""
    return {
        re.sub(r"\.(?!lora_|weight$)", "_", name.replace("diffusion_model.", "lora_unet_")).replace(
            "text_encoders_clip_l_transformer_", "lora_te_"
        ): tensor
        for name, tensor in comfy(tensors, unet).items()
    }


def single_file(tensors, unet):
    """The same under the names of a whole model in one file."""
    return {
        name.replace("text_encoders.clip_l", "cond_stage_model")
        if name.startswith("text_encoders")
        else f"model.diffusion_model.{name}": tensor
        for name, tensor in comfy(tensors, unet).items()
    }


def lycoris(tensors, unet):
    return {re.sub(r"^lora_unet", "lycoris", name): tensor for name, tensor in as_kohya(tensors).items()}


def state_dict(tensors, unet):
    """As a model has them that diffusers has loaded a LoRA into."""
    return {name.replace(".weight", ".default_0.weight"): tensor for name, tensor in tensors.items()}


def before_peft(tensors, unet):
    """As diffusers has had them, with the names of the U-Net's attention in the text encoder, too."""
    renamed = {}
    for name, tensor in tensors.items():
        path, half, _ = name.rsplit(".", 2)
        path = re.sub(r"\.to_(q|k|v|out)(\.0)?$", r".processor.to_\1_lora", path)
        path = re.sub(r"\.(q|k|v|out)_proj$", r".to_\1_lora", path)
        path += "" if path.endswith("_lora") else ".lora"
        renamed[f"{path}.{'down' if half == 'lora_A' else 'up'}.weight"] = tensor
    return renamed


@pytest.mark.parametrize("renamed", [comfy, flat, single_file, lycoris, state_dict, before_peft])
def test_every_layer_is_found_under_every_name(model, tmp_path, renamed):
    every = [path for path, layer in model[0].named_modules() if hasattr(layer, "weight")]
    tensors = random_lora(*model, layers=(*EVERYWHERE, *ATTENTION, *every))
    own = fit(read_lora(write(tmp_path / "a.safetensors", tensors)), *model)
    assert len(own.unet) > 80
    found = fit(read_lora(write(tmp_path / "b.safetensors", renamed(tensors, model[0]))), *model)
    assert (set(found.unet), set(found.text_encoder)) == (set(own.unet), set(own.text_encoder))
    assert found.unused == ()
    for path, layer in found.unet.items():
        assert torch.equal(layer.tensors["lora_up"], own.unet[path].tensors["lora_up"])


@pytest.mark.parametrize(
    "dtype", [torch.float64, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.float8_e5m2]
)
def test_values_of_every_type_are_read_as_they_are(model, tmp_path, dtype):
    tensors, _ = lora(16, 32, [])
    stored = {f"{kohya(LINEAR)}.{name}": t.to(dtype) for name, t in tensors.items()}
    (before, _), (found, _) = merged(model, write(tmp_path / "a.safetensors", stored), LINEAR)
    up, down, alpha = (t.double().numpy() for t in stored.values())
    close(found, before.double().numpy() + STRENGTH * alpha / 4 * (up @ down))


def test_what_is_not_used_is_listed_and_the_rest_is_drawn(model, tmp_path):
    good = as_kohya(random_lora(model[0], layers=("to_q",)))
    more = {
        "bundle_emb.words.string_to_param.*": torch.ones(2, 32),
        "emb_params": torch.ones(2, 32),
        "lora_unet_mid_block_attentions_7_proj_in.diff": torch.ones(2, 32),
        "lora_te_text_model_encoder_layers_9_mlp_fc1.lora_down.weight": torch.ones(2, 32),
        "lora_te_text_model_encoder_layers_9_mlp_fc1.lora_up.weight": torch.ones(64, 2),
    }
    text = as_kohya(random_lora(None, model[1]))
    file = read_lora(write(tmp_path / "a.safetensors", good | more | text))
    found = fit(file, *model)
    assert set(file.unused) == {"bundle_emb.words.string_to_param.*", "emb_params"}
    assert set(found.unused) == {
        "lora_unet_mid_block_attentions_7_proj_in",
        "lora_te_text_model_encoder_layers_9_mlp_fc1",
    }
    assert len(found.unet) == len(good) // 3


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"lora_unet_double_blocks_0_img_attn_qkv": (8, 8)}, "made for a transformer, as SD 3 and Flux"),
        ({"diffusion_model.joint_blocks.0.x_block.attn.qkv": (8, 8)}, "made for a transformer"),
        ({"text_encoders.clip_g.transformer.text_model.encoder.layers.0.mlp.fc1": (64, 32)}, "SDXL"),
        ({"lora_unet_input_blocks_1_1_transformer_blocks_0_attn2_to_k": (16, 2048)}, "SDXL, cross-attention"),
        ({"diffusion_model.blocks.0.self_attn.q": (8, 8)}, "made for a transformer"),
        ({"lora_unet_middle_block_7_q": (8, 8)}, "none of this model's: it was made for another"),
        (
            {"lora_unet_input_blocks_1_1_proj_in": (64, 64)},
            "[64, 64]; this model has a weight of shape [16, 16",
        ),
        ({"lora_unet_conv_norm_out": (16, 16)}, "this model has a weight of shape [16] there"),
    ],
)
@pytest.mark.parametrize("form", [lora, loha, lokr, full])
def test_a_file_for_another_base_is_refused_by_name(model, tmp_path, form, tensors, message):
    """Also where its text encoder, which several bases share, fits."""
    text = as_kohya(random_lora(None, model[1]))
    ((stem, shape),) = tensors.items()
    made = {f"{stem}.{name}": tensor for name, tensor in form(*shape, ())[0].items()}
    with pytest.raises(UserError, match=re.escape(message)):
        fit(read_lora(write(tmp_path / "a.safetensors", text | made)), *model)


@pytest.mark.parametrize(
    ("parts", "form"),
    [
        ({"oft_blocks": (4, 4, 4)}, "OFT or BOFT"),
        ({"oft_diag": (4, 4), "rescale": (16, 1)}, "OFT or BOFT"),
        ({"boft_R.default": (2, 4, 4, 4)}, "OFT or BOFT"),
        ({"weight": (16,), "on_input": (1,)}, "IA3"),
        ({"ia3_l.default": (1, 16)}, "IA3"),
        ({"a1.weight": (4, 32), "a2.weight": (32, 4), "b1.weight": (4, 32), "b2.weight": (16, 4)}, "GLoRA"),
        ({"up_list.0": (16, 1), "down_list.0": (1, 32)}, "DyLoRA, its ranks apart"),
        ({"vera_lambda_b.default": (16,), "vera_lambda_d.default": (4,)}, "VeRA"),
    ],
)
def test_a_form_that_is_not_merged_is_named_and_never_left_out(tmp_path, parts, form):
    """Be it of one layer among others, as presets of LyCORIS mix them."""
    tensors = {f"{kohya(LINEAR)}.{name}": torch.ones(shape) for name, shape in parts.items()}
    tensors |= {f"{kohya(LINEAR)}.alpha": torch.tensor(1.0)} | as_kohya(random_lora(tiny_unet(3)))
    with pytest.raises(UserError, match=f"belongs to {form}; accepted are LoRA.* Merge it into a model"):
        read_lora(write(tmp_path / "a.safetensors", tensors))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        (
            {"hada_w1_a": (16, 3), "hada_w1_b": (3, 32), "hada_w2_a": (16, 3)},
            "lacks a part: it has hada_w1_a and",
        ),
        ({"lokr_w1": (2, 4)}, "lacks a part: it has lokr_w1 alone"),
        ({"dora_scale": (16, 1)}, "lacks a part: it has dora_scale alone"),
        ({"lora_mid.weight": (4, 4, 3, 3)}, "lacks a part"),
        ({"lokr_w1": (2, 4), "lokr_w2": (8, 8), "hada_t1": (2, 2)}, "lacks a part"),
        ({"lokr_w1": (2, 4), "lokr_w2": (8, 7)}, "cross-attention width 28; this model has 32"),
        ({"lokr_w1": (8,), "lokr_w2": (8, 8)}, "cross-attention width 64; this model has 32"),
        ({"diff": (32, 32)}, "changes a weight of shape [32, 32]; this model has a weight of shape [16, 32]"),
        ({"diff_b": (16,)}, "changes a bias of shape [16]; this model has no bias there"),
        ({"diff": (16, 32), "dora_scale": (7, 1)}, "changes a weight of shape [16, 32]; this model has"),
        ({"lora_down.weight": (4, 32), "lora_up.weight": (16, 5)}, "[16, 5] do not go together"),
        ({"hada_w1_a": (16, 2000), "hada_w1_b": (2000, 32)}, "has rank 2,000; at most 1,024"),
        (
            {"lora_down.weight": (4, 32), "lora_up.weight": (16, 4), "lora_mid.weight": (4, 1025)},
            "rank 1,025",
        ),
    ],
)
def test_what_makes_no_whole_is_named(model, tmp_path, parts, message):
    tensors = {f"{kohya(LINEAR)}.{name}": torch.ones(shape) for name, shape in parts.items()}
    with pytest.raises(UserError, match=re.escape(message)):
        fit(read_lora(write(tmp_path / "a.safetensors", tensors)), *model)
