"""Files among those that Gradio serves, and clears away after a day."""

import secrets
import shutil
from pathlib import Path
from typing import Any

from gradio.data_classes import FileData
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from rf_app.actions.asking import File

GIVEN: set[str] = set()
"""The paths of all that were given away, for Gradio to clear away."""


def served(file: File) -> str:
    """The path of a file that Gradio may serve; one that lies elsewhere is moved there."""
    if isinstance(file.content, bytes):
        path = save_bytes_to_cache(file.content, file.name, get_upload_folder())
    else:
        target = Path(get_upload_folder()) / secrets.token_hex(16) / file.name
        target.parent.mkdir(parents=True)
        path = str(shutil.move(file.content, target))
    GIVEN.add(path)
    return path


def file_data(file: File) -> dict[str, Any]:
    """A file as Gradio's API gives it."""
    given = FileData(path=served(file), orig_name=file.name, meta={"_type": "gradio.FileData"})
    return given.model_dump()
