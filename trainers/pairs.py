"""Make (prompt, noise, latent) pairs with a teacher, the food of reflow and distillation.

    python -m trainers.pairs --teacher pocket-sd --output pairs/pocket-sd --count 20000 --steps 25

Pair i has seed SEED + i: its noise, and in the pocket world its caption, depend on that seed alone. Noise
is rounded to float16 before the teacher uses it, so a stored pair is exact. Ctrl-C stops; the same command
resumes, makes damaged shards anew, and makes more with a larger --count.

    python -m trainers.pairs --check pairs/pocket-sd

reads every byte of a folder and names what is not as it was written.
"""

import hashlib
import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from types import ModuleType

import torch
from accelerate import Accelerator
from diffusers import SchedulerMixin, StableDiffusionPipeline
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.registry.vocabulary import vocabulary
from rf_app.settings.text import read_text
from rf_app.settings.training import Pairs
from trainers.common import command
from trainers.common.events import Events
from trainers.common.models import (
    decode,
    encode,
    fingerprint,
    latent_shape,
    load_frozen,
    noise_of,
    registry_into,
    sample,
)
from trainers.common.precision import accelerator_in
from trainers.common.runs import alone_in
from trainers.common.sheets import write_sheet
from trainers.common.stopping import Stopping
from trainers.data import folder
from trainers.data.folder import expected_paths
from trainers.data.shards import PairSettings, inspect, read_whole, shard_path, write_shard
from trainers.pocket.first_edition.editions import world_in_words
from trainers.pocket.world import HELD_OUT

SHOWN = 8  # pictures of a shard, for a person to look at


def prompt_source(path: Path | None, world: ModuleType) -> tuple[str, Callable[[int], str]]:
    """The name of the prompts, for the shards, and the prompt of a seed; without a path, of the world."""
    if path is None:
        return "pocket world", lambda seed: world.describe(seed)[1].text
    text = read_text(path, f"--prompts {path}")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines:
        raise UserError(f"--prompts {path} holds no prompt: write one a line.")
    digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]
    return f"{path.name} ({len(lines)} lines, sha256 {digest})", lambda seed: lines[seed % len(lines)]


@dataclass(frozen=True)
class Maker:
    """Makes the pairs of any range of seeds with a loaded teacher, in accelerate's precision."""

    accelerator: Accelerator
    pipeline: StableDiffusionPipeline
    settings: PairSettings
    prompt: Callable[[int], str]
    batch: int

    def make(
        self, seeds: range, tick: Callable[[int], bool]
    ) -> tuple[list[str], torch.Tensor, torch.Tensor] | None:
        """Prompts, noise and latents (float16 [N, C, H, W]); None where `tick(pairs made)` asked to stop."""
        prompts = [self.prompt(seed) for seed in seeds]
        noise = noise_of(seeds, self.settings.shape).half()
        null = encode(self.pipeline, [""])
        latents = []
        for i in range(0, len(seeds), self.batch):
            part = noise[i : i + self.batch]
            text = encode(self.pipeline, prompts[i : i + self.batch])
            with self.accelerator.autocast():
                made = sample(
                    self.pipeline.unet,
                    self.pipeline.scheduler,
                    part.float().to(self.pipeline.device),
                    text,
                    null,
                    self.settings.guidance,
                    self.settings.steps,
                )
            latents.append(made.half())
            if tick(len(part)):
                return None
        return prompts, noise, torch.cat(latents).cpu()


def missing_shards(config: Pairs, settings: PairSettings) -> list[range]:
    """The rows of each shard that has to be made; raises UserError where the folder holds other pairs."""
    expected = expected_paths(config.output, config.count, config.shard)
    rows = {
        path: range(number * config.shard, min(config.count, (number + 1) * config.shard))
        for number, path in enumerate(expected)
    }
    for path in sorted(config.output.glob("pairs-*.parquet")):
        try:
            found, count = inspect(path)
        except UserError:  # made anew
            continue
        _same_settings(path, found, settings)
        if path not in rows or count > len(rows[path]):
            raise UserError(
                f"{path} goes beyond --count {config.count}: give another --output, or a --count of at least "
                "what is there; where it is a copy, remove it."
            )
    with ThreadPoolExecutor() as pool:
        whole = pool.map(lambda path: _is_whole(path, len(rows[path])), expected)
    return [rows[path] for path, there in zip(expected, whole, strict=True) if not there]


def _is_whole(path: Path, rows: int) -> bool:
    """Whether a shard is there with all its rows; one that is damaged is removed."""
    if not path.exists():
        return False
    try:
        return len(read_whole(path)) == rows
    except UserError as error:
        print(f"making anew: {error}", flush=True)
        path.unlink(missing_ok=True)  # another process may have been quicker
        return False


def _same_settings(path: Path, found: PairSettings, wanted: PairSettings) -> None:
    old, new = (asdict(each) | each.scheduler for each in (found, wanted))
    for name in new.keys() - {"scheduler"}:
        if old.get(name) != new[name]:
            raise UserError(
                f"{path} was made with {name} {old.get(name)}, not {new[name]}: give another --output."
            )


def scheduler_settings(scheduler: SchedulerMixin) -> dict[str, object]:
    """A scheduler's class and what it is set to, as JSON has it."""
    own = {name: value for name, value in scheduler.config.items() if not name.startswith("_")}
    return {"class": type(scheduler).__name__} | json.loads(json.dumps(own), parse_constant=str)


@dataclass(frozen=True, kw_only=True)
class Check:
    """What `--check` takes."""

    check: Path
    """Folder of pairs to check."""


def check_folder(config: Check) -> None:
    """Say that all is well with a folder of pairs, or raise UserError naming what is not."""
    print(f"{folder.check(config.check):,} pairs in {config.check} are as they were written.", flush=True)


def main(config: Pairs) -> None:
    """Make every missing shard; several processes share the shards between them."""
    if not 0 <= config.seed <= HELD_OUT - config.count:
        raise UserError(
            f"--seed must be 0 to {HELD_OUT - config.count}; seeds from {HELD_OUT} on are held out."
        )
    registry = registry_into(config.models)
    card = registry.card(config.teacher)
    name, prompt = prompt_source(config.prompts, world_in_words(vocabulary(registry, config.teacher)))
    accelerator = accelerator_in(config.precision)
    pipeline = load_frozen(registry, config.teacher)
    if config.compile:
        pipeline.unet.compile()
    settings = PairSettings(
        teacher=config.teacher,
        weights=fingerprint(pipeline.unet, pipeline.text_encoder),
        scheduler=scheduler_settings(pipeline.scheduler),
        steps=config.steps or card.steps,
        guidance=card.guidance if config.guidance is None else config.guidance,
        precision=accelerator.mixed_precision,
        prompts=name,
        seed=config.seed,
        shard=config.shard,
        shape=latent_shape(pipeline),
    )
    with alone_in(config.output, accelerator):
        _make_missing(config, Maker(accelerator, pipeline, settings, prompt, config.batch))


def _make_missing(config: Pairs, maker: Maker) -> None:
    accelerator, pipeline, settings = maker.accelerator, maker.pipeline, maker.settings
    missing = missing_shards(config, settings)
    if missing and accelerator.is_main_process:
        (config.output / folder.COMPLETE).unlink(missing_ok=True)
    accelerator.wait_for_everyone()
    here = config.count - sum(map(len, missing))
    events = Events(config.output, here) if accelerator.is_main_process else None
    mine = sum(map(len, missing[accelerator.process_index :: accelerator.num_processes]))
    bar = tqdm(total=mine, unit="pair", disable=not accelerator.is_main_process, mininterval=2)
    began = time.perf_counter()
    with Stopping() as stopping, bar:

        def tick(made: int) -> bool:
            bar.update(made)
            if events:
                speed = bar.n / (time.perf_counter() - began)  # of this process, whose share is bar.total
                done = here + bar.n * accelerator.num_processes
                events.write(
                    {
                        "step": min(done, config.count),
                        "of": config.count,
                        "seconds_left": (bar.total - bar.n) / speed,
                        "samples_per_second": speed * accelerator.num_processes,
                    }
                )
            return stopping.requested

        for turn in range(0, len(missing), accelerator.num_processes):
            rows = next(iter(missing[turn + accelerator.process_index :]), range(0))  # none is left for some
            seeds = range(config.seed + rows.start, config.seed + rows.stop)
            if rows and (made := maker.make(seeds, tick)):
                prompts, noise, latents = made
                path = shard_path(config.output, rows.start // config.shard)
                write_shard(path, settings, prompts, list(seeds), noise.numpy(), latents.numpy())
                if events:
                    shown = latents[:SHOWN].to(pipeline.device, pipeline.vae.dtype)
                    with torch.no_grad():
                        sheet = decode(pipeline, shown)
                    write_sheet(config.output / "samples" / f"pair-{rows.start:06d}.png", [sheet])
            if stopping.anywhere(accelerator):
                accelerator.print("\nstopped between two shards; the same command resumes", flush=True)
                raise SystemExit(0)
    accelerator.wait_for_everyone()
    if accelerator.is_main_process:
        folder.finish(config.output, config.count)
        print(f"{config.count:,} pairs in {config.output}", flush=True)


if __name__ == "__main__":
    command.run(check_folder, Check) if "--check" in sys.argv else command.run(main, Pairs)
