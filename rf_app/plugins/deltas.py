"""A fine-tune's difference from its base, or a LoRA, added to a model's weights: a new model.

W = W_model + strength (W_fine-tuned - W_base), for U-Net, text encoder and autoencoder alike: how InstaFlow
got along with dreamshaper. A fine-tune is an id of the registry, a folder, a single file, or a name on the
Hub. It is read one tensor at a time.
"""

import math
import re
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from huggingface_hub import HfApi, snapshot_download
from torch import Tensor

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import (
    PIECES,
    Place,
    Weights,
    configs_of,
    of_folders,
    of_single_file,
    short,
    weights_names,
    write_tensors,
)
from rf_app.plugins.lora import fit, read_lora
from rf_app.plugins.merging import Merger, Part
from rf_app.registry.card import ModelCard
from rf_app.registry.checking import CONFIGS, WEIGHTS
from rf_app.registry.loading import as_kind, load
from rf_app.registry.loras import LoraCard, Loras, with_loras
from rf_app.registry.models import Registry
from rf_app.settings.home import existing

Report = Callable[[int, int, str], None]  # done, of, what is being done
MAX_STRENGTH = 2.0
HUB_NAME = re.compile(r"[\w][\w.-]{0,95}/[\w][\w.-]{0,95}", re.ASCII)


def silent(done: int, of: int, text: str) -> None:
    """Tell nobody."""


def add_difference(
    registry: Registry,
    model: str,
    fine_tuned: str,
    base: str,
    strength: float,
    card: ModelCard,
    overwrite: bool,
    report: Report = silent,
) -> Path:
    """Publish `model` with the difference between `fine_tuned` and `base`; returns its folder.

    Pieces in which those two are alike stay borrowed from `model`. Raises UserError where names or shapes of
    the three are not the same, and for all that `Registry.publish` refuses.
    """
    pieces = registry.pieces(model)
    own = of_folders(pieces)
    tuned = weights_of(registry, fine_tuned, pieces)
    plain = weights_of(registry, base, pieces)
    for piece in PIECES:
        for source, weights in ((fine_tuned, tuned), (base, plain)):
            if piece in weights:
                check_same(piece, own[piece], model, weights[piece], source)

    done, of = 0, sum(len(own[piece]) for piece in PIECES)

    def build(folder: Path) -> None:
        nonlocal done
        shutil.copytree(pieces["scheduler"], folder / "scheduler")
        for piece in PIECES:
            present = piece in tuned and piece in plain
            if piece != "unet" and (not present or _alike(tuned[piece], plain[piece])):
                done += len(own[piece])
                continue

            def summed(stored: str, piece: str = piece) -> Tensor:
                nonlocal done
                done += 1
                report(done, of, "Adding")
                name = short(stored)
                change = tuned[piece][name].read().float()
                change -= plain[piece][name].read()
                return change.mul_(strength).add_(own[piece][name].read())

            (folder / piece).mkdir()
            shutil.copyfile(pieces[piece] / CONFIGS[piece], folder / piece / CONFIGS[piece])
            stored = {place.name: place for place in own[piece].values()}
            write_tensors(folder / piece / WEIGHTS[piece], stored, summed)
        _keep_vocabulary(folder, pieces)

    return registry.publish(card.id, build, card, overwrite)


def add_lora(
    registry: Registry, model: str, lora: Path, strength: float, card: ModelCard, overwrite: bool
) -> Path:
    """Publish `model` with a LoRA's change in its weights; returns its folder.

    Raises UserError for a file that is no LoRA of this model, and for all that `Registry.publish` refuses.
    """
    pieces = registry.pieces(model)
    pipeline = load(pieces, registry.card(model).kind)
    fitted = fit(read_lora(lora), pipeline.unet, pipeline.text_encoder)
    half = {piece: next(iter(own.values())).dtype == "F16" for piece, own in of_folders(pieces).items()}

    def build(folder: Path) -> None:
        as_kind(pipeline.scheduler, card.kind).save_pretrained(folder / "scheduler")
        for piece, layers in (("unet", fitted.unet), ("text_encoder", fitted.text_encoder)):
            if layers or piece == "unet":
                module = getattr(pipeline, piece)
                Merger().give(module, [Part("lora", layers, strength)])
                (module.half() if half[piece] else module).save_pretrained(folder / piece)
        _keep_vocabulary(folder, pieces)

    return registry.publish(card.id, build, card, overwrite)


def weights_of(registry: Registry, source: str, like: Mapping[str, Path]) -> Weights:
    """The weights of an id, a folder, a single file or a Hub name.

    like: pieces of a model of the same shape, whose configs a single file needs. Raises UserError where there
    is nothing of that name.
    """
    path = existing(source)
    if source in {card.id for card in registry.cards()}:
        return of_folders(registry.pieces(source))
    if path and path.is_file():
        return of_single_file(path, configs_of(like))
    if not path:
        path = _from_hub(source)
    if not (path / "unet").is_dir():
        raise UserError(f"{path}: is no diffusers model; it has no folder unet/.")
    return of_folders({piece: path / piece for piece in PIECES if (path / piece).is_dir()})


def _from_hub(name: str) -> Path:
    if not HUB_NAME.fullmatch(name):
        raise UserError(
            f"{name!r:.80}: expected the id of a model, a folder, a .safetensors file, or OWNER/NAME on the "
            "Hub."
        )
    try:
        there = {each.rfilename for each in HfApi().model_info(name).siblings or []}
        wanted = [[f"{piece}/{each}" for each in weights_names(piece)] for piece in PIECES]
        found = [next((each for each in names if each in there), names[-1]) for names in wanted]
        return Path(snapshot_download(name, allow_patterns=found))
    except Exception as error:  # no network, no such model, no permission: each library has its own
        raise UserError(f"{name} could not be fetched from the Hub ({type(error).__name__}).") from None


def check_same(
    piece: str, own: Mapping[str, Place], model: str, other: Mapping[str, Place], source: str
) -> None:
    """Raise UserError, naming `source`, where its tensors of a piece are not called and shaped as the
    model's.
    """
    different = sorted(own.keys() ^ other.keys())
    if different:
        has, lacks = (model, source) if different[0] in own else (source, model)
        raise UserError(
            f"{source} does not fit {model}: {has} has {different[0]} in its {piece}, {lacks} has not."
        )
    for name, place in own.items():
        if place.shape != other[name].shape:
            raise UserError(
                f"{source} does not fit {model}: {name} of its {piece} has shape {list(other[name].shape)}, "
                f"not {list(place.shape)}."
            )


def _alike(one: Mapping[str, Place], other: Mapping[str, Place]) -> bool:
    return all(torch.equal(place.read(), other[name].read()) for name, place in one.items())


def _keep_vocabulary(folder: Path, pieces: Mapping[str, Path]) -> None:
    """A model with a text encoder of its own has a vocabulary of its own, too."""
    source = pieces["text_encoder"].parent / "vocabulary.json"
    if (folder / "text_encoder").is_dir() and source.is_file():
        shutil.copyfile(source, folder / source.name)


@dataclass(frozen=True)
class Merge:
    """What to add to which model; either --fine-tuned and --base, or --lora."""

    model: str
    """Id of the model that is added to."""
    output: str
    """Id of the new model."""
    fine_tuned: str = ""
    """An id, a folder, a single .safetensors file, or OWNER/NAME on the Hub."""
    base: str = ""
    """What that was fine-tuned from, given likewise."""
    lora: str = ""
    """Id of a LoRA, or its .safetensors file."""
    strength: float = 1.0
    """1 adds all of it, a negative number takes it away; -2 to 2."""
    title: str = ""
    """How the new model is called (default: its id)."""
    overwrite: bool = False
    """Replace a model of that id."""


def check(registry: Registry, wish: Merge) -> None:
    """Raise UserError for a wish that makes no sense, before anything is read."""
    if not math.isfinite(wish.strength) or not -MAX_STRENGTH <= wish.strength <= MAX_STRENGTH:
        raise UserError(f"strength is {wish.strength!r}; it must be in -{MAX_STRENGTH:g}..{MAX_STRENGTH:g}.")
    tuned = bool(wish.fine_tuned and wish.base)
    if tuned == bool(wish.lora) or bool(wish.fine_tuned) != bool(wish.base):
        raise UserError("Give either a fine-tune and its base, or a LoRA.")
    registry.card(wish.model)
    registry.check_free(wish.output, wish.overwrite)


def merge(registry: Registry, wish: Merge, report: Report = silent) -> Path:
    """Make and publish what the wish asks for; returns its folder. Raises UserError.

    report: hears how many tensors of how many are done.
    """
    check(registry, wish)
    card = _card(registry, wish)
    if wish.fine_tuned:
        return add_difference(
            registry, wish.model, wish.fine_tuned, wish.base, wish.strength, card, wish.overwrite, report
        )
    report(0, 1, "Adding the LoRA")
    given, loras = existing(wish.lora), Loras.beside(registry)
    file = given if given and given.is_file() else loras.file(wish.lora)
    own = LoraCard.by_name(file.stem) if file == given else loras.card(wish.lora)
    card = with_loras(card, [own])
    return add_lora(registry, wish.model, file, wish.strength, card, wish.overwrite)


def _card(registry: Registry, wish: Merge) -> ModelCard:
    own = registry.card(wish.model)
    if wish.lora:
        added = {"lora": Path(wish.lora).name}
        said = f"the LoRA `{added['lora']}`"
    else:
        added = {"fine_tuned": _name(wish.fine_tuned), "base": _name(wish.base)}
        said = f"the difference between `{added['fine_tuned']}` and `{added['base']}`"
    return replace(
        own,
        id=wish.output,
        title=wish.title or wish.output,
        description=f"`{own.id}` with {said} added to its weights at strength {wish.strength:g}.",
        base_model=own.id,
        base_weights="",
        lineage=(*own.lineage, own.id),
        measured={},
        settings={"merged": added | {"strength": wish.strength}},
    )


def _name(source: str) -> str:
    """A source without the way to it, which is nobody's business."""
    return source if HUB_NAME.fullmatch(source) and not existing(source) else Path(source).name
