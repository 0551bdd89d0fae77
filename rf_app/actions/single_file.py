"""A single file of Stable Diffusion 1.5, or of another shape of model that is here, taken apart."""

import shutil
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from huggingface_hub import snapshot_download
from torch import Tensor

from rf_app.actions.fetching import check_room
from rf_app.actions.reported import Report
from rf_app.errors import UserError
from rf_app.plugins.checkpoint import (
    Place,
    Weights,
    configs_of,
    in_pieces,
    of_folders,
    read_single_file,
    write_tensors,
)
from rf_app.registry.checking import BORROWED, CONFIGS, OWN, WEIGHTS
from rf_app.registry.models import Registry

SD15 = "stable-diffusion-v1-5/stable-diffusion-v1-5"


def gather_single_file(registry: Registry, path: Path, files: Path, report: Report) -> str | None:
    """Write the pieces of a single file; what it lacks, such as a tokenizer, is another model's like it."""
    like, weights = _like(registry, path)
    pieces = registry.pieces(like) if like else _sd15_without_weights()
    total, done = path.stat().st_size, 0
    check_room(path, total, files)
    for piece, places in weights.items():
        folder = files / piece
        folder.mkdir(exist_ok=True)
        shutil.copyfile(pieces[piece] / CONFIGS[piece], folder / CONFIGS[piece])
        target = folder / WEIGHTS[piece]
        if target.exists():
            continue
        # Older versions of transformers need this level in the names, newer ones do without.
        stored = {f"text_model.{name}" if piece == "text_encoder" else name: p for name, p in places.items()}

        def read(name: str, places: Mapping[str, Place] = stored) -> Tensor:
            nonlocal done
            tensor = places[name].read()
            done += tensor.nbytes
            report(min(done, total), total, "Converting")
            return tensor

        write_tensors(target.with_suffix(".part"), stored, read)
        target.with_suffix(".part").replace(target)
    for piece in ("scheduler",) if like else ("scheduler", "tokenizer"):
        shutil.copytree(pieces[piece], files / piece, dirs_exist_ok=True)
    return like


def _like(registry: Registry, path: Path) -> tuple[str | None, Weights]:
    """A model at hand whose tensors have the names and shapes of a single file's, and those tensors.

    Without one it is taken for Stable Diffusion 1.5, whose configs are small and on the Hub.
    """
    stored = read_single_file(path)
    tried = []
    for card in registry.cards():
        pieces = registry.pieces(card.id)
        configs = configs_of(pieces)
        if card.kind != "diffusion" or configs in tried:
            continue
        tried.append(configs)
        with suppress(UserError):  # the names of another shape of model
            found, own = in_pieces(path, stored, configs), of_folders(pieces)
            if all(_shapes(found[piece]) == _shapes(own[piece]) for piece in found):
                return card.id, found
    return None, in_pieces(path, stored, configs_of(_sd15_without_weights()))


def _shapes(places: Mapping[str, Place]) -> dict[str, tuple[int, ...]]:
    return {name: place.shape for name, place in places.items()}


def _sd15_without_weights() -> dict[str, Path]:
    try:
        folder = Path(snapshot_download(SD15, allow_patterns=["*/*.json", "tokenizer/*"]))
    except Exception as error:  # no network: each library has its own
        raise UserError(
            "This file has no tokenizer and no configuration; those of Stable Diffusion 1.5 could not be "
            f"fetched from the Hub ({type(error).__name__}). Import {SD15} first, or a model like this one."
        ) from None
    return {piece: folder / piece for piece in (*OWN, *BORROWED)}
