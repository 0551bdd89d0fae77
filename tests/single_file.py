"""A model as a single file, with the names of Stable Diffusion 1.5's own code; diffusers has the way back."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file

from rf_app.registry.checking import WEIGHTS, read_json

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


def save_single_file(pieces: Mapping[str, Path], target: Path) -> None:
    """Write the three pieces with weights into one file."""
    tensors = {}
    for piece, rename in (("unet", _unet), ("vae", _vae), ("text_encoder", _text)):
        stored = load_file(pieces[piece] / WEIGHTS[piece])
        config = read_json(pieces[piece] / "config.json")
        tensors |= {rename(name, config): tensor for name, tensor in stored.items()}
    save_file(tensors, target)


def save_controlnet_file(folder: Path, target: Path) -> None:
    """Write a ControlNet into a single file."""
    config = read_json(folder / "config.json")
    stored = load_file(folder / WEIGHTS["controlnet"])
    save_file({f"control_model.{_controlnet(name, config)}": stored[name] for name in stored}, target)


def _unet(name: str, config: dict) -> str:
    return f"model.diffusion_model.{_renamed(name, UNET | dict(_blocks(config)))}"


def _controlnet(name: str, config: dict) -> str:
    name = re.sub(r"controlnet_down_blocks\.(\d+)", r"zero_convs.\1.0", name)
    name = name.replace("controlnet_mid_block.", "middle_block_out.0.")
    name = name.replace("controlnet_cond_embedding.conv_in", "input_hint_block.0")
    name = name.replace("controlnet_cond_embedding.conv_out", "input_hint_block.14")
    name = re.sub(
        r"controlnet_cond_embedding\.blocks\.(\d+)",
        lambda found: f"input_hint_block.{2 * int(found[1]) + 2}",
        name,
    )
    blocks = dict(_blocks(config | {"up_block_types": []}))
    own = name.startswith(("input_hint_block", "zero_convs", "middle_block_out"))
    return name if own else _renamed(name, UNET | blocks)


def _renamed(name: str, names: Mapping[str, str]) -> str:
    for old, new in names.items():
        if name.startswith(f"{old}."):
            rest = name.removeprefix(f"{old}.")
            first, _, last = rest.rpartition(".")
            return f"{new}.{RESNET.get(first, first)}.{last}".replace("..", ".")
    raise KeyError(name)


def _blocks(config: dict) -> Iterator[tuple[str, str]]:
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


def _vae(name: str, config: dict) -> str:
    last = len(config["block_out_channels"]) - 1
    name = re.sub(r"down_blocks\.(\d)\.resnets", r"down.\1.block", name)
    name = re.sub(r"up_blocks\.(\d)\.resnets", lambda m: f"up.{last - int(m[1])}.block", name)
    name = re.sub(r"down_blocks\.(\d)\.downsamplers\.0", r"down.\1.downsample", name)
    name = re.sub(r"up_blocks\.(\d)\.upsamplers\.0", lambda m: f"up.{last - int(m[1])}.upsample", name)
    name = re.sub(r"mid_block\.resnets\.(\d)", lambda m: f"mid.block_{int(m[1]) + 1}", name)
    name = name.replace("conv_norm_out", "norm_out").replace("conv_shortcut", "nin_shortcut")
    return f"first_stage_model.{name}"


def _text(name: str, config: dict) -> str:
    return f"cond_stage_model.transformer.text_model.{name.removeprefix('text_model.')}"
