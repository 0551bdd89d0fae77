"""A LoRA's file: read, checked, and fitted to a model's layers.

A LoRA changes a layer's weight by alpha / rank * up @ down (arXiv 2106.09685). Files differ in the names
only: diffusers and PEFT have a layer's path, kohya and civitai have it with "_" for "."; so a layer is found
by its path written the second way, whichever the file has.
"""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load
from torch import Tensor, nn
from transformers import CLIPTextModel

from rf_app.errors import UserError
from rf_app.plugins.checking import Header, TensorInfo, read_header
from rf_app.registry.controlnets import FAMILIES

MAX_FILE_BYTES = 256 * 2**20
MAX_RANK = 256
MAX_TRIGGER = 200
MAX_SETTINGS = 256 * 2**10  # letters of what diffusers writes beside the tensors
MAX_PATTERNS = 1000  # of alpha; each is compared with each layer's path
UNET, TEXT_ENCODER = "unet", "text_encoder"

HALF = re.compile(r"(.+?)[._]lora(?:_linear_layer)?[._](down|up|A|B)(?:\.[A-Za-z0-9-]+)?\.weight")
ALPHA = re.compile(r"(.+)\.alpha")
ORIGINAL = re.compile(r"(?:^|_)(?:input_blocks|middle_block|output_blocks|time_embed)_[0-9]")
OTHER_KINDS = {  # by a part of their tensors' names
    "dora_scale": "DoRA",
    "lora_magnitude_vector": "DoRA",
    "hada_": "LoHa",
    "lokr_": "LoKr",
    "oft_": "OFT",
    "lora_mid": "a Tucker decomposition",
    "lora_embedding": "a LoRA of embeddings",
    "emb_params": "a textual inversion",
    "bundle_emb": "a textual inversion",
}
OTHER_MODELS = {  # by how their layers' names begin
    "text_encoder_2_": "SDXL, which has a second text encoder",
    "lora_te2_": "SDXL, which has a second text encoder",
    "lora_te3_": "SD 3, which has three text encoders",
    "transformer_": "a transformer, as SD 3 and Flux have",
    "lora_transformer_": "a transformer, as SD 3 and Flux have",
    "diffusion_model_": "a transformer, as SD 3 and Flux have",
}
NO_ALPHA = "The file's lora_adapter_metadata does not say its lora_alpha as a number."
BEGINNINGS = {
    "lora_unet_": UNET,
    "unet_": UNET,
    "lora_te_": TEXT_ENCODER,
    "lora_te1_": TEXT_ENCODER,
    "text_encoder_": TEXT_ENCODER,
}


@dataclass(frozen=True)
class Layer:
    """The change of one layer's weight: scale * up @ down."""

    down: Tensor  # [rank, in] or [rank, in, h, w]
    up: Tensor  # [out, rank] or [out, rank, 1, 1]
    scale: float = 1.0  # alpha / rank


@dataclass(frozen=True)
class LoraFile:
    """Layers by their names in the file; trigger: the words that call it, if the file says so."""

    layers: dict[str, Layer]
    trigger: str

    @property
    def rank(self) -> int:
        """The highest of all layers."""
        return max(layer.down.shape[0] for layer in self.layers.values())


@dataclass(frozen=True)
class Fitted:
    """The layers of a LoRA by their paths in the model's U-Net and text encoder."""

    unet: dict[str, Layer]
    text_encoder: dict[str, Layer]

    def to(self, device: torch.device, dtype: torch.dtype) -> "Fitted":
        """The same on a device."""

        def moved(layers: dict[str, Layer]) -> dict[str, Layer]:
            return {
                path: replace(layer, down=layer.down.to(device, dtype), up=layer.up.to(device, dtype))
                for path, layer in layers.items()
            }

        return Fitted(moved(self.unet), moved(self.text_encoder))


def read_lora(path: Path) -> LoraFile:
    """The LoRA in a file that may come from anyone; raises UserError with the reason where it is none.

    The bytes that are checked are the bytes that are read.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise UserError(
            f"The file has {size / 2**20:,.0f} MB; at most {MAX_FILE_BYTES // 2**20} MB are accepted."
        )
    content = path.read_bytes()
    header = read_header(BytesIO(content), len(content))
    names = pair_up(header)
    tensors = load(content)
    for name, tensor in tensors.items():
        if not torch.isfinite(tensor).all():
            raise UserError(f"Tensor {name} holds values that are not finite numbers.")
    said = _adapter_settings(header.metadata)
    layers = {}
    for stem, (down, up) in names.items():
        rank = tensors[down].shape[0]
        scale = 1.0
        if f"{stem}.alpha" in tensors:
            scale = float(tensors[f"{stem}.alpha"]) / rank
        else:
            scale = _stated_scale(said, stem, rank)
        layers[stem] = Layer(tensors[down], tensors[up], scale)
    trigger = " ".join(header.metadata.get("modelspec.trigger_phrase", "").split())
    return LoraFile(layers, trigger[:MAX_TRIGGER])


def pair_up(header: Header) -> dict[str, tuple[str, str]]:
    """The names of each layer's two tensors, down and up, by the layer's name in the file.

    Raises UserError for a tensor that is no part of a LoRA, one without its other half, a rank above 256,
    and an alpha that is not one number.
    """
    halves: dict[str, dict[str, str]] = {}
    alphas: list[str] = []
    for name, info in header.tensors.items():
        if found := HALF.fullmatch(name):
            side = {"A": "down", "B": "up"}.get(found[2], found[2])
            if side in halves.setdefault(found[1], {}):
                raise UserError(f"Tensor {name}: layer {found[1]} has its {side} half twice.")
            if info.dtype == "I64":
                raise UserError(f"Tensor {name}: its type is I64; accepted are F32, F16 and BF16.")
            halves[found[1]][side] = name
        elif found := ALPHA.fullmatch(name):
            if math.prod(info.shape) != 1:
                raise UserError(f"Tensor {name}: its shape is {list(info.shape)}; an alpha is one number.")
            alphas.append(found[1])
        else:
            kind = next((kind for part, kind in OTHER_KINDS.items() if part in name), "")
            raise UserError(
                f"Tensor {name} belongs to {kind}; only plain LoRAs are accepted."
                if kind
                else f"Tensor {name} is no part of a LoRA, which has pairs of lora_down and lora_up."
            )
    for stem in [*halves, *alphas]:
        if set(halves.get(stem, ())) != {"down", "up"}:
            raise UserError(f"Layer {stem} of the LoRA lacks one of its halves, lora_down and lora_up.")
    pairs = {stem: (each["down"], each["up"]) for stem, each in halves.items()}
    for stem, (down, up) in pairs.items():
        _check_rank(stem, header.tensors[down], header.tensors[up])
    return pairs


def _check_rank(stem: str, down: TensorInfo, up: TensorInfo) -> None:
    if min(len(down.shape), len(up.shape)) < 2 or down.shape[0] != up.shape[1]:
        raise UserError(
            f"Layer {stem}: halves of shapes {list(down.shape)} and {list(up.shape)} have no rank in common."
        )
    if down.shape[0] > MAX_RANK:
        raise UserError(f"Layer {stem} has rank {down.shape[0]:,}; at most {MAX_RANK} is accepted.")


def _adapter_settings(metadata: Mapping[str, str]) -> dict[str, Any]:
    """What diffusers writes beside PEFT's tensors; of its values, numbers are all that is used."""
    text = metadata.get("lora_adapter_metadata", "{}")
    if len(text) > MAX_SETTINGS:
        raise UserError(
            f"The file's lora_adapter_metadata has {len(text):,} letters; "
            f"at most {MAX_SETTINGS:,} are accepted."
        )
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise UserError(NO_ALPHA)
    for name, patterns in said.items():
        if name.endswith(".alpha_pattern") and not (
            isinstance(patterns, dict) and len(patterns) <= MAX_PATTERNS
        ):
            raise UserError(
                f"The file's {name!r:.80} is no object of up to {MAX_PATTERNS:,} paths and their alphas."
            )
    return said


def _stated_scale(said: Mapping[str, Any], stem: str, rank: int) -> float:
    """alpha / rank of a layer by `_adapter_settings`; 1 where nothing is said, as PEFT has it."""
    part, _, path = stem.partition(".")
    alpha = said.get(f"{part}.lora_alpha", rank)
    for ending, own in said.get(f"{part}.alpha_pattern", {}).items():
        if path == ending or path.endswith(f".{ending}"):
            alpha = own
    try:
        scale = alpha / (math.sqrt(rank) if said.get(f"{part}.use_rslora") else rank)
    except (TypeError, OverflowError):
        scale = math.nan
    if not math.isfinite(scale):
        raise UserError(NO_ALPHA)
    return scale


def fit(lora: LoraFile, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> Fitted:
    """The layers by their paths in a model; raises UserError with the reason where they are another's."""
    _check_width(lora, unet)
    modules = {UNET: _by_flat_name(unet), TEXT_ENCODER: _by_flat_name(text_encoder)}
    found: dict[str, dict[str, Layer]] = {UNET: {}, TEXT_ENCODER: {}}
    for stem, layer in lora.layers.items():
        part, path = _place(stem, modules)
        if path in found[part]:
            raise UserError(f"Layer {stem}: {path} is in the file twice, under two names.")
        weight = modules[part][path.replace(".", "_")][1].weight
        down, up, own = (tuple(each.shape) for each in (layer.down, layer.up, weight))
        if _size(down) != _size(own) or up[0] != own[0] or math.prod(up[2:]) != 1:
            raise UserError(
                f"Layer {stem} has halves of shapes {list(down)} and {list(up)}, "
                f"which do not fit this model's weight of shape {list(own)}."
            )
        found[part][path] = layer
    return Fitted(found[UNET], found[TEXT_ENCODER])


def _size(shape: tuple[int, ...]) -> tuple[int, ...]:
    """What a layer takes in, the same for a convolution of one pixel and a linear layer."""
    return (shape[1], *(size for size in shape[2:] if size != 1))


def _check_width(lora: LoraFile, unet: UNet2DConditionModel) -> None:
    """Refuse by the width of the text that the U-Net listens to: it tells the families apart."""
    own = unet.config.cross_attention_dim
    for stem, layer in lora.layers.items():
        width = layer.down.shape[1]
        if re.search(r"attn2[._](processor[._])?to[._][kv]$", stem) and width != own:
            family = f"{FAMILIES[width]}, " if width in FAMILIES else "another model, "
            raise UserError(f"It was made for {family}cross-attention width {width}; this model has {own}.")


def _by_flat_name(module: nn.Module) -> dict[str, tuple[str, nn.Module]]:
    """Path and layer by the path with "_" for "."."""
    return {
        path.replace(".", "_"): (path, layer)
        for path, layer in module.named_modules()
        if isinstance(layer, (nn.Linear, nn.Conv2d))
    }


def _place(stem: str, modules: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """The part of the model and the path in it that a layer's name in the file means."""
    flat = stem.replace(".", "_").removeprefix("base_model_model_").replace("_processor_", "_")
    if ORIGINAL.search(flat):
        raise UserError(
            f"Layer {stem} is named as in the original Stable Diffusion code; the names that are read are "
            "those of diffusers, PEFT and kohya, with down_blocks, mid_block and up_blocks: convert the file."
        )
    for beginning, model in OTHER_MODELS.items():
        if flat.startswith(beginning):
            raise UserError(f"It was made for {model}; this model has none. (Layer {stem}.)")
    beginning = next((each for each in BEGINNINGS if flat.startswith(each)), "")
    rest = flat.removeprefix(beginning)
    for part in [BEGINNINGS[beginning]] if beginning else [UNET, TEXT_ENCODER]:
        # to_out is a list in the model; text_model is a level that transformers 5 no longer has.
        for name in (rest, f"{rest}_0", rest.removeprefix("text_model_"), f"text_model_{rest}"):
            if name in modules[part]:
                return part, modules[part][name][0]
    raise UserError(f"Layer {stem} of the LoRA is none of this model's: it was made for another model.")
