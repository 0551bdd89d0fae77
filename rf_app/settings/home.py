"""Where a person's own models, LoRAs, ControlNets, jobs and runs lie, and which path they name."""

import os
import re
from contextlib import suppress
from pathlib import Path
from urllib.parse import unquote

from rf_app.errors import UserError

UNSEEN = r"[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]+"  # spaces and marks of direction


def home() -> Path:
    """The user's own folder: $INSTAFLOW_HOME, or ~/.instaflow where that is unset or empty; absolute.

    Raises UserError for a user without a home.
    """
    try:
        # Absolute, because the runner and the trainers work in another folder than who starts them.
        said = os.path.expandvars(os.environ.get("INSTAFLOW_HOME", "").strip())  # as a shell would have it
        return Path(said or "~/.instaflow").expanduser().absolute()
    except RuntimeError:
        raise UserError("This user has no home folder: name a folder in $INSTAFLOW_HOME.") from None


def existing(text: str) -> Path | None:
    """The file or folder that a person names, if there is one: as typed, or as pasted.

    ~ is their home; Windows copies paths in quotes, and with a mark of direction in front that nobody sees;
    file managers copy them as file://….
    """
    text = re.sub(f"^{UNSEEN}|{UNSEEN}$", "", text)
    if text[:1] in ("'", '"') and text.endswith(text[:1]):
        text = text[1:-1]
    if text.startswith("file:"):
        text = unquote(re.sub("^file:(//[^/]*)?", "", text))
    with suppress(ValueError, OSError, RuntimeError):  # no path, or of a user who is none
        path = Path(text).expanduser()
        return path if text and (path.is_file() or path.is_dir()) else None
    return None
