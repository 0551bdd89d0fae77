"""Models, ControlNets and tiny decoders in memory: loaded when they are first asked for, and again when their
folders are others.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path

import torch
from diffusers import AutoencoderTiny, ControlNetModel, StableDiffusionPipeline
from safetensors import SafetensorError, safe_open

from rf_app.pipeline.memory import trim
from rf_app.pipeline.residence import Residence
from rf_app.plugins.controlnet import load_controlnet
from rf_app.registry.card import ModelCard
from rf_app.registry.checking import CONFIGS, OPTIONAL, WEIGHTS, read_json, weights_file
from rf_app.registry.controlnets import ControlNets, check_fit
from rf_app.registry.decoders import Decoders, check_reads
from rf_app.registry.disk import Files, Stamp, files_of, stamp
from rf_app.registry.loading import load, load_decoder
from rf_app.registry.models import Registry
from rf_app.registry.precision import take_float32
from rf_app.registry.vocabulary import Vocabulary, vocabulary


class ResidentPipeline(StableDiffusionPipeline):
    """The stock pipeline of a model that stays where it is.

    The stock property walks through all modules in search of offloading hooks, five times a call: 3 ms that a
    one-step picture feels.
    """

    @property
    def _execution_device(self) -> torch.device:
        return self.unet.conv_in.weight.device


@dataclass(frozen=True)
class Resident:
    """A model in memory, and the folders it came from as they were."""

    card: ModelCard
    pipeline: StableDiffusionPipeline
    vocabulary: Vocabulary | None
    stamps: frozenset[Stamp]
    reader: tuple[Files, Files]  # which tokenizer and text encoder it has, for the cache of embeddings


class ResidentModels:
    """The models of a registry; for one thread at a time."""

    def __init__(self, registry: Registry, residence: Residence, dtype: torch.dtype, safety_checker: bool):
        """residence: where they stay; safety_checker: as of `load`."""
        self.registry, self.residence = registry, residence
        self.dtype, self.safety_checker = dtype, safety_checker

    def get(self, id: str) -> Resident:
        """The model, from memory if its folders are still what they were; raises UserError as `load`."""
        key, folder = ("model", id), self.registry.folder(id)
        found = self.residence.get(key)
        if found and stamp(folder) in found.stamps and all(map(_unchanged, found.stamps)):
            return found
        self.residence.drop(key)
        found = None  # or it would stay in memory
        model = self._load(id)
        while not all(map(_unchanged, model.stamps)):
            model = self._load(id)  # it was replaced meanwhile: some pieces may be the old one's
        modules = [each for each in model.pipeline.components.values() if isinstance(each, torch.nn.Module)]
        self.residence.keep(key, model, modules)
        return model

    def _load(self, id: str) -> Resident:
        """The model from its folders, whose stamps are taken before anything is read."""
        folder, pieces = self.registry.folder(id), self.registry.pieces(id)
        links = {file for name in pieces if name in WEIGHTS for file in _linked(pieces[name], name)}
        stamps = frozenset(
            stamp(path) for path in {folder, *(piece.parent for piece in pieces.values()), *links}
        )
        card = self.registry.card(id)
        self.residence.make_room(self._needed(pieces), card.title)
        shared = self.residence.pieces
        stock = load(pieces, card.kind, self.residence.device, self.dtype, shared, self.safety_checker)
        pipeline = ResidentPipeline(**stock.components, requires_safety_checker=False)
        pipeline.set_progress_bar_config(disable=True)
        pipeline.unet.to(memory_format=torch.channels_last)
        pipeline.vae.to(memory_format=torch.channels_last)
        take_float32(pipeline.unet)
        trim()
        return Resident(
            card=card,
            pipeline=pipeline,
            vocabulary=vocabulary(self.registry, id),
            stamps=stamps,
            reader=(files_of(pieces["tokenizer"]), files_of(pieces["text_encoder"])),
        )

    def _needed(self, pieces: Mapping[str, Path]) -> int:
        """Bytes of the pieces that are not here yet."""
        names = [name for name in pieces if name in WEIGHTS and (self.safety_checker or name not in OPTIONAL)]
        here = [name for name in names if pieces[name].is_dir()]  # loading says which is not
        new = [name for name in here if files_of(pieces[name]) not in self.residence.pieces]
        return sum(weights_bytes(pieces[name], name, self.dtype) for name in new)


class ResidentControlNets:
    """ControlNets; for one thread at a time."""

    def __init__(self, controlnets: ControlNets, residence: Residence):
        """residence: where they stay."""
        self.controlnets, self.residence = controlnets, residence

    def get(self, id: str, pipeline: StableDiffusionPipeline) -> ControlNetModel:
        """The ControlNet for a model, in its U-Net's type, from memory if its folder is still what it was.

        Raises UserError for one that is not there, broken, or made for other models.
        """
        folder, dtype = self.controlnets.folder(id), pipeline.unet.dtype
        key = "controlnet", _stamps(folder, "controlnet"), dtype
        shapes = pipeline.unet.config, pipeline.vae.config
        net = self.residence.get(key)
        if net is None:
            self.residence.make_room(weights_bytes(folder, "controlnet", dtype), id)
            net = load_controlnet(folder, dtype, *shapes)
            net = net.to(self.residence.device, memory_format=torch.channels_last)
            take_float32(net)
            self.residence.keep(key, net, [net])
        check_fit(id, net.config, *shapes)
        return net


class ResidentDecoders:
    """Tiny decoders; for one thread at a time."""

    def __init__(self, decoders: Decoders, residence: Residence, dtype: torch.dtype):
        """residence: where they stay."""
        self.decoders, self.residence, self.dtype = decoders, residence, dtype

    def get(self, id: str, vae: Path) -> AutoencoderTiny:
        """The decoder for models with the autoencoder in `vae`, from memory if its folder is what it was.

        Raises UserError for one that is not there, broken, or for other latents.
        """
        folder = self.decoders.folder(id)
        check_reads(self.decoders.card(id), read_json(folder / CONFIGS["decoder"]), vae)
        key = "decoder", _stamps(folder, "decoder")
        found = self.residence.get(key)
        if found is None:
            self.residence.make_room(weights_bytes(folder, "decoder", self.dtype), id)
            found = load_decoder(folder, self.dtype)
            found = found.to(self.residence.device, memory_format=torch.channels_last)
            self.residence.keep(key, found, [found])
        return found


def weights_bytes(folder: Path, piece: str, dtype: torch.dtype) -> int:
    """What the weights of a piece take in memory; 0 for a file that cannot be read, as loading it says."""
    try:
        with safe_open(weights_file(folder, piece), framework="np") as file:
            return dtype.itemsize * sum(prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118 (no dict)
    except (SafetensorError, OSError):
        return 0


def _linked(piece: Path, name: str) -> list[Path]:
    """Its weights, where they lie elsewhere, and may become others there."""
    file = weights_file(piece, name)
    return [file] if file.is_symlink() and file.exists() else []


def _stamps(piece: Path, name: str) -> tuple[Stamp, ...]:
    """What identifies the present content of a piece by itself, wherever its weights lie."""
    return stamp(piece), *map(stamp, _linked(piece, name))


def _unchanged(old: Stamp) -> bool:
    try:
        return stamp(old[0]) == old
    except OSError:
        return False
