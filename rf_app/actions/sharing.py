"""Pieces that several models have, such as Stable Diffusion's autoencoder, stored once.

Known by their content after rounding to half precision: the same autoencoder is published in several.
"""

import shutil
from pathlib import Path
from typing import Any

import torch

from rf_app.plugins.checkpoint import empty, of_folders, shapes_of
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, WEIGHTS, read_json
from rf_app.registry.disk import files_of, link_or_copy
from rf_app.registry.loading import load_piece
from rf_app.registry.models import Registry

WRITTEN_BY = ("transformers_version", "architectures", "dtype", "torch_dtype")


def share(registry: Registry, files: Path, links: bool) -> None:
    """Give the pieces in `files` that a model at hand has, too, the files of that one.

    links: also where those are links to files elsewhere, which may go.
    """
    seen = set()
    for card in registry.cards():
        pieces = registry.pieces(card.id)
        for piece in (*BORROWED, *OPTIONAL):
            other, own = pieces.get(piece), files / piece
            if not other or not own.is_dir() or (content := files_of(other)) in seen:
                continue
            if not links and any(path.is_symlink() for path in other.iterdir()):
                continue
            seen.add(content)
            if _alike(own, other):
                shutil.rmtree(own)
                name_again(other, own)


def name_again(piece: Path, folder: Path) -> None:
    """Give the files of a piece a second name in another folder.

    That takes no room, and what is loaded from them is in memory once. A config.json is a copy: publishing
    writes into it.
    """
    folder.mkdir(exist_ok=True)
    for path in piece.iterdir():
        place = shutil.copyfile if path.name == CONFIGS["vae"] else link_or_copy
        place(path, folder / path.name)


def _alike(one: Path, other: Path) -> bool:
    try:
        if one.name not in WEIGHTS:
            return _reading(one) == _reading(other)
        if _built(one) != _built(other):
            return False
        mine, theirs = (of_folders({one.name: folder})[one.name] for folder in (one, other))
    except Exception:  # of anybody's files; what is not sound is said where it is checked
        return False
    return shapes_of(mine) == shapes_of(theirs) and all(
        torch.equal(place.read().half(), theirs[name].read().half()) for name, place in mine.items()
    )


def _reading(folder: Path) -> tuple[Any, ...]:
    """All that a tokenizer does with a text."""
    tokenizer = load_piece(folder, torch.float32)
    return tokenizer.backend_tokenizer.to_str(), tokenizer.model_max_length, tokenizer.special_tokens_map


def _built(folder: Path) -> dict[str, Any]:
    """A config with every default filled in, without who wrote it: libraries of another age say less."""
    config = empty(folder.name, read_json(folder / CONFIGS[folder.name])).config
    config = config if isinstance(config, dict) else config.to_dict()
    return {name: value for name, value in config.items() if name[0] != "_" and name not in WRITTEN_BY}
