"""The originals on the Hub: what they are, what they cost, and whether they can be brought in now."""

import os
import shutil
import socket
import time
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import yaml
from huggingface_hub import constants

from rf_app.registry.disk import existing_parent
from rf_app.settings.bundled import ASSETS

FILE = ASSETS / "catalogue.yaml"
PATIENCE = 2.0  # seconds to reach the Hub
REMEMBERED = 60.0  # seconds

_reached: dict[str, tuple[float, bool]] = {}


@dataclass(frozen=True)
class Entry:
    """A model or LoRA on the Hub, by name or by name and file; kind: of a LoRA what it makes of a model.

    gigabytes: the download; memory: in use.
    """

    name: str
    id: str
    title: str
    kind: str
    license: str
    gigabytes: float
    memory: float
    steps: int
    guidance: float
    about: str


@cache
def catalogue() -> tuple[Entry, ...]:
    """Every entry, in the order of assets/catalogue.yaml."""
    return tuple(Entry(**each) for each in yaml.safe_load(FILE.read_text(encoding="utf-8")))


def entry_of(name: str) -> Entry | None:
    """The entry of a name on the Hub, if there is one."""
    return next((each for each in catalogue() if each.name == name), None)


def obstacle(entry: Entry, models: Path) -> str:
    """Why an entry cannot be brought into the folder `models` now; "" if it can."""
    memory = psutil.virtual_memory().total / 2**30
    if memory < entry.memory:
        return f"needs {entry.memory:g} GB of memory; this machine has {memory:.0f}"
    free = shutil.disk_usage(existing_parent(models)).free / 2**30
    if free < entry.gigabytes:
        return f"needs {entry.gigabytes:g} GB of disk; {free:.1f} are free"
    if not hub_is_reached():
        return "the Hub cannot be reached from here"
    return ""


def hub_is_reached() -> bool:
    """Whether the Hub answers; asked once a minute at most, and waits two seconds at most."""
    address = urlsplit(constants.ENDPOINT)
    when, reached = _reached.get(address.netloc, (-REMEMBERED, False))  # the clock begins with the system
    if os.environ.get("HF_HUB_OFFLINE") or time.monotonic() - when < REMEMBERED:
        return reached
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        socket.create_connection((address.hostname, port), PATIENCE).close()
        reached = True
    except OSError:
        reached = False
    _reached[address.netloc] = time.monotonic(), reached
    return reached
