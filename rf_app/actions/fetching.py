"""A model's files from the Hub: those it needs, gone on with where a transfer was cut off."""

import os
import re
import shutil
from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from io import BufferedRandom, FileIO
from pathlib import Path

from huggingface_hub import HfApi, hf_hub_url, try_to_load_from_cache
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers

from rf_app.actions.reported import Report
from rf_app.errors import UserError
from rf_app.plugins.deltas import HUB_NAME
from rf_app.registry.checking import BORROWED, CONFIGS, OPTIONAL, OWN, WEIGHTS, no_weights
from rf_app.registry.disk import FULL
from rf_app.registry.file_recognition import recognize_file
from rf_app.registry.recognition import INDEX, LORA_WEIGHTS, recognize, recognize_folder

TOKENIZER = (
    "tokenizer_config.json",
    "tokenizer.json",
    "vocab.json",
    "merges.txt",
    "special_tokens_map.json",
    "added_tokens.json",
)
EXTRAS = ("README.md", "vocabulary.json")
ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<name>[^/?#]+/[^/?#]+)"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>[^/?#]+)(?P<file>/[^?#]+)?)?/?(?:[?#].*)?"
)
FILE_NAME = re.compile(rf"({HUB_NAME.pattern})/((?:[\w .()+-]+/)*[\w .()+-]+\.safetensors)", re.ASCII)
MAX_LISTED = 8


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


def name_on_hub(text: str) -> str:
    """OWNER/NAME or OWNER/NAME/FILE.safetensors, from that or from an address as browsers have it.

    Raises UserError for anything else.
    """
    if address := ADDRESS.fullmatch(text):
        revision = address["revision"] or "main"
        if revision != "main":
            raise UserError(f"{text:.200}: names the revision {revision!r:.60}; only main is read.")
        file = address["file"] or ""
        text = address["name"] + (file if file.endswith(".safetensors") else "")
    if not HUB_NAME.fullmatch(text) and not (FILE_NAME.fullmatch(text) and ".." not in text):
        raise UserError(
            f"{text!r:.100}: expected a folder or a .safetensors file on this machine, or OWNER/NAME or "
            "OWNER/NAME/FILE.safetensors on the Hub."
        )
    return text


def fetch(source: str, folder: Path, report: Report) -> Path:
    """Download what a model, LoRA or ControlNet needs; files that are here stay, a part of one is gone on
    with.

    source: as of `name_on_hub`. Returns where they are, below `folder`: the folder, or the one file. Raises
    UserError for what cannot be fetched.
    """
    found = FILE_NAME.fullmatch(source)
    name, file = (found[1], found[2]) if found else (source, "")
    try:
        info = HfApi().model_info(name, files_metadata=True)
        sizes = wanted({each.rfilename: each.size or 0 for each in info.siblings or []}, file)
        total = sum(sizes.values())
        check_room(name, total, folder)
        target = folder / check_revision(info.sha)  # files of two revisions do not belong together

        def told() -> None:
            report(min(_arrived(target), total), total, "Downloading")

        weights = next(each for each in sizes if each.endswith(".safetensors"))
        for each, size in sizes.items():
            if each == weights:  # the first of them: what says what it is has come
                _check(name, info.sha, target, each)
            told()
            here = try_to_load_from_cache(name, each, revision=info.sha)  # as a Space has what it preloads
            _fetch_file(hf_hub_url(name, each, revision=info.sha), target / each, size, told, here)
        return target / file
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


def _check(name: str, revision: str, folder: Path, weights: str) -> None:
    """Raise UserError for what cannot be used, before its weights are fetched."""
    if "unet/" in weights:
        recognize(folder, name)
    elif (folder / CONFIGS["controlnet"]).is_file():
        recognize_folder(folder)
    else:
        header = HfApi().parse_safetensors_file_metadata(name, weights, revision=revision)
        recognize_file(weights, {each: tuple(tensor.shape) for each, tensor in header.tensors.items()})


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


def _fetch_file(url: str, target: Path, size: int, told: Callable[[], None], here: object) -> None:
    """The library's own resuming ends with its process, so the part of a file is kept here.

    here: where the library has it already, as a text; anything else: nowhere.
    """
    if target.exists():
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    if isinstance(here, str):
        shutil.copyfile(here, part)
    else:
        with _Told(part, told) as file:
            have = file.seek(0, os.SEEK_END)
            http_get(url, file, resume_size=have, headers=build_hf_headers(), expected_size=size or None)
    part.replace(target)


def file_names(piece: str) -> tuple[str, ...]:
    """The files of a piece that are no weights."""
    return TOKENIZER if piece == "tokenizer" else (CONFIGS[piece],)


def wanted(sizes: Mapping[str, int], file: str = "") -> dict[str, int]:
    """Of the files of something on the Hub, with sizes, those to fetch: weights last, of half size if any.

    file: the one that is meant. Raises UserError where there is nothing that can be used, and for a piece
    whose weights are not one safetensors file.
    """
    chosen = [name for name in (*EXTRAS, INDEX) if name in sizes]
    if file or not any(name.startswith("unet/") for name in sizes):
        chosen = [*chosen[:1], *_one_piece(sizes, file)]
    else:
        for piece in (*OWN, *BORROWED, *OPTIONAL):
            names = file_names(piece)
            if piece in WEIGHTS:
                beside = [name.removeprefix(f"{piece}/") for name in sizes if name.startswith(f"{piece}/")]
                if piece in OPTIONAL and not any(name.endswith(".safetensors") for name in beside):
                    continue
                names = (*names, *_weights(piece, beside))
            chosen += [f"{piece}/{name}" for name in names if f"{piece}/{name}" in sizes]
    return {name: sizes[name] for name in sorted(chosen, key=lambda name: name.endswith(".safetensors"))}


def _weights(piece: str, beside: Collection[str]) -> list[str]:
    """The name of a piece's weights among its files, if there are any files."""
    half = WEIGHTS[piece].replace(".safetensors", ".fp16.safetensors")
    name = half if half in beside else WEIGHTS[piece]
    if beside and name not in beside:
        raise no_weights(Path(piece, name), beside)
    return [name] if beside else []


def _one_piece(sizes: Mapping[str, int], file: str) -> list[str]:
    """A file that is meant, a ControlNet, or the one safetensors file that there is."""
    files = [name for name in sizes if name.endswith(".safetensors")]
    top = [name for name in sizes if "/" not in name]
    if file:
        if file not in files:
            raise UserError(f"There is no {file} there; there are {_listed(files)}.")
        return [file]
    if CONFIGS["controlnet"] in top and any(name.startswith("diffusion_pytorch_model") for name in top):
        return [CONFIGS["controlnet"], *_weights("controlnet", top)]
    if LORA_WEIGHTS in files:
        return [LORA_WEIGHTS]
    if len(files) != 1:
        raise UserError(
            "It is no diffusers model: it has no folder unet/. To import one of its files, give "
            f"OWNER/NAME/FILE; there are {_listed(files)}."
        )
    return files


def _listed(files: list[str]) -> str:
    shown = ", ".join(files[:MAX_LISTED]) or "no safetensors files"
    return f"{shown} and {len(files) - MAX_LISTED} more" if len(files) > MAX_LISTED else shown


def _arrived(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is being renamed
            total += path.stat().st_size if path.is_file() else 0
    return total
