"""What is uploaded for a training: prompts in a text file, and pictures with their captions."""

import hashlib
import re
import shutil
from collections.abc import Callable
from pathlib import Path

from rf_app.errors import UserError
from rf_app.jobs.database import Database
from rf_app.ui.parts.complaint import complain

MAX_PROMPT_FILE = 4_000_000  # bytes
SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


def prompts_of(path: str) -> str:
    """What an uploaded text file holds."""
    file = Path(path)
    try:
        if file.stat().st_size > MAX_PROMPT_FILE:
            raise UserError(f"The text file is larger than the {MAX_PROMPT_FILE // 1_000_000} MB accepted.")
        return file.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        complain(UserError("The file is not UTF-8 text: it needs a prompt a line."))
    except UserError as error:
        complain(error)
    return ""


def keep_pictures(database: Database) -> Callable:
    """For uploaded pictures: they go into a folder of their own, under names of our own, with their captions.

    A picture's caption is the text in the .txt of its name or, without one, its name.
    """

    def keep(paths: list[str] | None) -> str:
        files = [Path(path) for path in paths or ()]
        texts = {file.stem: file for file in files if file.suffix.lower() == ".txt"}
        images = sorted(file for file in files if file.suffix.lower() in SUFFIXES)
        if not images:
            return ""
        digest = hashlib.sha256()
        for file in sorted(files):
            digest.update(file.name.encode() + file.read_bytes())
        folder = database.pictures / digest.hexdigest()[:16]
        folder.mkdir(parents=True, exist_ok=True)
        for number, file in enumerate(images):
            own = folder / f"{number:05d}{file.suffix.lower()}"
            shutil.copyfile(file, own)
            told = texts.get(file.stem)
            said = told.read_text("utf-8", "replace") if told else re.sub(r"[_-]+", " ", file.stem)
            own.with_suffix(".txt").write_text(" ".join(said.split()), encoding="utf-8")
        return str(folder)

    return keep
