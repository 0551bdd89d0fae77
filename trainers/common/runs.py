"""Where runs live when nobody says otherwise: the user's own folder, beside the models trained there."""

import os
from pathlib import Path


def default_run(name: str) -> Path:
    """The run folder ``name`` under ``$INSTAFLOW_HOME/runs`` (default ``~/.instaflow/runs``)."""
    return Path(os.environ.get("INSTAFLOW_HOME", Path.home() / ".instaflow")) / "runs" / name
