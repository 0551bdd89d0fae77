"""A model as a single file, with the names of Stable Diffusion 1.5's own code; diffusers has the way back."""

import re
from collections.abc import Mapping
from pathlib import Path

from safetensors.torch import load_file, save_file

from rf_app.plugins.original_names import original, unet_name
from rf_app.registry.checking import WEIGHTS, read_json


def save_single_file(pieces: Mapping[str, Path], target: Path) -> None:
    """Write the three pieces with weights into one file."""
    tensors = {}
    for piece in ("unet", "vae", "text_encoder"):
        stored = load_file(pieces[piece] / WEIGHTS[piece])
        config = read_json(pieces[piece] / "config.json")
        tensors |= {original(piece, name, config): tensor for name, tensor in stored.items()}
    save_file(tensors, target)


def save_controlnet_file(folder: Path, target: Path) -> None:
    """Write a ControlNet into a single file."""
    config = read_json(folder / "config.json")
    stored = load_file(folder / WEIGHTS["controlnet"])
    save_file({f"control_model.{_controlnet(name, config)}": stored[name] for name in stored}, target)


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
    own = name.startswith(("input_hint_block", "zero_convs", "middle_block_out"))
    return name if own else unet_name(name, config | {"up_block_types": []})
