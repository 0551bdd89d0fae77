"""The folder of a table that takes hours: made with the same settings to its end, or refused."""

import json
from collections.abc import Collection
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.registry.disk import write_text


def check_settings(folder: Path, config: Any, flag: str, free: Collection[str]) -> None:
    """Note a dataclass of settings in the folder; raises UserError where it holds a table made with others.

    flag: the option that names the folder; free: settings that may change, that one among them.
    """
    path = folder / "settings.json"
    now = {name: value for name, value in asdict(config).items() if name not in free}
    now = {name: str(value) if isinstance(value, Path) else value for name, value in now.items()}
    before = json.loads(path.read_text()) if path.exists() else now
    for name, value in now.items():
        if before.get(name) != value:
            raise UserError(
                f"{folder} holds a table with {name} {before.get(name)}, not {value}: give another {flag}."
            )
    write_text(path, json.dumps(now, indent=1) + "\n")
