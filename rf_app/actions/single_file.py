"""A single file of Stable Diffusion 1.x or 2.x, or of another shape of model that is here, taken apart.

It lacks a tokenizer and configurations: those of Stable Diffusion lie in assets/. One that has the U-Net
alone is given the rest of a model at hand. A ControlNet's file becomes a folder by the same means.
"""

import json
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from diffusers import ControlNetModel, UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_controlnet_checkpoint
from torch import Tensor, nn

from rf_app.actions.fetching import check_room
from rf_app.actions.reported import Report
from rf_app.actions.sharing import name_again
from rf_app.errors import UserError
from rf_app.plugins.checking import Header
from rf_app.plugins.checkpoint import (
    Place,
    Weights,
    configs_of,
    empty,
    header_of,
    in_pieces,
    places,
    places_in,
    shapes_of,
    write_tensors,
)
from rf_app.plugins.one_file import said_by_us
from rf_app.registry.card import write_card
from rf_app.registry.checking import BORROWED, CONFIGS, OWN, TINY, WEIGHTS, read_json
from rf_app.registry.file_recognition import MODEL
from rf_app.registry.models import Registry
from rf_app.settings.bundled import ASSETS

SD1 = ASSETS / "stable-diffusion-1"
SD2 = ASSETS / "stable-diffusion-2"  # what is another there
LARGE = 96  # latents a side, of those of Stable Diffusion 2 that predict v
SPREAD = 0.09
"""The standard deviation of the biases of a U-Net's last norm before an attention, above which it predicts v.
So ComfyUI tells it (`comfy/supported_models.py`), as the files of Stable Diffusion 2 do not say it.
"""
TITLES = {"vae": "autoencoder", "text_encoder": "text encoder"}  # what a single file may lack
VELOCITY = re.compile(r"^\s*parameterization:\s*[\"']?v[\"']?\s*$", re.MULTILINE)
MAX_YAML = 65_536  # bytes
EMBEDDING = re.compile(
    r"(?:control_model\.)?input_hint_block\.(?:0|4|8|12)\.weight"
    r"|controlnet_cond_embedding\.(?:conv_in|blocks\.[135])\.weight"
)
"""Of a ControlNet's convolutions that take the map in, those after which it is wider."""


def gather_single_file(registry: Registry, path: Path, files: Path, report: Report) -> str:
    """Write the pieces of a single file; returns the model at hand whose other pieces it was given, or "".

    Raises UserError for a file of another shape than those that are known here.
    """
    layout, weights, lender = _layout(registry, path.name, places(path))
    lacking = [piece for piece in TITLES if piece not in weights]
    lent = registry.pieces(lender) if lender else layout
    check_room(path, path.stat().st_size, files)
    predicts, sizes = _prediction(path, layout, weights), {}
    if layout["unet"].parent == SD2 and predicts.get("prediction_type") == "v_prediction":
        sizes["unet"] = {"sample_size": LARGE}
    for piece in weights:
        config = read_json(layout[piece] / CONFIGS[piece]) | sizes.get(piece, {})
        (files / piece).mkdir(exist_ok=True)
        (files / piece / CONFIGS[piece]).write_text(json.dumps(config))
    _write(path, {files / piece / WEIGHTS[piece]: found for piece, found in weights.items()}, report)
    for piece in (*lacking, "tokenizer"):
        name_again(lent[piece], files / piece)
    if lent["unet"].parent == SD2:
        (files / "tokenizer" / CONFIGS["tokenizer"]).unlink()  # it is another name of that of 1.x
        shutil.copyfile(SD2 / "tokenizer" / CONFIGS["tokenizer"], files / "tokenizer" / CONFIGS["tokenizer"])
    scheduler = read_json(layout["scheduler"] / CONFIGS["scheduler"]) | predicts
    if ours := said_by_us(path):
        card, scheduler = ours
        write_card(files, card)
    (files / "scheduler").mkdir(exist_ok=True)
    (files / "scheduler" / CONFIGS["scheduler"]).write_text(json.dumps(scheduler))
    return lender


def gather_controlnet_file(registry: Registry, path: Path, files: Path, report: Report) -> None:
    """Write a ControlNet's single file as a folder of diffusers'.

    Raises UserError for one of another shape than the models that are known here.
    """
    config, weights = _controlnet(registry, path.name, places(path))
    check_room(path, path.stat().st_size, files)
    (files / CONFIGS["controlnet"]).write_text(json.dumps(config))
    _write(path, {files / WEIGHTS["controlnet"]: weights}, report)


def check_layout(registry: Registry, what: str, called: str, header: Header) -> None:
    """Raise UserError for a single file that its header tells cannot be taken apart; what it is."""
    (_layout if what == MODEL else _controlnet)(registry, called, places_in(header, Path(called)))


def gather_decoder_file(path: Path, files: Path, report: Report) -> None:
    """Write a tiny decoder's single file as a folder of diffusers'; TAESD's own names its layers by number.

    Raises UserError for one whose first layer is no convolution.
    """
    found = places(path)
    weights = {
        f"decoder.layers.{int(numbered[1]) - 1}.{numbered[2]}": place
        for name, place in found.items()
        if (numbered := re.fullmatch(r"([0-9]+)\.(.+)", name))
    }
    weights = weights or {name: place for name, place in found.items() if name.startswith("decoder.")}
    first = weights.get("decoder.layers.0.weight")
    if first is None or first.ndim != 4:
        raise UserError(f"{path.name}: is a tiny decoder of another layout; expected that of TAESD.")
    width, channels, *_ = first.shape
    widths = {f"{name}_block_out_channels": [width] * 4 for name in ("encoder", "decoder")}
    config = {"_class_name": TINY, "latent_channels": channels, **widths}
    (files / CONFIGS["decoder"]).write_text(json.dumps(config))
    _write(path, {files / WEIGHTS["decoder"]: weights}, report)


def _write(path: Path, targets: Mapping[Path, Mapping[str, Place]], report: Report) -> None:
    """Write the tensors of a single file into files of their own; those that are there are whole."""
    total, done = path.stat().st_size, 0
    for target, weights in targets.items():
        if target.exists():
            continue
        # Older versions of transformers need this level in the names, newer ones do without.
        level = "text_model." if target.parent.name == "text_encoder" else ""
        stored = {f"{level}{name}": place for name, place in weights.items()}

        def read(name: str, places: Mapping[str, Place] = stored) -> Tensor:
            nonlocal done
            tensor = places[name].read()
            done += tensor.nbytes
            report(min(done, total), total, "Converting")
            return tensor

        write_tensors(target.with_suffix(".part"), stored, read)
        target.with_suffix(".part").replace(target)


def layouts(registry: Registry) -> Iterator[dict[str, Path]]:
    """The piece folders of each shape of model: Stable Diffusion 1.x and 2.x, then those at hand."""
    first = {piece: SD1 / piece for piece in (*OWN, *BORROWED)}
    yield first
    yield first | {piece: SD2 / piece for piece in ("unet", "text_encoder")}
    seen = []
    for card in registry.cards():
        pieces = registry.pieces(card.id)
        if card.kind == "diffusion" and (configs := configs_of(pieces)) not in seen:
            seen.append(configs)
            yield pieces


def _layout(registry: Registry, called: str, found: dict[str, Place]) -> tuple[dict[str, Path], Weights, str]:
    """The piece folders of a model whose names and shapes a single file has, its tensors, and the model at
    hand that lends what it lacks, or "".
    """
    faults = []
    for layout in layouts(registry):
        configs = configs_of(layout)
        try:
            weights = in_pieces(called, found, configs)
        except UserError as error:  # the names of another shape
            faults.append(str(error))
            continue
        wrong = (_difference(weights[piece], empty(piece, configs[piece])) for piece in weights)
        if not (fault := next(filter(None, wrong), "")):
            lacking = [piece for piece in TITLES if piece not in weights]
            return layout, weights, _lender(registry, called, layout, lacking) if lacking else ""
        faults.append(f"{called}: {fault}; expected the shapes of Stable Diffusion 1.x or 2.x.")
    raise UserError(faults[0])


def _difference(weights: Mapping[str, Place], expected: nn.Module) -> str:
    """What is wrong with the first tensor that is none of those expected, or ""."""
    found, wanted = shapes_of(weights), shapes_of(expected)
    odd = next((name for name in (*wanted, *found) if found.get(name) != wanted.get(name)), "")
    if not odd or odd not in found:
        return f"lacks {odd}" if odd else ""
    return f"{odd} has the shape {list(found[odd])}" if odd in wanted else f"has {odd}"


def _lender(registry: Registry, called: str, layout: Mapping[str, Path], lacking: list[str]) -> str:
    """A model at hand with a U-Net of this shape, a plain one if there is any; raises UserError if none."""
    unet = read_json(layout["unet"] / CONFIGS["unet"])
    for card in sorted(registry.cards(), key=lambda card: card.kind != "diffusion"):
        other = read_json(registry.pieces(card.id)["unet"] / CONFIGS["unet"])
        if all(other.get(key) == unet[key] for key in ("cross_attention_dim", "in_channels")):
            return card.id
    parts = " and no ".join(TITLES[piece] for piece in lacking)
    raise UserError(
        f"{called}: has no {parts}. Import a whole model of its shape first, such as Stable Diffusion "
        "1.5: those of that one will be used."
    )


def _prediction(path: Path, layout: Mapping[str, Path], weights: Weights) -> dict[str, Any]:
    """What a file says its U-Net predicts, as changes of a scheduler's config.

    By its header (the fields of modelspec, ComfyUI's and those of kohya's trainers), the marks that others
    leave as empty tensors, or the configuration of the original code beside it. Where Stable Diffusion 2 says
    nothing, by the weights.
    """
    header = header_of(path)
    said, changes = header.metadata, {}
    beside = path.with_suffix(".yaml")
    text = (
        beside.read_text("utf-8", "replace") if beside.is_file() and beside.stat().st_size < MAX_YAML else ""
    )
    fields = ("modelspec.prediction_type", "modelspec.predict_key", "ss_v_parameterization")
    stated = next((said[name] for name in fields if said.get(name)), "")
    if (
        "v_pred" in header.tensors
        or stated.lower() in ("v", "v_prediction", "true")
        or VELOCITY.search(text)
        or (layout["unet"].parent == SD2 and not (stated or text) and _spread(weights["unet"]) > SPREAD)
    ):
        changes["prediction_type"] = "v_prediction"
    if "ztsnr" in header.tensors or said.get("ss_zero_terminal_snr") == "True":
        changes |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return changes


def _spread(unet: Mapping[str, Place]) -> float:
    """Of the biases of the norm before the last attention."""
    last = max(name for name in unet if name.endswith("transformer_blocks.0.norm1.bias"))
    return float(unet[last].read().float().std(correction=0))


def _controlnet(
    registry: Registry, called: str, found: Mapping[str, Place]
) -> tuple[dict[str, Any], dict[str, Place]]:
    """The config of a ControlNet whose names and shapes a single file has, and its tensors."""
    for layout in layouts(registry):
        # The names of another shape; or a shape that the original code cannot have.
        with suppress(KeyError, IndexError, AttributeError, TypeError):
            config = _controlnet_config(read_json(layout["unet"] / CONFIGS["unet"]), found)
            weights = convert_controlnet_checkpoint(dict(found), config)
            if shapes_of(weights) == shapes_of(empty("controlnet", config)):
                return config, weights
    raise UserError(
        f"{called}: is a ControlNet of another shape; expected that of Stable Diffusion 1.x or 2.x."
    )


def _controlnet_config(unet: Mapping[str, Any], found: Mapping[str, Place]) -> dict[str, Any]:
    """The config of a ControlNet beside this U-Net whose condition is taken in as the file's is."""
    taken_in = [name for name in found if EMBEDDING.fullmatch(name)]
    widths = tuple(found[name].shape[0] for name in sorted(taken_in, key=lambda name: (len(name), name)))
    with torch.device("meta"):
        net = ControlNetModel.from_unet(
            UNet2DConditionModel.from_config(dict(unet)),
            conditioning_embedding_out_channels=widths,
            load_weights_from_unet=False,
        )
    return {name: value for name, value in net.config.items() if name != "_name_or_path"}
