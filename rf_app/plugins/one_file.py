"""A model, or a LoRA, as the one safetensors file that ComfyUI, Forge and A1111 read.

A model has the names of Stable Diffusion 1.5's own code, and the types of its weights; a LoRA has kohya's
names. The file's header says what it is, for other programs as modelspec has it
(github.com/Stability-AI/ModelSpec), for ours with the card and the scheduler.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from rf_app.errors import UserError
from rf_app.plugins.adapters import Layer
from rf_app.plugins.checkpoint import (
    Place,
    Weights,
    configs_of,
    empty,
    header_of,
    in_pieces,
    of_folders,
    shapes_of,
    write_tensors,
)
from rf_app.plugins.lora import Fitted, LoraFile, fit
from rf_app.plugins.original_names import VAE_MATRIX, original
from rf_app.registry.card import ModelCard, card_of
from rf_app.registry.checking import TINY
from rf_app.registry.loras import LoraCard

OURS = "instaflow"  # the field of the header that is ours
SD2_WIDTH = 1024  # of Stable Diffusion 2's texts, whose encoder has other names there
OPPOSITE = "model.diffusion_model.out.2."  # the U-Net's last layer
NAMED = ("lora_down", "lora_up", "lora_mid")  # whose names end in ".weight"
Report = Callable[[float, float, str], None]


def write_model(
    target: Path,
    card: ModelCard,
    pieces: Mapping[str, Path],
    scheduler: Mapping[str, Any],
    negated: bool,
    report: Report,
) -> None:
    """Write a model's three pieces with weights into one file, a tensor at a time.

    scheduler: the config of its own, for the header. negated: the U-Net's last layer with the other sign, as
    flow matching elsewhere has it. Raises UserError for a shape that is none of Stable Diffusion 1.x.
    """
    configs, weights = configs_of(pieces), of_folders(pieces)
    if configs["unet"].get("cross_attention_dim") == SD2_WIDTH or configs["vae"].get("_class_name") == TINY:
        raise _other_shape(card.id)
    places = in_original_names(card.id, configs, weights)
    total, done = sum(file.stat().st_size for file in {place.file for place in places.values()}), 0

    def read(name: str) -> Tensor:
        nonlocal done
        tensor = places[name].read()
        done += tensor.nbytes
        report(min(done, total), total, "Converting")
        return -tensor if negated and name.startswith(OPPOSITE) else tensor

    write_tensors(target, places, read, _header(card, scheduler))


def in_original_names(
    id: str, configs: Mapping[str, Mapping[str, Any]], weights: Weights
) -> dict[str, Place]:
    """The tensors of a model by the names, and with the shapes, that the original code has.

    Raises UserError for a model that diffusers would not read again from them.
    """
    found = {}
    try:
        for piece in configs:
            for name, place in weights[piece].items():
                called = original(piece, name, configs[piece])
                matrix = place.ndim == 2 and VAE_MATRIX.fullmatch(called)
                found[called] = replace(place, shape=(*place.shape, 1, 1)) if matrix else place
        again = in_pieces(id, found, configs)
    except (KeyError, TypeError, UserError):
        raise _other_shape(id) from None
    if any(shapes_of(again[piece]) != shapes_of(empty(piece, config)) for piece, config in configs.items()):
        raise _other_shape(id)
    return found


def write_lora(target: Path, card: LoraCard, fitted: Fitted) -> None:
    """Write a LoRA that has been fitted to a model into one file, with kohya's names."""
    tensors = {}
    for beginning, layers in (("lora_unet_", fitted.unet), ("lora_te_text_model_", fitted.text_encoder)):
        for path, layer in layers.items():
            stem = beginning + path.removeprefix("text_model.").replace(".", "_")
            tensors |= {f"{stem}.{name}": tensor for name, tensor in _named(layer)}
    said = {"modelspec.title": card.title, "modelspec.license": card.license}
    said |= {"modelspec.trigger_phrase": card.trigger} if card.trigger else {}
    said |= {"modelspec.lora_default_weight": f"{card.strength:g}"} if card.strength != 1 else {}
    save_file(tensors, target, {"format": "pt", "ss_network_module": "networks.lora", **said})


def fitted_to(lora: LoraFile, pieces: Mapping[str, Path]) -> Fitted:
    """The layers of a LoRA by their paths in a model, whose weights are not read; raises what `fit` does."""
    configs = configs_of(pieces)
    return fit(lora, empty("unet", configs["unet"]), empty("text_encoder", configs["text_encoder"]))


def said_by_us(path: Path) -> tuple[ModelCard, dict[str, Any]] | None:
    """The card and the scheduler's config in the header of a file, or what it says of them: anyone may write
    it. None where there is none that can be read.
    """
    try:
        said = json.loads(header_of(path).metadata.get(OURS, "null"))
        return card_of(ModelCard, "file", said["card"]), dict(said["scheduler"])
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None


def _header(card: ModelCard, scheduler: Mapping[str, Any]) -> dict[str, str]:
    said = {"title": card.title, "license": card.license, "architecture": "stable-diffusion-v1"}
    said |= {"sai_model_spec": "1.0.1", "resolution": f"{card.resolution}x{card.resolution}"}
    prediction = scheduler.get("prediction_type", "epsilon")
    said |= {"prediction_type": "v"} if prediction == "v_prediction" else {}
    ours = {name: value for name, value in vars(card).items() if name not in ("id", "base_model")}
    spec = {f"modelspec.{name}": value for name, value in said.items()}
    return spec | {OURS: json.dumps({"card": ours, "scheduler": dict(scheduler)})}


def _other_shape(id: str) -> UserError:
    return UserError(
        f"{id} cannot be one file: its shape is not that of Stable Diffusion 1.x. Export it as a folder of "
        "diffusers."
    )


def _named(layer: Layer) -> list[tuple[str, Tensor]]:
    named = [
        (f"{name}.weight" if name in NAMED else name, tensor.contiguous())
        for name, tensor in layer.tensors.items()
    ]
    return [*named, ("alpha", torch.tensor(layer.scale * layer.rank))] if layer.rank else named
