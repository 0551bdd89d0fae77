"""Where runs live when nobody says otherwise: the user's own folder, beside the models trained there."""

from pathlib import Path

from rf_app.settings.home import home


def default_run(name: str) -> Path:
    """The run folder ``name`` under ``runs`` of the user's folder."""
    return home() / "runs" / name
