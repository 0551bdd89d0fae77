"""A LoRA's file: read, checked, and fitted to a model's layers."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import torch
from diffusers import UNet2DConditionModel
from safetensors.torch import load
from torch import nn
from transformers import CLIPTextModel

from rf_app.errors import UserError
from rf_app.plugins.adapters import CORES, RANKS, Layer
from rf_app.plugins.checking import Header, read_header
from rf_app.plugins.checkpoint import DTYPES, STORED
from rf_app.plugins.lora_header import said_in
from rf_app.plugins.lora_names import TEXT_ENCODER, UNET, Names, check_made_for
from rf_app.registry.controlnets import FAMILIES
from rf_app.registry.file_recognition import LORA, WIDTHS, other_base
from rf_app.registry.stacked import SECOND

MAX_FILE_BYTES = 2**30
MAX_RANK = 1024
MAX_SETTINGS = 256 * 2**10  # letters of what diffusers writes beside the tensors
MAX_PATTERNS = 1000  # of alpha; each is compared with each layer's path

PLAIN = re.compile(
    r"(?P<stem>.+?)[._]lora(?:_linear_layer)?[._](?P<part>down|up|mid|A|B)(?:\.[\w-]+)?\.weight"
)
NAMED = re.compile(
    r"(?P<stem>.+)\.(?P<part>alpha|dora_scale|diff|diff_b|w_norm|b_norm|hada_w[12]_[ab]|hada_t[12]"
    r"|lokr_w[12](?:_[ab])?|lokr_t2|lora_magnitude_vector)(?:\.(?:[\w-]+\.)?weight)?"
)
LISTENING = re.compile(r"attn2[._](processor[._])?to[._][kv]$")  # the layers that take the text in
PARTS = {
    **{"A": "lora_down", "B": "lora_up", "down": "lora_down", "up": "lora_up", "mid": "lora_mid"},
    **{"w_norm": "diff", "b_norm": "diff_b", "lora_magnitude_vector": "dora_scale"},
}
"""What LyCORIS calls parts that others call otherwise."""
HELD = DTYPES | {name: DTYPES[wider] for name, wider in STORED.items()}
"""How values of a type are held."""
OTHER_FORMS = {  # by how their tensors' names end
    r"\.b?oft_\w+(\..*)?": "OFT or BOFT",
    r"\.(on_input|ia3_l(\..*)?)": "IA3",
    r"\.[ab][12]\.weight": "GLoRA",
    r"\.(up|down)_list\..*": "DyLoRA, its ranks apart",
    r"\.vera_lambda_\w+(\..*)?": "VeRA",
}
OTHER_KINDS = {  # by a part of their tensors' names
    "lora_embedding": "a LoRA of embeddings",
    "emb_params": "a textual inversion",
    "bundle_emb": "a textual inversion",
}
ACCEPTED = "accepted are LoRA, DoRA, LoHa, LoKr and full differences"
NO_ALPHA = "The file's lora_adapter_metadata does not say its lora_alpha as a number."


@dataclass(frozen=True)
class LoraFile:
    """Layers by their names in the file. said: what its header says, fields of `LoraCard`. unused: the names
    of tensors that are no part of a LoRA.
    """

    layers: dict[str, Layer]
    said: dict[str, Any]
    unused: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """The layers of a LoRA by their paths in the model's U-Net and text encoder.

    unused: the names of layers that the model has not.
    """

    unet: dict[str, Layer]
    text_encoder: dict[str, Layer]
    unused: tuple[str, ...] = ()

    def to(self, device: torch.device) -> "Fitted":
        """The same on a device."""
        parts = (self.unet, self.text_encoder)
        return Fitted(
            *({path: layer.to(device) for path, layer in part.items()} for part in parts), self.unused
        )


def read_lora(path: Path) -> LoraFile:
    """The LoRA in a file that may come from anyone; raises UserError with the reason where it is none.

    The bytes that are checked are the bytes that are read.
    """
    size = path.stat().st_size
    if size > MAX_FILE_BYTES:
        raise too_large(size, MAX_FILE_BYTES)
    content = path.read_bytes()
    header = read_header(BytesIO(content), len(content))
    stems, unused = sort_out(header)
    check_made_for(stems)
    tensors = load(content)
    said = _adapter_settings(header.metadata)
    layers = {}
    for stem, names in stems.items():
        held = {}
        for part, name in names.items():
            # Neither infinite nor too large a number for the type that it is held in.
            held[part] = tensors[name].to(HELD.get(header.tensors[name].dtype, torch.float32))
            if not torch.isfinite(held[part]).all():
                raise UserError(f"Tensor {name} holds values that are not finite numbers.")
            if "magnitude" in name:  # PEFT's are of the outputs, whatever their shape
                held[part] = held[part].flatten()
        alpha = held.pop("alpha", None)
        layer = Layer(held)
        if not layer.whole:
            raise _not_whole(stem, held)
        if layer.rank:
            scale = _stated_scale(said, stem, layer.rank) if alpha is None else float(alpha) / layer.rank
            layer = Layer(held, scale)
        layers[stem] = layer
    return LoraFile(layers, said_in(header.metadata), unused)


def check_header(name: str, header: Header, size: int) -> None:
    """Raise UserError for a LoRA's file of `size` bytes that by its header `read_lora` would refuse, or no
    model here can take. name: what it is called.
    """
    if size > MAX_FILE_BYTES:
        raise too_large(size, MAX_FILE_BYTES)
    stems, _ = sort_out(header)
    check_made_for(stems)
    for stem, names in stems.items():
        tensors = {
            part: torch.empty(header.tensors[each].shape, device="meta") for part, each in names.items()
        }
        tensors.pop("alpha", None)
        layer = Layer(tensors)
        if not layer.whole:
            raise _not_whole(stem, tensors)
        into = _shape(stem, layer)[1:2]
        if LISTENING.search(stem) and into and into[0] in WIDTHS:
            raise other_base(name, LORA, into[0])


def too_large(size: int, most: int) -> UserError:
    """What is said of a file of so many bytes."""
    return UserError(f"The file has {size / 2**20:,.0f} MB; at most {most // 2**20:,} MB are accepted.")


def _not_whole(stem: str, parts: Iterable[str]) -> UserError:
    return UserError(f"Layer {stem} of the LoRA lacks a part: it has {' and '.join(parts) or 'alpha'} alone.")


def sort_out(header: Header) -> tuple[dict[str, dict[str, str]], tuple[str, ...]]:
    """The names of each layer's tensors by their part, by the layer's name; and what is no part of a LoRA.

    Raises UserError for a file without any, a form that is not merged here, a rank above 1,024, and an alpha
    that is not one number.
    """
    stems: dict[str, dict[str, str]] = defaultdict(dict)
    unused = []
    for name, info in header.tensors.items():
        form = next((form for end, form in OTHER_FORMS.items() if re.search(f"{end}$", name)), "")
        if form:
            raise UserError(
                f"Tensor {name} belongs to {form}; {ACCEPTED}. Merge it into a model with the program that "
                "it was made with, and import that."
            )
        found = PLAIN.fullmatch(name) or NAMED.fullmatch(name)
        if not found:
            unused.append(name)
            continue
        stem, part = found["stem"], PARTS.get(found["part"], found["part"])
        if part in stems[stem]:
            raise UserError(f"Tensor {name}: layer {stem} has its {part} twice.")
        if part == "alpha" and math.prod(info.shape) != 1:
            raise UserError(f"Tensor {name}: its shape is {list(info.shape)}; an alpha is one number.")
        if part != "alpha" and not info.shape:
            raise UserError(f"Tensor {name}: is a single number, which only an alpha can be.")
        if part != "alpha" and info.dtype not in HELD:
            raise UserError(
                f"Tensor {name}: its type is {info.dtype}; accepted are {', '.join(sorted(HELD))}."
            )
        ranks = info.shape[: (part in RANKS) + 2 * (part in CORES)]
        if ranks and max(ranks) > MAX_RANK:
            raise UserError(f"Layer {stem} has rank {max(ranks):,}; at most {MAX_RANK:,} is accepted.")
        stems[stem][part] = name
    if not stems:
        kind = next((kind for part, kind in OTHER_KINDS.items() if part in unused[0]), "")
        raise UserError(
            f"Tensor {unused[0]} belongs to {kind}; {ACCEPTED}."
            if kind
            else f"Tensor {unused[0]} is no part of a LoRA, which has pairs of lora_down and lora_up."
        )
    return stems, tuple(unused)


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
    """The layers by their paths in a model, of two stacked U-Nets in both; raises UserError with the reason
    where they are another's.
    """
    names = Names(unet, text_encoder, lora.layers)
    shapes = {stem: _shape(stem, layer) for stem, layer in lora.layers.items()}
    _check_width(shapes, unet)
    found: dict[str, dict[str, Layer]] = {UNET: {}, TEXT_ENCODER: {}}
    unused = {}
    for stem, layer in lora.layers.items():
        place = names.place(stem)
        if not place:
            unused[stem] = names.part(stem)
            continue
        part, path = place
        if path in found[part]:
            raise UserError(f"Layer {stem}: {path} is in the file twice, under two names.")
        _check_fit(stem, layer, shapes[stem], names.modules[part].get_submodule(path))
        found[part][path] = layer
    for stem, part in unused.items():  # a text encoder may fit a LoRA for another base, a U-Net does not
        if not found[UNET] and (part == UNET or not found[TEXT_ENCODER]):
            raise UserError(
                f"Layer {stem} of the LoRA is none of this model's: it was made for another model."
            )
    second = {path for path, _ in unet.named_modules() if path.startswith(SECOND)}
    twins = {f"{SECOND}{path}": layer for path, layer in found[UNET].items()}
    found[UNET] |= {path: twins[path] for path in twins.keys() & second - found[UNET].keys()}
    return Fitted(found[UNET], found[TEXT_ENCODER], tuple(unused))


def _shape(stem: str, layer: Layer) -> tuple[int, ...]:
    """The shape of the change of a layer's weight; () where it changes none."""
    try:
        return layer.shape() if "weight" in layer.changes() else ()
    except (RuntimeError, IndexError):
        shapes = ", ".join(f"{list(tensor.shape)}" for tensor in layer.tensors.values())
        raise UserError(f"Layer {stem}: tensors of shapes {shapes} do not go together.") from None


def _check_fit(stem: str, layer: Layer, shape: tuple[int, ...], module: nn.Module) -> None:
    for name in layer.changes():
        own = getattr(module, name, None)
        made = shape if name == "weight" else tuple(layer.tensors["diff_b"].shape)
        fits = own is not None and made[:1] == own.shape[:1] and math.prod(made) == own.numel()
        try:
            fits = fits and bool(layer.to("meta").difference(name, own.to("meta")).shape)
        except RuntimeError:  # DoRA's magnitudes
            fits = False
        if not fits:
            has = f"a {name} of shape {list(own.shape)}" if own is not None else f"no {name}"
            raise UserError(
                f"Layer {stem} changes a {name} of shape {list(made)}; this model has {has} there."
            )


def _check_width(shapes: Mapping[str, tuple[int, ...]], unet: UNet2DConditionModel) -> None:
    """Refuse by the width of the text that the U-Net listens to: it tells the families apart."""
    own = unet.config.cross_attention_dim
    for stem, shape in shapes.items():
        if LISTENING.search(stem) and shape[1:] and shape[1] != own:
            family = f"{FAMILIES[shape[1]]}, " if shape[1] in FAMILIES else "another model, "
            raise UserError(
                f"It was made for {family}cross-attention width {shape[1]}; this model has {own}."
            )
