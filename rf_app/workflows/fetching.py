"""A model's files from the Hub: those it needs, gone on with where a transfer was cut off."""

import json
import os
import shutil
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

from rf_app.errors import UserError
from rf_app.registry.checking import BORROWED, CONFIGS, OWN, WEIGHTS
from rf_app.registry.disk import FULL

EVERY = 0.3  # seconds between two words on the progress
TOKENIZER = (
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
EXTRAS = ("README.md", "vocabulary.json")


class Report:
    """Writes how far an import is, for whoever looks into its folder."""

    def __init__(self, staging: Path):
        self.path = staging / "progress.json"
        self._said = 0.0

    def __call__(self, done: int, of: int, text: str, error: str = "") -> None:
        """done, of: bytes; said at most three times a second, the end and an error always."""
        now = time.monotonic()
        if not error and now - self._said < EVERY and done < of:
            return
        self._said = now
        state = {"pid": os.getpid(), "done": done, "of": of, "text": text, "error": error}
        temporary = self.path.with_suffix(".new")
        temporary.write_text(json.dumps(state))
        temporary.replace(self.path)


def fetch(name: str, folder: Path, report: Report) -> None:
    """Download what a model needs; files that are here stay, a part of one is gone on with."""
    try:
        info = HfApi().model_info(name, files_metadata=True)
        sizes = wanted({each.rfilename: each.size or 0 for each in info.siblings or []})
        total = sum(sizes.values())
        free = shutil.disk_usage(folder.parent).free + _arrived(folder)
        if total > free:
            raise UserError(f"{name} takes {total / 2**30:.1f} GB; {free / 2**30:.1f} GB are free.")
        with _watched(folder, total, report):
            for file in sizes:
                hf_hub_download(name, file, revision=info.sha, local_dir=folder)
    except UserError:
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


def file_names(piece: str) -> tuple[str, ...]:
    """The files of a piece that are no weights."""
    return TOKENIZER if piece == "tokenizer" else (CONFIGS[piece],)


def wanted(sizes: Mapping[str, int]) -> dict[str, int]:
    """Of the files of a model on the Hub, with their sizes, those to fetch; weights of half size if any.

    Raises UserError where there is no U-Net in safetensors.
    """
    chosen = [name for name in EXTRAS if name in sizes]
    for piece in (*OWN, *BORROWED):
        names = file_names(piece)
        if piece in WEIGHTS:
            half = WEIGHTS[piece].replace(".safetensors", ".fp16.safetensors")
            names = (*names, half if f"{piece}/{half}" in sizes else WEIGHTS[piece])
        chosen += [f"{piece}/{name}" for name in names if f"{piece}/{name}" in sizes]
    if not any(name.startswith("unet/") and name.endswith(".safetensors") for name in chosen):
        pickled = any(name.startswith("unet/") and name.endswith(".bin") for name in sizes)
        raise UserError(
            "It has its weights as pickles only, which can run any code when they are read."
            if pickled
            else "It is no diffusers model: it has no unet/ in safetensors."
        )
    return {name: sizes[name] for name in chosen}


@contextmanager
def _watched(folder: Path, total: int, report: Report) -> Iterator[None]:
    """Report how much of a download has arrived, while it goes on."""
    over = threading.Event()

    def watch() -> None:
        while not over.wait(EVERY):
            report(min(_arrived(folder), total), total, "Downloading")

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()


def _arrived(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is being renamed
            total += path.stat().st_size if path.is_file() else 0
    return total
