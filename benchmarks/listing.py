"""How long the page waits for the list of models, with a thousand of them: `python -m benchmarks.listing`.

Each entry is a folder with a card like a trained model's and a small U-Net. The first look ever reads
everything and leaves an index for other processes; later looks read what has changed; a look for news costs
least.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
import tyro
from safetensors.numpy import save_file

from rf_app.registry.card import read_card, write_card
from rf_app.registry.models import BUNDLED, Registry


@dataclass(frozen=True)
class Options:
    """What to measure."""

    entries: int = 1000
    runs: int = 10
    like: str = "pocket-instaflow"  # the bundled model whose card the entries get


def fill(folder: Path, entries: int, like: str = "pocket-instaflow") -> None:
    """Write so many models into a folder, all of them borrowing from pocket-sd."""
    card = read_card(BUNDLED / like)
    scheduler = (BUNDLED / like / "scheduler" / "scheduler_config.json").read_bytes()
    config = (BUNDLED / like / "unet" / "config.json").read_bytes()
    weights = {"weight": np.zeros(8, np.float16)}
    for i in range(entries):
        model = folder / f"model-{i:04d}"
        (model / "unet").mkdir(parents=True)
        (model / "scheduler").mkdir()
        (model / "scheduler" / "scheduler_config.json").write_bytes(scheduler)
        (model / "unet" / "config.json").write_bytes(config)
        save_file(weights, model / "unet" / "diffusion_pytorch_model.safetensors")
        write_card(model, replace(card, id=model.name, title=f"Model {i}", base_model="pocket-sd"))


def _milliseconds(action: Callable[[], object]) -> float:
    start = perf_counter()
    action()
    return 1000 * (perf_counter() - start)


def main(options: Options) -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        fill(folder, options.entries, options.like)
        registry = Registry([BUNDLED, folder])
        print(f"{'milliseconds, ' + str(options.entries) + ' models':<44}{'median':>8}{'worst':>8}")
        print(f"{'first look ever':<44}{_milliseconds(registry.cards):8.1f}")
        another = _milliseconds(lambda: Registry([BUNDLED, folder]).cards())
        print(f"{'first look of another process':<44}{another:8.1f}")
        for label, action in (("list of cards", registry.cards), ("news?", registry.state)):
            times = [_milliseconds(action) for _ in range(options.runs)]
            print(f"{label:<44}{median(times):8.1f}{max(times):8.1f}")
        write_card(folder / "model-0000", replace(registry.card("model-0000"), title="Another title"))
        print(f"{'list of cards after one has changed':<44}{_milliseconds(registry.cards):8.1f}")
        assert len(registry.cards()) == options.entries + len(list(BUNDLED.glob("*/README.md")))


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
