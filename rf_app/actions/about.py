"""What runs here, and on what: for a report of a fault. It names no folder and no person.

python -m rf_app about
"""

import os
import platform
import re
from dataclasses import dataclass
from importlib.metadata import version

import psutil
import torch

from rf_app.actions.application import Application
from rf_app.actions.progress import Events
from rf_app.actions.words import in_bytes
from rf_app.jobs.processes import ROOT
from rf_app.registry.card import capital
from rf_app.settings.engine import spoken

LIBRARIES = ("diffusers", "transformers", "peft", "gradio")
FEATURES = {"avx2": "AVX2", "avx512_f": "AVX-512", "amx_tile": "AMX", "neon": "NEON", "sve": "SVE"}


@dataclass(frozen=True)
class About:
    """Nothing is to be chosen."""


def about(app: Application, wish: About) -> Events[dict[str, str]]:
    """Say which versions run here, on which processor and device, and what is at hand."""
    own = re.search(r'^version = "(.+)"', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.M)
    able = torch.cpu.get_capabilities()
    features = [name for key, name in FEATURES.items() if able.get(key)]
    memory = psutil.virtual_memory()
    device = app.worker.device.type
    if device == "cuda":
        device = f"cuda, {torch.cuda.get_device_name(app.worker.device)}"
    at_hand = {
        f"{capital(store.CARD.NAME)}s": ", ".join(card.id for card in store.cards()) or "none"
        for store in app.stores
    }
    yield {
        "InstaFlow Studio": own[1],
        "Python": platform.python_version(),
        "torch": torch.__version__,  # with the kind of its build
        **{name: version(name) for name in LIBRARIES},
        "System": f"{platform.system()} {platform.machine()}",
        "Processor": ", ".join(features) or "none of " + ", ".join(FEATURES.values()),
        "Device": device,
        "Engine": spoken(app.worker.engine),
        "Threads": f"{torch.get_num_threads()} of {os.cpu_count()}",
        "Memory": f"{in_bytes(memory.available)} free of {in_bytes(memory.total)}",
        **at_hand,
    }


def answer(app: Application, found: list[dict[str, str]]) -> dict[str, str]:
    """Each fact by its name."""
    return found[0]
