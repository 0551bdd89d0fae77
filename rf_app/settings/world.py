"""How a world of one's own is trained: the sizes of all stages, from its pictures and the time there is."""

from dataclasses import dataclass
from typing import Any

SHARES = {  # of the time
    "autoencoder": 0.33,
    "teacher": 0.33,
    "pairs": 0.10,
    "reflow": 0.09,
    "distill l2": 0.05,
    "distill lpips": 0.05,
    "contrastive": 0.05,
}
STARTS = 100.0  # seconds in which nothing is learned: nine processes begin, models are saved
CALLS = 2 * 12 + 2 * 8  # of the U-Net for two pairs, guided: the teacher's and the straight model's
LEAST = 20  # steps
# Of fewer steps batches are halved: a start is made of steps, not of samples.
ENOUGH, SMALLEST_BATCH = 2_000, 16
PAIRS = 96, 20_480  # at least and at most
PASSES = 1_000  # over the pictures: more only learns them by heart
FEW = 300  # pictures, of which little can be learned from nothing
FEW_SAID = "these are few"  # how the report begins to say so
ANEW = ("pairs", "straight-pairs", "reflow", "distill")  # folders: what the teacher's own training decides
REMADE = ("vae", "network", "stages.json", "figures.json", "sheet.png", "events.jsonl")  # by a longer world
LARGE = 160  # pixels a side, from which on 8 channels of latents hold what one can see


@dataclass(frozen=True)
class Pace:
    """Seconds a sample: a picture forth and back through the autoencoder, a step of the U-Net."""

    autoencoder: float
    unet: float


@dataclass(frozen=True)
class Sizes:
    """Options TRAINER.OPTION of all stages, and the seconds that each of `SHARES` takes."""

    settings: dict[str, Any]
    seconds: dict[str, float]


def channels_for(size: int) -> int:
    """Channels of the latents of pictures of so many pixels a side."""
    return 8 if size >= LARGE else 16


def sized(pictures: int, size: int, seconds: float, pace: Pace) -> Sizes:
    """The stages for so many pictures to learn from, in so many seconds."""
    time = max(seconds - STARTS, seconds / 4)
    settings: dict[str, Any] = {}
    took: dict[str, float] = {}

    def loop(name: str, batch: int, sample: float, passes: float, least: int = SMALLEST_BATCH) -> None:
        trainer, _, stage = name.partition(" ")
        prefix = f"{trainer}.{stage}_" if stage else f"{trainer}."
        samples = min(SHARES[name] * time / sample, passes * pictures)
        while samples / batch < ENOUGH and batch // 2 >= least:
            batch //= 2
        steps = int(samples / batch)
        settings[f"{prefix}steps"], settings[f"{prefix}batch"] = max(LEAST, steps), batch
        took[name] = max(LEAST, steps) * batch * sample

    crops = min(48, max(12, 12 * 192**2 // size**2))
    # Crops of half the side, for six steps of ten, and whole pictures, a quarter as many, are as much work.
    loop("autoencoder", crops, pace.autoencoder * (0.25 if size >= 64 else 0.7), 4 * PASSES)
    loop("teacher", 2 ** min(7, pictures.bit_length()), pace.unet, PASSES)
    rivals = min(64, pictures)  # a batch is what the network tells apart
    loop("contrastive", rivals, pace.autoencoder / 6, PASSES / 5, least=rivals)
    pair = CALLS * pace.unet / 3  # without the way back a step takes a third
    count = int(min(max(SHARES["pairs"] * time / pair, PAIRS[0]), PAIRS[1]))
    settings["pairs.count"], settings["pairs.shard"], took["pairs"] = count, 256, count * pair
    loop("reflow", 48, pace.unet, PASSES)
    loop("distill l2", 48, pace.unet, PASSES)
    loop("distill lpips", 16, pace.unet + pace.autoencoder, PASSES)
    for trainer in ("autoencoder", "teacher", "contrastive", "reflow"):
        settings[f"{trainer}.ema"] = _average(settings[f"{trainer}.steps"])
    settings["distill.ema"] = _average(min(settings[f"distill.{stage}_steps"] for stage in ("l2", "lpips")))
    for trainer in ("teacher", "reflow", "distill"):
        settings[f"{trainer}.overwrite"] = True  # a world that is lengthened is published again
    for trainer in ("autoencoder", "teacher", "contrastive"):
        settings[f"{trainer}.size"] = size
    settings["autoencoder.channels"] = channels_for(size)
    return Sizes(settings, took)


def _average(steps: int) -> float:
    """The decay of a moving average over the last tenth of so many steps, or over a thousand."""
    return round(min(0.999, max(0.9, 1 - 10 / steps)), 4)
