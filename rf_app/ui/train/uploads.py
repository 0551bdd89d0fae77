"""What is uploaded for a training: pictures with their captions."""

import re
import secrets
import shutil
import zlib
from collections.abc import Callable
from contextlib import suppress
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from zipfile import BadZipFile, ZipFile

from rf_app.actions.foreign import READERS, read_foreign
from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.jobs.queue import beside
from rf_app.pipeline.png import read_png_settings, read_texts
from rf_app.plugins.picture import read_picture
from rf_app.registry.disk import FULL, disk_full_named, hidden_folder, link_or_copy, writable
from rf_app.settings.picture import read_picture_settings
from rf_app.ui.files import uploaded_text
from rf_app.ui.parts.complaint import complain

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")
LISTS = (".txt", ".csv", ".jsonl", ".parquet")  # what has captions, or both
MAX_UNPACKED, MAX_FILES = 8 * 2**30, 200_000  # bytes and files of a ZIP
CROOKED = (BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, zlib.error, LZMAError)
MAX_NAME = 255  # bytes, as most disks have it
LOOKED_AT = 1000  # pictures: of more, as a world has, what learns from them leaves out what cannot be read


def keep_pictures(database: Database) -> Callable[..., str]:
    """For uploaded pictures: they go into a folder of their own, under names of our own, with their captions.

    A picture's caption is the text in the .txt of its name or, without one, the prompt that a program has
    written into it, or else its name. One that cannot be read is named, and nothing is kept: a training would
    stop at it, under a name that nobody knows. The set before, which has all of the pictures but those just
    added, makes room. A ZIP, and pictures with a list of their captions (metadata.csv or .jsonl) or in
    Parquet files, are kept as they are, if up to LOOKED_AT pictures in them can be read: what learns from
    them says what it leaves out.
    """

    def keep(paths: list[str] | None, before: str = "") -> str:
        try:
            return _kept(database, [Path(path) for path in paths or ()])
        except UserError as error:
            complain(error)
            return ""
        finally:
            forget_pictures(database, before)

    return keep


def forget_pictures(database: Database, folder: str) -> None:
    """Remove a set of uploaded pictures, unless it is a job's."""
    if Path(folder).parent == database.pictures and Path(folder) not in pictures_in_use(database):
        shutil.rmtree(folder, ignore_errors=True)


def pictures_in_use(database: Database) -> set[Path]:
    """The sets of pictures that jobs have: any, where a job is damaged and does not tell."""
    jobs = database.jobs()
    if any(job.state == "damaged" for job in jobs):
        return set(database.pictures.glob("*"))
    return {folder for job in jobs for folder in beside(database, job)}


def _kept(database: Database, files: list[Path]) -> str:
    if any(file.suffix.lower() in (".zip", *LISTS[1:]) for file in files):
        return _as_they_are(database, files)
    texts = {file.stem: file for file in files if file.suffix.lower() == ".txt"}
    images = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
    if not images:
        return ""
    for file in images:
        _check(file)
    captions = [_caption(file, texts.get(file.stem)) for file in images]

    def fill(fresh: Path) -> None:
        for number, (file, caption) in enumerate(zip(images, captions, strict=True)):
            own = fresh / f"{number:05d}{file.suffix.lower()}"
            link_or_copy(file, own)
            own.with_suffix(".txt").write_text(caption, encoding="utf-8")

    return _set_of(database, fill)


def _as_they_are(database: Database, files: list[Path]) -> str:
    def fill(fresh: Path) -> None:
        for file in files:
            if file.suffix.lower() == ".zip":
                _unpack(file, fresh)
            else:
                link_or_copy(file, fresh / _plain(file.name))
        found = sorted(file for file in fresh.rglob("*") if file.is_file())
        pictures = [file for file in found if file.suffix.lower() in SUFFIXES]
        for picture in pictures if len(pictures) <= LOOKED_AT else ():
            _check(picture)

    return _set_of(database, fill)


def _set_of(database: Database, fill: Callable[[Path], None]) -> str:
    """The folder of a new set of pictures, whole or not at all."""
    folder = database.pictures / secrets.token_hex(8)
    with (
        writable(database.pictures),
        disk_full_named(folder),
        hidden_folder(database.pictures, "set") as hidden,
    ):
        fresh = hidden / folder.name
        fresh.mkdir()
        fill(fresh)
        while len(found := list(fresh.iterdir())) == 1 and found[0].is_dir():  # as ZIPs of a folder are
            fresh = found[0]
        fresh.rename(folder)
    return str(folder)


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack a ZIP, without its hidden files. Raises UserError for one that is none, or too large."""
    try:
        with ZipFile(archive) as whole:
            members = [each for each in whole.infolist() if not each.is_dir()]
            size = sum(each.file_size for each in members)
            if len(members) > MAX_FILES or size > MAX_UNPACKED:
                raise UserError(
                    f"{archive.name} holds {len(members):,} files of {size / 2**30:.1f} GiB; accepted are "
                    f"{MAX_FILES:,} of {MAX_UNPACKED / 2**30:.0f} GiB."
                )
            for member in members:
                parts = PurePosixPath(member.filename).parts
                if any(part.startswith((".", "__MACOSX")) for part in parts):  # ".." is one
                    continue
                path = folder.joinpath(*map(_plain, parts))
                path.parent.mkdir(parents=True, exist_ok=True)
                with whole.open(member) as source, path.open("wb") as target:
                    shutil.copyfileobj(source, target)
    except UserError:
        raise
    except (*CROOKED, OSError) as error:
        # A name that is a file's and a folder's, or too long; a full disk is told of elsewhere.
        if isinstance(error, OSError) and error.errno in FULL:
            raise
        raise UserError(f"{archive.name} cannot be unpacked ({error}).") from error


def _plain(name: str) -> str:
    """A file's name, without what a name should not have: a list of captions may say it."""
    plain = re.sub(r'[<>"/\\\x00-\x1f\x7f]', "_", name).encode()[-MAX_NAME:]
    return plain.decode(errors="ignore").lstrip(".")


def _check(picture: Path) -> None:
    try:
        read_picture(picture.read_bytes())
    except UserError as error:
        raise UserError(f"{picture.name}: {error}") from error


def _caption(picture: Path, text: Path | None) -> str:
    said = uploaded_text(text) if text else _prompt(picture) or re.sub(r"[_-]+", " ", picture.stem)
    return " ".join(said.split())


def _prompt(picture: Path) -> str:
    """What this or another program was asked for, where the picture says it: its name is then a number."""
    with suppress(UserError):  # broken settings, beside which there is still the name
        own = read_png_settings(picture)
        if own is not None:
            return read_picture_settings(own, picture.name).prompt
        found = read_foreign(read_texts(picture, READERS))
        return found.prompt if found else ""
    return ""
