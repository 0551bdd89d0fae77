"""A model's files from the Hub: those it needs, gone on with where a transfer was cut off."""

import os
import re
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from io import BufferedRandom, FileIO
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_url
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from rf_app.actions.reported import Report
from rf_app.errors import UserError
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, OWN, WEIGHTS, no_weights
from rf_app.registry.disk import FULL
from rf_app.registry.recognition import INDEX, recognize

TOKENIZER = (
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
EXTRAS = ("README.md", "vocabulary.json")


class _Told(BufferedRandom):
    """A file that says so when something is written."""

    def __init__(self, path: Path, told: Callable[[], None]):
        """A file of that path, made if there is none."""
        super().__init__(FileIO(path, "r+" if path.exists() else "w+"))
        self._told = told

    def write(self, data: bytes) -> int:
        """As any file does."""
        written = super().write(data)
        self._told()
        return written


def fetch(name: str, folder: Path, report: Report) -> Path:
    """Download what a model needs; files that are here stay, a part of one is gone on with.

    Returns where they are, below `folder`. Raises UserError for what cannot be fetched.
    """
    try:
        info = HfApi().model_info(name, files_metadata=True)
        sizes = wanted({each.rfilename: each.size or 0 for each in info.siblings or []})
        total = sum(sizes.values())
        check_room(name, total, folder)
        target = folder / check_revision(info.sha)  # files of two revisions do not belong together

        def told() -> None:
            report(min(_arrived(target), total), total, "Downloading")

        weights = next(file for file in sizes if file.endswith(".safetensors"))
        for file, size in sizes.items():
            if file == weights:  # the first of them: what says what it is has come
                recognize(target, name)
            told()
            _fetch_file(hf_hub_url(name, file, revision=info.sha), target / file, size, told)
        return target
    except UserError:  # and Cancelled
        raise
    except GatedRepoError:
        raise UserError(
            f"{name}: its owner wants you to accept terms on its page first, and to `hf auth login` here."
        ) from None
    except RepositoryNotFoundError:
        raise UserError(f"{name}: there is no such model on the Hub, or it is private.") from None
    except Exception as error:
        if getattr(error, "errno", None) in FULL:
            raise
        # A transfer cut off: each library has its own.
        raise UserError(
            f"{name}: the Hub cannot be reached ({type(error).__name__}). What has arrived is kept; resume "
            "it later."
        ) from None


def check_room(name: object, total: int, folder: Path) -> None:
    """Raise UserError where so many bytes have no room in a folder, with what has arrived there already."""
    free = shutil.disk_usage(folder.parent).free + _arrived(folder)
    if total > free:
        raise UserError(f"{name} takes {total / 2**30:.1f} GB; {free / 2**30:.1f} GB are free.")


def check_revision(text: str | None) -> str:
    """A commit's name itself, which is to be a folder's; raises UserError for anything else."""
    if not re.fullmatch("[0-9a-f]{40}", text or ""):
        raise UserError(f"The Hub names a revision {text!r:.60}, which is none.")
    return text


def _fetch_file(url: str, target: Path, size: int, told: Callable[[], None]) -> None:
    """The library's own resuming ends with its process, so the part of a file is kept here."""
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    with _Told(part, told) as file:
        have = file.seek(0, os.SEEK_END)
        http_get(url, file, resume_size=have, headers=build_hf_headers(), expected_size=size or None)
    part.replace(target)


def file_names(piece: str) -> tuple[str, ...]:
    """The files of a piece that are no weights."""
    return TOKENIZER if piece == "tokenizer" else (CONFIGS[piece],)


def wanted(sizes: Mapping[str, int]) -> dict[str, int]:
    """Of the files of a model on the Hub, with sizes, those to fetch: weights last, of half size if any.

    Raises UserError where there is no U-Net, and for a piece whose weights are not one safetensors file.
    """
    chosen = [name for name in (*EXTRAS, INDEX) if name in sizes]
    for piece in (*OWN, *BORROWED, *OPTIONAL):
        names = file_names(piece)
        if piece in WEIGHTS:
            half = WEIGHTS[piece].replace(".safetensors", ".fp16.safetensors")
            beside = [name.removeprefix(f"{piece}/") for name in sizes if name.startswith(f"{piece}/")]
            weights = half if half in beside else WEIGHTS[piece]
            if piece in OPTIONAL and weights not in beside:
                continue
            if beside and weights not in beside:
                raise no_weights(Path(piece, weights), beside)
            names = (*names, weights)
        chosen += [f"{piece}/{name}" for name in names if f"{piece}/{name}" in sizes]
    if not any(name.startswith("unet/") for name in chosen):
        raise UserError("It is no diffusers model: it has no folder unet/.")
    return {name: sizes[name] for name in sorted(chosen, key=lambda name: name.endswith(".safetensors"))}


def _arrived(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is being renamed
            total += path.stat().st_size if path.is_file() else 0
    return total
