"""Files among those that Gradio serves, and clears away after a day."""

import secrets
import shutil
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder
from starlette.requests import Request
from starlette.responses import PlainTextResponse

from rf_app.actions.asking import File
from rf_app.registry.disk import DiskFull, disk_full_named

GIVEN: set[str] = set()
"""The paths of all that were given away, for Gradio to clear away."""


def served(file: File) -> str:
    """The path of a file that Gradio may serve; one that lies elsewhere is moved there. Raises `DiskFull`."""
    folder = Path(get_upload_folder())
    with disk_full_named(folder):
        if isinstance(file.content, bytes):
            path = save_bytes_to_cache(file.content, file.name, str(folder))
        else:
            target = folder / secrets.token_hex(16) / file.name
            target.parent.mkdir(parents=True)
            path = str(shutil.move(file.content, target))
    GIVEN.add(path)
    return path


def upload_refused(asked_by: Request, error: OSError) -> PlainTextResponse:
    """The answer to an upload for which there is no room; any other error goes on."""
    try:
        with disk_full_named(Path(get_upload_folder())):
            raise error
    except DiskFull as full:
        return PlainTextResponse(asked_by.app.get_blocks().permission.told(full), 507)


def file_data(file: File) -> dict[str, Any]:
    """A file as Gradio's API gives it."""
    given = FileData(path=served(file), orig_name=file.name, meta={"_type": "gradio.FileData"})
    return given.model_dump()
