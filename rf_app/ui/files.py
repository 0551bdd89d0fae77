"""Files among those that Gradio serves, and how they are cleared away again.

Gradio's own `delete_cache` is no help: it takes away the page's icons, too, ends at the first file that it
may not remove, and knows nothing of what an earlier process has left.
"""

import logging
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from hashlib import sha256
from pathlib import Path
from threading import Thread
from typing import Any

from gradio.data_classes import FileData
from gradio.utils import get_upload_folder
from gradio_client.utils import strip_invalid_filename_characters
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from rf_app.actions.asking import File
from rf_app.errors import UserError
from rf_app.registry.disk import DiskFull, disk_full_named
from rf_app.settings.text import read_text

log = logging.getLogger(__name__)

DAY, HOUR, PAUSE = 86400.0, 3600.0, 600.0  # seconds
MAX_BYTES = 4 * 2**30  # of all that nobody has asked for in the last hour
MAX_TEXT = 4_000_000  # bytes


def served(file: File) -> str:
    """The path of a file that Gradio may serve; one that lies elsewhere is moved there. Raises `DiskFull`."""
    folder = Path(get_upload_folder())
    with disk_full_named(folder, file.name):
        if isinstance(file.content, bytes):
            name = strip_invalid_filename_characters(file.name)
            target = folder / sha256(file.content).hexdigest() / name
            target.parent.mkdir(parents=True, exist_ok=True)
            # In one step: the same content may be on its way to somebody else just now.
            written = target.with_name(secrets.token_hex(16))
            written.write_bytes(file.content)
            written.replace(target)
        else:
            target = folder / secrets.token_hex(16) / file.name
            target.parent.mkdir(parents=True)
            shutil.move(file.content, target)
    return str(target)


def uploaded_text(path: str | Path) -> str:
    """What an uploaded text file holds; raises UserError."""
    file = Path(path)
    if file.stat().st_size > MAX_TEXT:
        raise UserError(f"{file.name} is larger than the {MAX_TEXT // 1_000_000} MB accepted.")
    return read_text(file, file.name)


def upload_refused(asked_by: Request, error: OSError) -> PlainTextResponse:
    """The answer to an upload for which there is no room; any other error goes on."""
    try:
        with disk_full_named(Path(get_upload_folder()), "what was uploaded"):
            raise error
    except DiskFull as full:
        return PlainTextResponse(asked_by.app.get_blocks().permission.told(full), 507)


def file_data(file: File) -> dict[str, Any]:
    """A file as Gradio's API gives it."""
    given = FileData(path=served(file), orig_name=file.name, meta={"_type": "gradio.FileData"})
    return given.model_dump()


def keep_swept(folders: Mapping[Path, Callable[[], Collection[Path]]]) -> None:
    """Sweep folders from now on, in the background; each with what tells which of its entries are in use."""

    def sweep_all() -> None:
        while True:
            for folder, used in folders.items():
                try:
                    sweep(folder, used())
                except Exception:  # a locked database, say: the next time may do better
                    log.exception("%s could not be swept", folder)
            time.sleep(PAUSE)

    Thread(target=sweep_all, daemon=True).start()


def sweep(folder: Path, used: Collection[Path] = ()) -> None:
    """Remove entries that are a day old and, the oldest first, what goes beyond `MAX_BYTES`.

    What is used stays, and so does what is less than an hour old: somebody may be looking at it. An entry is
    as old as the newest of what is in it.
    """
    now, found = time.time(), []
    for entry in folder.iterdir() if folder.is_dir() else ():
        if entry in used:
            continue
        try:
            states = [path.lstat() for path in (entry, *entry.rglob("*"))]
        except FileNotFoundError:  # somebody works on it
            continue
        found.append((max(each.st_mtime for each in states), sum(each.st_size for each in states), entry))
    held = sum(size for _, size, _ in found)
    for changed, size, entry in sorted(found):
        if now - changed > DAY or (held > MAX_BYTES and now - changed > HOUR):
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
            held -= size
