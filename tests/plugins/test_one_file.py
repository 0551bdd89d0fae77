"""Single files in the names of Stable Diffusion 1.5's own code, which diffusers' converters read again."""

import json

import pytest
import torch

from rf_app.actions.single_file import SD1
from rf_app.errors import UserError
from rf_app.plugins.checkpoint import Place, empty, in_pieces, shapes_of
from rf_app.plugins.lora import read_lora
from rf_app.plugins.one_file import fitted_to, in_original_names, write_lora
from rf_app.registry.loras import LoraCard
from tests.plugins.lora_files import EVERYWHERE, random_lora, write
from tests.tiny import tiny_text_encoder, tiny_tokenizer, tiny_unet

PIECES = ("unet", "vae", "text_encoder")
KNOWN = {  # of v1-5-pruned-emaonly.safetensors
    "model.diffusion_model.input_blocks.0.0.weight": (320, 4, 3, 3),
    "model.diffusion_model.input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight": (320, 768),
    "model.diffusion_model.input_blocks.3.0.op.weight": (320, 320, 3, 3),
    "model.diffusion_model.middle_block.1.proj_in.weight": (1280, 1280, 1, 1),
    "model.diffusion_model.output_blocks.5.2.conv.weight": (1280, 1280, 3, 3),
    "model.diffusion_model.output_blocks.11.0.skip_connection.weight": (320, 640, 1, 1),
    "model.diffusion_model.out.2.bias": (4,),
    "first_stage_model.encoder.mid.attn_1.q.weight": (512, 512, 1, 1),
    "first_stage_model.decoder.up.0.block.0.nin_shortcut.weight": (128, 256, 1, 1),
    "first_stage_model.decoder.mid.attn_1.norm.bias": (512,),
    "first_stage_model.post_quant_conv.weight": (4, 4, 1, 1),
    "cond_stage_model.transformer.text_model.encoder.layers.11.mlp.fc2.weight": (768, 3072),
    "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight": (49408, 768),
}


def stable_diffusion_1(**changed):
    """Its configs, and where its tensors would lie."""
    configs = {piece: json.loads((SD1 / piece / "config.json").read_text()) for piece in PIECES}
    configs["unet"] |= changed
    weights = {
        piece: {
            name: Place(SD1, name, "F16", shape) for name, shape in shapes_of(empty(piece, config)).items()
        }
        for piece, config in configs.items()
    }
    return configs, weights


def test_stable_diffusion_1_5_has_its_own_names_and_shapes():
    configs, weights = stable_diffusion_1()
    found = in_original_names("it", configs, weights)
    assert {name: found[name].shape for name in KNOWN} == KNOWN
    starts = ("model.diffusion_model.", "first_stage_model.", "cond_stage_model.")
    assert [sum(name.startswith(start) for name in found) for start in starts] == [686, 248, 196]
    again = in_pieces("it", found, configs)
    assert {piece: {name: place.name for name, place in again[piece].items()} for piece in PIECES} == {
        piece: {name: name for name in weights[piece]} for piece in PIECES
    }


@pytest.mark.parametrize("change", [{"time_cond_proj_dim": 256}, {"layers_per_block": [2, 2, 2, 2]}])
def test_another_shape_is_refused(change):
    configs, weights = stable_diffusion_1(**change)
    with pytest.raises(UserError, match=r"not that of Stable Diffusion 1\.x"):
        in_original_names("it", configs, weights)


def test_a_model_whose_shape_the_original_code_cannot_have_has_no_single_file():
    configs, weights = stable_diffusion_1()
    found = in_original_names("it", configs, weights)
    configs["unet"]["layers_per_block"] = [2, 2, 2, 2]
    with pytest.raises(UserError, match="not those of a whole model"):
        in_pieces("it", found, configs)


def test_a_lora_is_the_same_in_kohya_s_names(tiny_models, tmp_path):
    text_encoder = tiny_text_encoder(tiny_tokenizer())
    own = write(tmp_path / "own.safetensors", random_lora(tiny_unet(3), text_encoder, layers=EVERYWHERE))
    pieces = {piece: tiny_models / "tiny-sd" / piece for piece in PIECES}
    first = fitted_to(read_lora(own), pieces)
    card = LoraCard("ink", "Ink", trigger="in ink", strength=0.5)
    write_lora(tmp_path / "ink.safetensors", card, first)
    found = read_lora(tmp_path / "ink.safetensors")
    assert all(name.startswith(("lora_unet_", "lora_te_text_model_encoder_")) for name in found.layers)
    assert found.said == {"trigger": "in ink", "strength": 0.5}
    again = fitted_to(found, pieces)
    for one, other in ((first.unet, again.unet), (first.text_encoder, again.text_encoder)):
        assert one.keys() == other.keys() != set()
        for path, layer in one.items():
            assert layer.scale == other[path].scale
            assert all(torch.equal(each, other[path].tensors[name]) for name, each in layer.tensors.items())
