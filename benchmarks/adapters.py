"""What a LoRA costs: a picture without one, with one for the first and the second time, at another strength.

    python -m benchmarks.adapters
    python -m benchmarks.adapters --model pocket-sd --lora pocket-woodcut

Each round takes all cases in turn, so that a busy moment of the machine meets them alike. For comparison: a
call of the U-Net alone, plain and with PEFT's layers beside its own.
"""

import copy
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

import torch
import tyro
from diffusers import UNet2DConditionModel
from peft import LoraConfig

from benchmarks.latency import machine, row
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.models import Registry
from rf_app.settings.picture import Lora, PictureSettings
from tests.plugins.lora_files import ATTENTION, random_lora, write
from tests.tiny import load

WARM_UP = 5  # rounds that are not counted
SESSION = "benchmark"


@dataclass(frozen=True)
class Options:
    """What to measure."""

    model: str = "pocket-instaflow"
    lora: str | None = None  # an id; random weights for all of the attention if left out
    rank: int = 8  # of the random weights
    rounds: int = 60


def measure(worker: Worker, options: Options) -> dict[str, list[float]]:
    """Seconds of whole pictures by case, one entry a round."""
    with tempfile.TemporaryDirectory() as folder:
        unet = load(worker.registry, options.model).unet
        ids = []
        for seed in range(2):
            tensors = random_lora(unet, seed=seed, rank=options.rank, size=0.02)
            file = write(Path(folder) / f"{seed}.safetensors", tensors)
            ids.append(worker.uploads.add(SESSION, file, file.name).id)
    one, two = options.lora or ids[0], ids[1]
    cases = {
        "without": (),
        "first use": (Lora(one),),
        "second use": (Lora(one),),
        "another strength": (Lora(one, 0.5),),
        "another LoRA": (Lora(two),),
        "two LoRAs": (Lora(one), Lora(two)),
    }
    seconds: dict[str, list[float]] = {case: [] for case in cases}
    try:
        for i in range(-WARM_UP, options.rounds):
            for case, loras in cases.items():
                settings = PictureSettings("a lake", options.model, seed=i + WARM_UP, loras=loras)
                start = perf_counter()
                result_of(worker.draw(settings, SESSION))
                if i >= 0:
                    seconds[case].append(perf_counter() - start)
    finally:
        for id in ids:
            worker.uploads.remove(SESSION, id)
    return seconds


@torch.inference_mode()
def measure_peft(worker: Worker, options: Options) -> tuple[list[float], list[float]]:
    """Seconds of a call of the U-Net, plain and with PEFT's layers beside its own, one entry a round."""
    plain = load(worker.registry, options.model, device=worker.device, dtype=worker.dtype).unet
    plain = plain.to(memory_format=torch.channels_last)
    beside = copy.deepcopy(plain)
    config = LoraConfig(r=options.rank, target_modules=list(ATTENTION[:4]), init_lora_weights="gaussian")
    beside.add_adapter(config)
    size, channels = plain.config.sample_size, plain.config.in_channels
    latents = torch.randn(1, channels, size, size, device=worker.device, dtype=plain.dtype)
    text = torch.randn(1, 32, plain.config.cross_attention_dim, device=worker.device, dtype=plain.dtype)

    def timed(unet: UNet2DConditionModel) -> float:
        start = perf_counter()
        unet(latents, 1000.0, text).sample.sum().item()  # which waits for the device
        return perf_counter() - start

    rounds = [(timed(plain), timed(beside)) for _ in range(WARM_UP + options.rounds)][WARM_UP:]
    return [each for each, _ in rounds], [each for _, each in rounds]


def main(options: Options) -> None:
    """Measure and print."""
    worker = Worker(Registry.default())
    print(machine())
    print(f"{'milliseconds':<44}{'median':>10}{'90 %':>10}{'best':>10}{'runs':>8}")
    seconds = measure(worker, options)
    for case, each in seconds.items():
        ratio = median(each) / median(seconds["without"])
        print(f"{row(f'{options.model}, {case}', each)}   {ratio:.2f} x")
    plain, beside = measure_peft(worker, options)
    print(row("U-Net alone", plain))
    print(f"{row('U-Net with PEFT layers', beside)}   {median(beside) / median(plain):.2f} x")
    worker.close()


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
