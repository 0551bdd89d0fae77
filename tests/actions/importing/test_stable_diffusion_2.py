"""Single files of Stable Diffusion 2: OpenCLIP's text encoder, and what its U-Net predicts."""

import re

import numpy as np
import pytest
import torch
from diffusers import (
    DPMSolverMultistepScheduler,
    EulerDiscreteScheduler,
    PNDMScheduler,
    StableDiffusionPipeline,
)
from transformers import CLIPTextConfig, CLIPTextModel

from rf_app.actions import single_file
from rf_app.actions.import_model import ImportModel
from rf_app.pipeline.turns import result_of
from rf_app.plugins.checkpoint import configs_of, empty, short
from rf_app.plugins.original_names import original
from rf_app.registry.checking import read_json
from rf_app.settings.picture import PictureSettings
from tests.actions.importing.bringing import bring_in, saved
from tests.tiny import BETAS, WIDTHS, tiny_tokenizer, tiny_unet, tiny_vae

OPEN_CLIP = {
    "encoder.layers": "transformer.resblocks",
    "self_attn": "attn",
    "layer_norm1": "ln_1",
    "layer_norm2": "ln_2",
    "mlp.fc1": "mlp.c_fc",
    "mlp.fc2": "mlp.c_proj",
    "final_layer_norm": "ln_final",
    "embeddings.position_embedding.weight": "positional_embedding",
    "embeddings.token_embedding": "token_embedding",
}


def tiny_sd2(spread):
    """A model of Stable Diffusion 2's layout. spread: of the biases that tell what it predicts."""
    tokenizer = tiny_tokenizer()
    tokenizer.pad_token = "!"
    unet = tiny_unet(3, use_linear_projection=True)
    torch.manual_seed(4)
    torch.nn.init.normal_(unet.up_blocks[1].attentions[1].transformer_blocks[0].norm1.bias, std=spread)
    shape = WIDTHS | {"num_hidden_layers": 23, "max_position_embeddings": 32}
    text = CLIPTextConfig(vocab_size=len(tokenizer), **shape, hidden_act="gelu")
    return StableDiffusionPipeline(
        unet=unet,
        vae=tiny_vae(),
        text_encoder=CLIPTextModel(text),
        tokenizer=tokenizer,
        scheduler=PNDMScheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def as_single_file(pipeline, prefix):
    """Its tensors by the names of Stable Diffusion 2's files, with the layer that nobody uses.

    prefix: of the text encoder's.
    """
    tensors = {}
    for piece in ("unet", "vae"):
        module = getattr(pipeline, piece)
        tensors |= {original(piece, name, module.config): each for name, each in module.state_dict().items()}
    state = {short(name): each for name, each in pipeline.text_encoder.state_dict().items()}
    for name, tensor in state.items():
        if re.search("[kv]_proj", name):
            continue
        if "q_proj" in name:
            tensor = torch.cat([state[name.replace("q_proj", f"{each}_proj")] for each in "qkv"])
            name = name.replace("q_proj.", "in_proj_")
        for new, old in OPEN_CLIP.items():
            name = name.replace(new, old)
        tensors[f"{prefix}{name}"] = tensor
        if ".22." in name:
            tensors[f"{prefix}{name.replace('.22.', '.23.')}"] = tensor + 1
    width = pipeline.text_encoder.config.hidden_size
    return tensors | {
        f"{prefix}text_projection": torch.ones(width, width),
        f"{prefix}logit_scale": torch.ones(1),
    }


@pytest.mark.parametrize(
    ("name", "prefix", "spread", "kind", "predicts", "side"),
    [
        ("v2-1_768-ema-pruned", "cond_stage_model.model.", 0.2, "diffusion", "v_prediction", 768),
        ("512-base-ema", "cond_stage_model.model.", 0.01, "diffusion", "epsilon", 96),
        ("sd_turbo", "conditioner.embedders.0.model.", 0.01, "turbo", "epsilon", 96),
    ],
)
def test_it_is_drawn_as_the_stock_pipeline_draws_it(
    app, tmp_path, shape, monkeypatch, name, prefix, spread, kind, predicts, side
):
    """What predicts v is known by its weights, SD-Turbo by its name."""
    folder = tmp_path / "sd2"
    tiny_sd2(spread).save_pretrained(folder)
    pipeline = StableDiffusionPipeline.from_pretrained(folder)
    monkeypatch.setattr(single_file, "SD2", folder)
    path = saved(tmp_path, as_single_file(pipeline, prefix), f"{name}.safetensors")
    bring_in(app, ImportModel(str(path), id="mine"))
    card = app.registry.card("mine")
    assert (card.kind, card.resolution) == (kind, side)
    size = dict.fromkeys(("width", "height"), max(96, card.sides[0]))
    drawn = result_of(app.worker.draw(PictureSettings("a lake!", "mine", steps=2, seed=3, **size)))
    solver = EulerDiscreteScheduler if kind == "turbo" else DPMSolverMultistepScheduler
    more = {"timestep_spacing": "trailing"} if kind == "turbo" else {"timestep_spacing": "linspace"}
    pipeline.scheduler = solver(**BETAS, prediction_type=predicts, **more)
    expected = pipeline(
        "a lake!",
        **size,
        num_inference_steps=2,
        guidance_scale=card.guidance,
        generator=torch.Generator().manual_seed(3),
    ).images[0]
    assert np.abs(np.asarray(drawn.image, int) - np.asarray(expected, int)).max() <= 1


def test_what_comes_with_the_program_is_stable_diffusion_2():
    """The published numbers of weights, and "!" to pad with."""
    folders = {"unet": single_file.SD2, "vae": single_file.SD1, "text_encoder": single_file.SD2}
    configs = configs_of({piece: folder / piece for piece, folder in folders.items()})
    counts = {
        piece: sum(tensor.numel() for tensor in empty(piece, configs[piece]).parameters())
        for piece in ("unet", "text_encoder")
    }
    assert counts == {"unet": 865_910_724, "text_encoder": 340_387_840}
    assert read_json(single_file.SD2 / "tokenizer" / "tokenizer_config.json")["pad_token"] == "!"
