"""How long an import of a Stable Diffusion 1.5-size folder takes: `python -m benchmarks.importing`.

The folder is of stock diffusers' layout in float32, 4.1 GB of random weights, and cached by the system when
the import begins. Whole commands, as a job of the page runs them: started, gathered, checked by loading all
of it and drawing one small picture, and published. Seconds until the check begins, and until it can be
drawn. Needs 15 GB of disk.
"""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import torch
from diffusers import PNDMScheduler, StableDiffusionPipeline

from benchmarks.latency import machine
from benchmarks.random_models import BETAS, random_models
from rf_app.registry.loading import load_piece
from trainers.common import command


@dataclass(frozen=True)
class Options:
    """How often to import."""

    runs: int = 3
    """Imports of each way."""


def published(folder: Path) -> int:
    """Write the folder; returns its bytes."""
    pieces = random_models().pieces("random-sd15")
    del pieces["scheduler"]
    loaded = {name: load_piece(path, torch.float32) for name, path in pieces.items()}
    StableDiffusionPipeline(
        **loaded,
        scheduler=PNDMScheduler(**BETAS, skip_prk_steps=True),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    ).save_pretrained(folder)
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def imported(folder: Path, models: Path, *options: str) -> tuple[float, float]:
    """Import it there; seconds until the check begins, and until it is published."""
    start, checking = perf_counter(), 0.0
    line = [sys.executable, "-m", "rf_app", "import-model", str(folder), f"--registry={models}", *options]
    with subprocess.Popen(line, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        for said in process.stderr:
            print(f"  {perf_counter() - start:5.1f} s  {said}", end="", flush=True)
            checking = perf_counter() - start if "Checking" in said else checking
    if process.returncode:
        sys.exit(process.returncode)
    return checking, perf_counter() - start


def main(options: Options) -> None:
    """Measure and print."""
    print(machine(), flush=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name, "stock-sd15")
        print(f"{published(folder) / 1e9:.2f} GB", flush=True)
        for way in ((), ("--copy",)):
            for run in range(options.runs):
                for path in folder.rglob("*.safetensors"):
                    with path.open("rb") as file:
                        while file.read(2**24):
                            pass
                checking, whole = imported(folder, Path(name, f"models-{run}{len(way)}"), *way)
                print(
                    f"{'copied' if way else 'where it lies':<16}{checking:6.1f} s {whole:6.1f} s", flush=True
                )


if __name__ == "__main__":
    command.run(main, Options)
