"""Make (prompt, noise, latent) pairs with a teacher, the food of reflow and distillation.

    python -m trainers.pairs --teacher pocket-sd --output pairs/pocket-sd --count 20000 --steps 25

Pair i has seed SEED + i: its noise, and in the pocket world its caption, depend on that seed alone. Noise
is rounded to float16 before the teacher uses it, so a stored pair is exact. Ctrl-C stops; the same command
resumes.
"""

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.registry.disk import write_atomically
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
from trainers.data.shards import PairSettings, inspect, shard_path, write_shard
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
    missing = []
    for number in range(-(-config.count // config.shard)):
        rows = range(number * config.shard, min(config.count, (number + 1) * config.shard))
        path = shard_path(config.output, number)
        if path.exists():
            try:
                found, count = inspect(path)
            except UserError as error:
                print(f"making anew: {error}", flush=True)
                path.unlink()
            else:
                _same_settings(path, found, settings)
                if count == len(rows):
                    continue
        missing.append(rows)
    return missing


def _same_settings(path: Path, found: PairSettings, wanted: PairSettings) -> None:
    for name in PairSettings.__dataclass_fields__:
        old, new = getattr(found, name), getattr(wanted, name)
        if old != new:
            raise UserError(f"{path} was made with {name} {old}, not {new}: give another --output.")


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
    settings = PairSettings(
        teacher=config.teacher,
        weights=fingerprint(pipeline.unet),
        solver=type(pipeline.scheduler).__name__,
        steps=config.steps or card.steps,
        guidance=card.guidance if config.guidance is None else config.guidance,
        prompts=name,
        seed=config.seed,
        shape=latent_shape(pipeline),
    )
    with alone_in(config.output, accelerator):
        _make_missing(config, Maker(accelerator, pipeline, settings, prompt, config.batch))


def _make_missing(config: Pairs, maker: Maker) -> None:
    accelerator, pipeline, settings = maker.accelerator, maker.pipeline, maker.settings
    missing = missing_shards(config, settings)
    if missing and accelerator.is_main_process:
        (config.output / "complete.json").unlink(missing_ok=True)
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
    done = json.dumps({"pairs": config.count, "folder": str(config.output)})
    if accelerator.is_main_process:
        write_atomically(config.output / "complete.json", lambda temporary: temporary.write_text(done))
    accelerator.print(done, flush=True)


if __name__ == "__main__":
    command.run(main, Pairs)
