"""Where a person's own models, LoRAs, ControlNets, jobs and runs lie."""

import os
from pathlib import Path

from rf_app.errors import UserError


def home() -> Path:
    """The user's own folder: $INSTAFLOW_HOME, or ~/.instaflow where that is unset or empty; absolute.

    Raises UserError for a user without a home.
    """
    try:
        # Absolute, because the runner and the trainers work in another folder than who starts them.
        return Path(os.environ.get("INSTAFLOW_HOME") or "~/.instaflow").expanduser().absolute()
    except RuntimeError:
        raise UserError("This user has no home folder: name a folder in $INSTAFLOW_HOME.") from None
