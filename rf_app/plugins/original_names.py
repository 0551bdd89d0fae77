"""What the original Stable Diffusion code calls a tensor of ours: the way back from diffusers' names.

Diffusers itself knows the other direction, and its converters say whether these names are right.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
UNET = {
    "conv_in": "input_blocks.0.0",
    "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2",
    "conv_norm_out": "out.0",
    "conv_out": "out.2",
    "mid_block.resnets.0": "middle_block.0",
    "mid_block.attentions.0": "middle_block.1",
    "mid_block.resnets.1": "middle_block.2",
}
VAE_ATTENTION = {"group_norm": "norm", "to_q": "q", "to_k": "k", "to_v": "v", "to_out.0": "proj_out"}
VAE_MATRIX = re.compile(r".*\.attn_1\.(q|k|v|proj_out)\.weight")
"""What is a convolution of one pixel there."""


def original(piece: str, name: str, config: Mapping[str, Any]) -> str:
    """The name in a single file of a tensor of the unet, the vae or the text_encoder.

    config: the piece's. Raises KeyError for a tensor that the original U-Net has not.
    """
    if piece == "unet":
        return f"model.diffusion_model.{unet_name(name, config)}"
    if piece == "vae":
        return f"first_stage_model.{_vae_name(name, config)}"
    return f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"


def unet_name(name: str, config: Mapping[str, Any]) -> str:
    """The name of a U-Net's tensor without what stands before it; a ControlNet has the same blocks."""
    for old, new in (UNET | dict(_blocks(config))).items():
        if name.startswith(f"{old}."):
            first, _, last = name.removeprefix(f"{old}.").rpartition(".")
            return f"{new}.{RESNET.get(first, first)}.{last}".replace("..", ".")
    raise KeyError(name)


def _blocks(config: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    layers, index = config["layers_per_block"], 1
    for i in range(len(config["down_block_types"])):
        for j in range(layers):
            yield f"down_blocks.{i}.resnets.{j}", f"input_blocks.{index}.0"
            yield f"down_blocks.{i}.attentions.{j}", f"input_blocks.{index}.1"
            index += 1
        yield f"down_blocks.{i}.downsamplers.0.conv", f"input_blocks.{index}.0.op"
        index += 1
    index = 0
    for i, kind in enumerate(config["up_block_types"]):
        for j in range(layers + 1):
            yield f"up_blocks.{i}.resnets.{j}", f"output_blocks.{index}.0"
            yield f"up_blocks.{i}.attentions.{j}", f"output_blocks.{index}.1"
            index += 1
        place = 2 if "CrossAttn" in kind else 1
        yield f"up_blocks.{i}.upsamplers.0.conv", f"output_blocks.{index - 1}.{place}.conv"


def _vae_name(name: str, config: Mapping[str, Any]) -> str:
    last = len(config["block_out_channels"]) - 1
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{last - int(m[1])}.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = re.sub(
        r"mid_block\.attentions\.0\.(group_norm|to_[qkv]|to_out\.0)",
        lambda m: f"mid.attn_1.{VAE_ATTENTION[m[1]]}",
        name,
    )
    return name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
