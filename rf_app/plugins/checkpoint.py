"""All weights of a model by piece and name, read one tensor at a time: of a folder, or of a single file.

A single file, as Stable Diffusion 1.5's own code and most fine-tunes have it, holds all pieces under names of
its own. Diffusers knows them: its converters get stand-ins here, which have a shape and no values, and what
they return says where each tensor comes from.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import torch
from diffusers.loaders.single_file_utils import (
    convert_ldm_clip_checkpoint,
    convert_ldm_unet_checkpoint,
    convert_ldm_vae_checkpoint,
    convert_open_clip_checkpoint,
)
from safetensors import safe_open
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.plugins.checking import ITEM_BYTES, Header, read_header
from rf_app.registry.checking import CONFIGS, OF_TRANSFORMERS, WEIGHTS, no_weights, read_json
from rf_app.registry.file_recognition import MODEL, check_file
from rf_app.registry.loading import model_class

PIECES = ("unet", "vae", "text_encoder")  # those with weights
DTYPES = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}
STORED = {"F64": "F32", "F8_E4M3": "F16", "F8_E5M2": "F16"}  # what others become when they are written
UNET = "model.diffusion_model."
OPEN_CLIP = "cond_stage_model.model."  # the text encoder of Stable Diffusion 2
RENAMED = "conditioner.embedders.0."  # "cond_stage_model.", by the code that SD-Turbo was made with
OLD_NAMES = {".query.": ".to_q.", ".key.": ".to_k.", ".value.": ".to_v.", ".proj_attn.": ".to_out.0."}
BESIDE = ("position_ids", "text_projection.", "logit_scale")
"""What files have among the text encoder's tensors, and Stable Diffusion has no use for."""


@dataclass(frozen=True)
class Place:
    """Where a tensor lies, and its shape once it is read; rows: those that are meant, where not all are."""

    file: Path
    name: str
    dtype: str  # one of DTYPES, for a weight
    shape: tuple[int, ...]
    rows: tuple[int, int] | None = None

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return len(self.shape)

    def __getitem__(self, index: Any) -> "Place":
        """What diffusers' converters ask for: rows, or a convolution of one pixel as the matrix it is."""
        rows = index[0] if isinstance(index, tuple) else index
        if rows == slice(None):
            return replace(self, shape=self.shape[:2])
        begin, end, _ = rows.indices(self.shape[0])
        return replace(self, rows=(begin, end), shape=(end - begin, *self.shape[1:]))

    def clone(self) -> "Place":
        """The same, as its values are never written to; converters copy what they take apart."""
        return self

    detach = clone

    def read(self) -> Tensor:
        """The tensor, the file closed again: nothing else of it stays in memory."""
        with safe_open(self.file, framework="pt") as opened:
            tensor = opened.get_tensor(self.name)
            if self.rows:
                tensor = tensor[slice(*self.rows)]
            return tensor.reshape(self.shape).clone()


Weights = dict[str, dict[str, Place]]
"""Places by piece and by the tensor's name in diffusers."""


def of_folders(pieces: Mapping[str, Path]) -> Weights:
    """The weights of a model's piece folders; raises UserError for a file that is missing or not sound."""
    found = {name: find_weights(pieces[name]) for name in WEIGHTS if name in pieces}
    return {name: _named(name, places(path)) for name, path in found.items()}


def of_single_file(path: Path, configs: Mapping[str, Mapping[str, Any]]) -> Weights:
    """The weights of a single file; pieces that it does not have are left out.

    configs: of the pieces of a model of the same shape. Raises UserError for a file that is not
    sound or no model.
    """
    found = places(path)
    check_file(path.name, {name: place.shape for name, place in found.items()}, MODEL)
    return in_pieces(path.name, found, configs)


def header_of(path: Path) -> Header:
    """The header of a safetensors file that may come from anyone; raises UserError where it is not sound."""
    try:
        with path.open("rb") as file:
            return read_header(file, path.stat().st_size)
    except UserError as error:
        raise UserError(f"{path.name}: {error}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}).") from None


def places(path: Path) -> dict[str, Place]:
    """The tensors of a safetensors file by their names in it; raises UserError where it is not sound."""
    return places_in(header_of(path), path)


def places_in(header: Header, path: Path) -> dict[str, Place]:
    """The same by the header of a file, which need not be there yet."""
    return {
        name: Place(path, name, STORED.get(info.dtype, info.dtype), info.shape)
        for name, info in header.tensors.items()
    }


def in_pieces(called: str, found: dict[str, Place], configs: Mapping[str, Mapping[str, Any]]) -> Weights:
    """The tensors of a single file by piece and diffusers' names, see `of_single_file`; called: its name.

    A U-Net by itself may have diffusers' names already. What is not used of the file is no part of a model,
    such as the averages of its training; but of the U-Net everything has to be.
    """
    if "input_blocks.0.0.weight" in found:  # the original code's U-Net by itself
        found = {f"{UNET}{name}": place for name, place in found.items()}
    found = {
        f"cond_stage_model.{name.removeprefix(RENAMED)}" if name.startswith(RENAMED) else name: place
        for name, place in found.items()
    }
    unet = [name for name in found if name.startswith(UNET)]
    vae = {name: place for name, place in found.items() if name.startswith("first_stage_model.")}
    if not unet:
        converted = {"unet": found}
    else:
        try:
            converted = {
                "unet": convert_ldm_unet_checkpoint({name: found[name] for name in unet}, configs["unet"]),
                "vae": convert_ldm_vae_checkpoint(vae, configs["vae"]) if vae else {},
                "text_encoder": _text_encoder(found, configs["text_encoder"]),
            }
        except (KeyError, IndexError, AttributeError, TypeError) as error:
            raise UserError(f"{called}: its tensors are not those of a whole model ({error}).") from None
        if unused := {found[name].name for name in unet} - {each.name for each in converted["unet"].values()}:
            raise UserError(f"{called}: its U-Net has {min(unused)}, which Stable Diffusion's has not.")
    weights = {name: _named(name, piece) for name, piece in converted.items() if piece}
    for place in (place for piece in weights.values() for place in piece.values()):
        if place.dtype not in DTYPES:
            raise UserError(
                f"{called}: {place.name} is of the type {place.dtype}; expected {', '.join(DTYPES)}."
            )
    return weights


def _text_encoder(found: dict[str, Place], config: Mapping[str, Any]) -> dict[str, Place]:
    if any(name.startswith(OPEN_CLIP) for name in found):
        return convert_open_clip_checkpoint(SimpleNamespace(config=SimpleNamespace(**config)), found)
    return convert_ldm_clip_checkpoint(found)


def empty(piece: str, config: Mapping[str, Any]) -> nn.Module:
    """A piece with weights as its config has it, without values: its tensors have names and shapes only."""
    cls = model_class(piece, config)
    with torch.device("meta"):
        if piece in OF_TRANSFORMERS:
            return cls(cls.config_class.from_dict(dict(config)))
        return cls.from_config(config)


def shapes_of(module: nn.Module | Mapping[str, Place]) -> dict[str, tuple[int, ...]]:
    """The shapes of tensors by diffusers' names."""
    found = module.state_dict() if isinstance(module, nn.Module) else module
    return {short(name): tuple(tensor.shape) for name, tensor in found.items()}


def find_weights(folder: Path) -> Path:
    """A piece's weights, of half size where there are two; raises UserError where none are safetensors."""
    names = weights_names(folder.name)
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise no_weights(folder / names[-1], (path.name for path in folder.glob("*")))


def weights_names(piece: str) -> tuple[str, str]:
    """What a piece's weights are called: of half size, and whole."""
    whole = WEIGHTS[piece]
    return whole.replace(".safetensors", ".fp16.safetensors"), whole


def configs_of(pieces: Mapping[str, Path]) -> dict[str, dict[str, Any]]:
    """The configs of a model's pieces that have weights."""
    return {name: read_json(pieces[name] / CONFIGS[name]) for name in PIECES}


def write_tensors(
    path: Path,
    like: Mapping[str, Place],
    read: Callable[[str], Tensor],
    said: Mapping[str, str] | None = None,
) -> None:
    """Write a safetensors file of tensors with the names, shapes and types of `like`, one at a time.

    read: gives a tensor by its name, of any type. Nothing but that tensor is held in memory. said: more for
    the header, which is text by names.
    """
    header: dict[str, Any] = {"__metadata__": {"format": "pt", **(said or {})}}
    end = 0
    for name, place in like.items():
        begin, end = end, end + ITEM_BYTES[place.dtype] * torch.Size(place.shape).numel()
        header[name] = {"dtype": place.dtype, "shape": place.shape, "data_offsets": (begin, end)}
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name, place in like.items():
            tensor = read(name).to(DTYPES[place.dtype]).contiguous()
            file.write(tensor.reshape(-1).view(torch.uint8).numpy().data)


def short(name: str) -> str:
    """A tensor's name as today's libraries have it, without `text_model.` and an attention's old names."""
    name = name.removeprefix("text_model.")
    for old, new in OLD_NAMES.items():
        name = name.replace(old, new)
    return name


def _named(piece: str, found: Mapping[str, Place]) -> dict[str, Place]:
    return {
        short(name): place
        for name, place in found.items()
        if piece != "text_encoder" or not any(other in name for other in BESIDE)
    }
