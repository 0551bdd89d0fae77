"""What is uploaded for a training: prompts in a text file, and pictures with their captions."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.plugins.picture import read_picture
from rf_app.settings.text import read_text
from rf_app.ui.parts.complaint import complain

MAX_PROMPT_FILE = 4_000_000  # bytes
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def prompts_of(path: str) -> str:
    """What an uploaded text file holds."""
    file = Path(path)
    try:
        if file.stat().st_size > MAX_PROMPT_FILE:
            raise UserError(f"The text file is larger than the {MAX_PROMPT_FILE // 1_000_000} MB accepted.")
        return read_text(file, file.name)
    except UserError as error:
        complain(error)
    return ""


def keep_pictures(database: Database) -> Callable:
    """For uploaded pictures: they go into a folder of their own, under names of our own, with their captions.

    A picture's caption is the text in the .txt of its name or, without one, its name. One that cannot be read
    is named, and nothing is kept: a training would stop at it, under a name that nobody knows.
    """

    def keep(paths: list[str] | None) -> str:
        files = [Path(path) for path in paths or ()]
        texts = {file.stem: file for file in files if file.suffix.lower() == ".txt"}
        images = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
        if not images:
            return ""
        try:
            captions = [_caption(file, texts.get(file.stem)) for file in images]
            for file in images:
                _check(file)
        except UserError as error:
            complain(error)
            return ""
        digest = hashlib.sha256()
        for file in sorted(files):
            digest.update(file.name.encode() + file.read_bytes())
        folder = database.pictures / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        for number, (file, caption) in enumerate(zip(images, captions, strict=True)):
            own = folder / f"{number:05d}{file.suffix.lower()}"
            shutil.copyfile(file, own)
            own.with_suffix(".txt").write_text(caption, encoding="utf-8")
        return str(folder)

    return keep


def _check(picture: Path) -> None:
    try:
        read_picture(picture.read_bytes())
    except UserError as error:
        raise UserError(f"{picture.name}: {error}") from error


def _caption(picture: Path, text: Path | None) -> str:
    said = read_text(text, text.name) if text else re.sub(r"[_-]+", " ", picture.stem)
    return " ".join(said.split())
