"""Training beside a loop written the obvious way: samples a second on the same weights, in one run.

    python -m benchmarks.training
    python -m benchmarks.training --tasks reflow --runs 1

The obvious loop is what a person writes first: the stock pipeline for pairs, a DataLoader, texts encoded and
targets decoded in each step, AdamW as it comes, everything in the memory layout it was loaded in. Both take
the same batches' size, learning rate and losses, in float32 and in bfloat16 (autocast), each in a process of
its own, and in turns. Ours are the commands themselves, by the events that they write; the steps in which
they draw samples are left out. A ratio is that of the medians. The losses show that both
learn; they are after different numbers of steps, so they are not to be compared.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from itertools import pairwise, product
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

import torch
import tyro
from accelerate import Accelerator
from datasets import Dataset
from diffusers.training_utils import EMAModel
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.latency import machine
from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import BUNDLED as PERCEPTUAL
from rf_app.metrics.perceptual import Perceptual
from rf_app.registry.loading import load
from rf_app.registry.models import BUNDLED, Registry
from rf_app.registry.vocabulary import vocabulary
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import Distill, Reflow
from trainers.common.findings import markdown
from trainers.common.objectives import one_step, reflow_loss
from trainers.data.store import Batch
from trainers.pocket.first_edition.editions import world_in_words

TEACHER, MADE_BY = "pocket-2rf", "pocket-sd"
PAIRS, MADE_AT_ONCE, MADE_STEPS = 128, 64, 25
MADE = ("--count", PAIRS, "--batch", MADE_AT_ONCE, "--steps", MADE_STEPS, "--guidance", 3.0)
STEPS = {"reflow": 120, "distill": 60}  # of ours, eight times interrupted by samples
LEARNED = 25  # steps of the obvious loop that count
WARM_UP = 5  # steps, or batches of pairs, that do not
TASKS = ("pairs", "reflow", "distill")
PRECISIONS = ("no", "bf16")
BATCH = {"pairs": MADE_AT_ONCE, "reflow": Reflow.batch, "distill": Distill.lpips_batch}
RATE = {"reflow": Reflow.learning_rate, "distill": Distill.lpips_learning_rate}


@dataclass(frozen=True)
class Options:
    """What to measure."""

    tasks: tuple[str, ...] = TASKS
    """Which: distill is its second stage, LPIPS."""
    runs: int = 3
    """Runs of each loop."""
    json: bool = False
    """Print JSON alone."""
    obvious: str = ""
    """Run the obvious loop of this task here, in accelerate's precision, and print what it found."""
    pairs: Path | None = None
    """Folder of the pairs that it learns from."""


@dataclass(frozen=True)
class Found:
    """samples: a second; loss: the mean of the last ten steps, 0 of pairs."""

    samples: float
    loss: float = 0.0


def obvious_pairs() -> Found:
    """The stock pipeline, batch by batch."""
    registry = Registry([BUNDLED])
    pipeline = load(registry.pieces(MADE_BY), registry.card(MADE_BY).kind)
    world = world_in_words(vocabulary(registry, MADE_BY))
    accelerator, taken = Accelerator(), []
    for first in range(0, 3 * MADE_AT_ONCE, MADE_AT_ONCE):
        start = perf_counter()
        prompts = [world.describe(seed)[1].text for seed in range(first, first + MADE_AT_ONCE)]
        with accelerator.autocast():
            pipeline(prompts, num_inference_steps=MADE_STEPS, guidance_scale=3.0, output_type="latent")
        taken.append(perf_counter() - start)
    return Found(MADE_AT_ONCE / median(taken[1:]))


def obvious_training(task: str, folder: Path) -> Found:
    """The loop of reflow, or of distillation by LPIPS."""
    registry = Registry([BUNDLED])
    pipeline = load(registry.pieces(TEACHER), registry.card(TEACHER).kind)
    accelerator, schedule = Accelerator(), schedule_of(pipeline.scheduler)
    unet = pipeline.unet.requires_grad_(True).train()
    perceptual = Perceptual(Judge.load(PERCEPTUAL))
    rows = Dataset.from_parquet([str(path) for path in sorted(folder.glob("*.parquet"))])
    loader = DataLoader(rows.with_format("torch"), BATCH[task], shuffle=True, drop_last=True)
    optimizer, ema = torch.optim.AdamW(unet.parameters(), RATE[task]), EMAModel(unet.parameters())
    unet, optimizer, loader = accelerator.prepare(unet, optimizer, loader)
    shape = unet.config.in_channels, unet.config.sample_size, unet.config.sample_size

    def loss(batch: dict[str, Any]) -> Tensor:
        with torch.no_grad():
            ids = pipeline.tokenizer(batch["prompt"], padding="max_length", return_tensors="pt").input_ids
            text = pipeline.text_encoder(ids)[0]
        x0, x1 = (batch[name].float().reshape(-1, *shape) for name in ("noise", "latent"))
        pairs = Batch(x0, x1, text)
        if task == "reflow":
            return reflow_loss(unet, pairs, torch.rand(len(x0)), schedule)
        made, wanted = (
            pipeline.vae.decode(latents / pipeline.vae.config.scaling_factor).sample
            for latents in (one_step(unet, pairs, schedule), x1)
        )
        return perceptual(made, wanted.detach()).mean()

    def batches() -> Iterator[dict[str, Any]]:
        while True:
            yield from loader

    taken, losses = [], []
    for _, batch in zip(range(WARM_UP + LEARNED), batches(), strict=False):
        start = perf_counter()
        with accelerator.autocast():
            value = loss(batch)
        accelerator.backward(value)
        accelerator.clip_grad_norm_(unet.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        ema.step(unet.parameters())
        losses.append(value.item())
        taken.append(perf_counter() - start)
    return Found(BATCH[task] / median(taken[WARM_UP:]), mean(losses[-10:]))


def ours(task: str, precision: str, folder: Path, home: Path) -> Found:
    """The command itself."""
    where = ("--models", home / "models", "--output", f"{task}-{precision}", "--overwrite")
    run = home / f"{task}-{precision}-{len(list(home.iterdir()))}"
    if task == "pairs":
        _child("trainers.pairs", "--teacher", MADE_BY, "--output", run, *MADE, precision=precision)
    elif task == "reflow":
        words = ("--teacher", TEACHER, "--pairs", folder, "--run", run, "--steps", STEPS[task])
        _child("trainers.reflow", *where, *words, precision=precision)
    else:
        words = ("--teacher", TEACHER, "--pairs", folder, "--run", run)
        words += ("--judge", PERCEPTUAL, "--l2-steps", 0, "--lpips-steps", STEPS[task])
        _child("trainers.distill", *where, *words, precision=precision)
        run = run / "lpips"
    lines = (run / "events.jsonl").read_text().splitlines()
    return of_events([json.loads(line) for line in lines], 1 if task == "pairs" else BATCH[task])


def of_events(events: list[dict[str, Any]], batch: int) -> Found:
    """The pace between two events with nothing drawn between them; the first one's comes with the start.

    batch: samples in a step.
    """
    rates = []
    for before, after in pairwise(events):
        if "psnr" not in after:
            then, now = (batch * each["step"] / each["samples_per_second"] for each in (before, after))
            rates.append(batch * (after["step"] - before["step"]) / (now - then))
    return Found(median(rates), events[-1].get("loss", 0.0))


def obvious(task: str, precision: str, folder: Path) -> Found:
    """The obvious loop, in a process of its own."""
    words = ("--obvious", task, "--pairs", folder)
    return Found(**json.loads(_child("benchmarks.training", *words, precision=precision).splitlines()[-1]))


def _child(module: str, *words: object, precision: str) -> str:
    """Run a command and give what it printed."""
    command = [sys.executable, "-m", module, *map(str, words)]
    own = os.environ | {"ACCELERATE_MIXED_PRECISION": precision}
    done = subprocess.run(command, env=own, text=True, stdout=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    return done.stdout


def measure(options: Options) -> dict[str, dict[str, list[Found]]]:
    """By task, and by who ran in which precision ("ours bf16"): what each run found."""
    found: dict[str, dict[str, list[Found]]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        home = Path(temporary)
        folder = home / "pairs"
        _child("trainers.pairs", "--teacher", MADE_BY, "--output", folder, *MADE, precision="no")
        for task, run, precision in product(options.tasks, range(options.runs), PRECISIONS):
            print(f"{task}, {precision}, run {run + 1} of {options.runs}", file=sys.stderr, flush=True)
            own = found.setdefault(task, {})
            own.setdefault(f"obvious {precision}", []).append(obvious(task, precision, folder))
            own.setdefault(f"ours {precision}", []).append(ours(task, precision, folder, home))
    return found


def table(found: dict[str, dict[str, list[Found]]]) -> str:
    """In Markdown: medians, their spread, and the two ratios that people ask for."""
    cells, said = [], []
    for task, loops in found.items():
        pace = {name: median(each.samples for each in runs) for name, runs in loops.items()}
        for name, runs in loops.items():
            all_of = [each.samples for each in runs]
            loss = median(each.loss for each in runs)
            spread = f"{pace[name]:.1f} ({min(all_of):.1f} to {max(all_of):.1f})"
            cells.append((task, name, spread, f"{loss:.4f}" if loss else ""))
        same = ", ".join(f"{pace[f'ours {p}'] / pace[f'obvious {p}']:.2f} x in {p}" for p in PRECISIONS)
        said.append(f"{task}: {same}; bf16 against float32 {pace['ours bf16'] / pace['obvious no']:.2f} x")
    return "\n".join([markdown(("task", "loop", "samples/s (least to most)", "loss"), cells), "", *said])


def main(options: Options) -> None:
    """Measure and print."""
    if options.obvious:
        assert options.pairs
        task = options.obvious
        found = obvious_pairs() if task == "pairs" else obvious_training(task, options.pairs)
        return print(json.dumps(asdict(found)))
    results = measure(options)
    if options.json:
        plain = {task: {n: [asdict(f) for f in fs] for n, fs in of.items()} for task, of in results.items()}
        return print(json.dumps({"machine": machine(), "found": plain}))
    print(f"{machine()}\n\n{table(results)}")


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))
