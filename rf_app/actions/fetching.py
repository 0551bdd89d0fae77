"""A model's files from the Hub: those it needs, gone on with where a transfer was cut off."""

import os
import re
import shutil
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus
from io import BufferedRandom, FileIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from huggingface_hub import HfApi, hf_hub_url, try_to_load_from_cache
from huggingface_hub.constants import HF_HUB_DOWNLOAD_TIMEOUT
from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import build_hf_headers, get_session, hf_raise_for_status

from rf_app.actions.reported import Report
from rf_app.actions.wanted import is_piece, wanted
from rf_app.errors import UserError
from rf_app.plugins.checking import Header, read_header
from rf_app.plugins.deltas import HUB_NAME
from rf_app.registry.checking import (
    BORROWED,
    CONFIGS,
    MAX_JSON_BYTES,
    OPTIONAL,
    OWN,
    TINY,
    check_config,
    read_json,
)
from rf_app.registry.controlnets import check_base
from rf_app.registry.decoders import check_tiny
from rf_app.registry.disk import FULL
from rf_app.registry.recognition import INDEX, called_in, check_pipeline, recognize, recognize_folder

ADDRESS = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?P<name>[^/?#]+/[^/?#]+)"
    r"(?:/(?:tree|blob|resolve)/(?P<revision>[^/?#]+)(?P<file>/[^?#]+)?)?/?(?:[?#].*)?"
)
FILE_NAME = re.compile(rf"({HUB_NAME.pattern})/((?:[\w .()+-]+/)*[\w .()+-]+\.safetensors)", re.ASCII)
Check = Callable[[str, Header, int], Any]
"""Raises UserError for a file that cannot be used, by its name, header and size in bytes."""


class _OnHub:
    """A file on the Hub, of which only those bytes are fetched that are read."""

    def __init__(self, url: str):
        """At its start."""
        self._url, self._at = url, 0

    def read(self, count: int) -> bytes:
        """The next bytes, as of any file."""
        headers = build_hf_headers() | {"Range": f"bytes={self._at}-{self._at + count - 1}"}
        data = b""
        with get_session().stream(
            "GET", self._url, headers=headers, timeout=HF_HUB_DOWNLOAD_TIMEOUT
        ) as answer:
            hf_raise_for_status(answer)
            before = 0 if answer.status_code == HTTPStatus.PARTIAL_CONTENT else self._at  # gives all of it
            for chunk in answer.iter_bytes():
                data += chunk
                if len(data) >= before + count:
                    break
        self._at += count
        return data[before : before + count]


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
    if address := ADDRESS.fullmatch(unquote(text)):
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


def fetch(source: str, folder: Path, report: Report, check: Check) -> Path:
    """Download what a model, LoRA or ControlNet needs; files that are here stay, a part of one is gone on
    with. What its configs, or a file's header, tell to be of no use costs none of its weights.

    source: as of `name_on_hub`. check: sees the header of a file by itself. Returns where they are, below
    `folder`: the folder, or the one file. Raises UserError for what cannot be fetched, or used.
    """
    found = FILE_NAME.fullmatch(source)
    name, file = (found[1], found[2]) if found else (source, "")
    try:
        info = HfApi().model_info(name, files_metadata=True)
        there = {each.rfilename: each.size or 0 for each in info.siblings or []}
        target = folder / check_revision(info.sha)  # files of two revisions do not belong together

        def get(each: str, told: Callable[[], None] = lambda: None) -> None:
            if not each.endswith(".safetensors") and there[each] > MAX_JSON_BYTES:
                raise UserError(
                    f"{name}: {each} has {there[each] / 2**20:,.0f} MB; beside its weights, files of at most "
                    f"{MAX_JSON_BYTES // 2**20} MB are fetched."
                )
            here = try_to_load_from_cache(name, each, revision=info.sha)  # as a Space has what it preloads
            _fetch_file(hf_hub_url(name, each, revision=info.sha), target / each, there[each], told, here)

        if not file:  # what is of another kind need not have the files that are wanted
            for each in [INDEX] * (INDEX in there) + [CONFIGS["controlnet"]] * is_piece(there):
                get(each)
            _check_kind(target, name)
        sizes = wanted(there, file)
        total = sum(sizes.values())
        check_room(name, total, folder)

        def told() -> None:
            report(min(_arrived(target), total), total, "Downloading")

        weights = next(each for each in sizes if each.endswith(".safetensors"))
        for each, size in sizes.items():
            if each == weights:  # the first of them: what says what it is has come
                _check(name, target, each, hf_hub_url(name, each, revision=info.sha), size, check)
            told()
            get(each, told)
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


def check_configs(folder: Path, name: str) -> None:
    """Raise UserError for a model's folder that by its configs cannot be drawn. name: where it came from."""
    recognize(folder, name)
    for piece in (*OWN, *BORROWED, *OPTIONAL):
        if (folder / piece / CONFIGS[piece]).is_file():
            check_config(folder / piece, piece)


def _check_kind(folder: Path, name: str) -> None:
    """Raise UserError for what is no model, ControlNet or decoder by its index or its one config."""
    check_pipeline(folder, name)
    if (folder / CONFIGS["controlnet"]).is_file():
        recognize_folder(folder, name)
        config = read_json(folder / CONFIGS["controlnet"])
        check = check_tiny if config.get("_class_name") == TINY else check_base
        check(called_in(name), config)


def _check(name: str, folder: Path, weights: str, url: str, size: int, check: Check) -> None:
    """Raise UserError for what cannot be used, before its weights are fetched."""
    if weights.startswith("unet/"):
        check_configs(folder, name)
    elif not (folder / CONFIGS["controlnet"]).is_file():
        try:
            header = read_header(_OnHub(url), size)
        except UserError as error:
            raise UserError(f"{weights}: {error}") from None
        check(weights, header, size)


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


def _arrived(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):  # it is being renamed
            total += path.stat().st_size if path.is_file() else 0
    return total
