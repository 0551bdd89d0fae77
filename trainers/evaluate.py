"""Measure models of the pocket world on held-out prompts: FID, fidelity, straightness, transport, time.

    python -m trainers.evaluate --model pocket-sd pocket-2rf pocket-instaflow --steps 1 2 4 8 25 \\
        --prompts 2000 --json table.json --write-card

Every model is measured at each of --steps (one-step models at 1) and shares the reference: the drawings that
the held-out captions belong to, seen by the judge. FID is the Frechet distance of the judge's features.
The JSON is one object for one row, a list of objects for several.
"""

import json
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.flow.straightness import straightness, transport_cost
from rf_app.flow.velocity import velocity_field
from rf_app.metrics import frechet
from rf_app.metrics.fidelity import Fidelity, fidelity
from rf_app.metrics.judge import Judge
from rf_app.registry.card import ModelCard, write_card
from rf_app.registry.disk import disk_full_named, write_atomically
from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import check_sampling
from trainers.common import command
from trainers.common.held_out import Measuring
from trainers.common.models import (
    decode,
    encode,
    latent_shape,
    load_frozen,
    noise_of,
    registry_into,
    sample,
)
from trainers.common.pixels import to_tensor
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.world import HELD_OUT

BATCH = 64
STRAIGHTNESS_SAMPLES, STRAIGHTNESS_STEPS = 128, 50  # of fewer than 512 prompts a quarter: it costs most
TIMED = 9  # images, one by one


@dataclass(frozen=True, kw_only=True)
class EvaluateConfig(Measuring):
    """What to measure, and on how much."""

    model: tuple[str, ...]
    """Model ids."""
    steps: tuple[int, ...] = ()
    """Solver steps, one row each (default: what each card recommends)."""
    guidance: float | None = None
    """Guidance (default: what each card recommends)."""
    prompts: int = 2_000

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        for steps in self.steps or (None,):
            check_sampling(steps, self.guidance)


@dataclass(frozen=True)
class Row:
    """The figures of one model at one number of steps."""

    model: str
    steps: int
    guidance: float
    fid: float
    fidelity: dict[str, float]
    straightness: float
    transport_cost: float
    seconds_per_image: float
    measured_on: dict[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class Reference:
    """Held-out seeds with their captions, what these state, and the Gaussian of their drawings' features."""

    seeds: range
    captions: list[str]
    stated: list[dict[str, str]]
    gaussian: frechet.Gaussian
    measured_on: dict[str, object]


class Evaluation:
    """The judge and the reference that all rows share; every process handles its part of the prompts."""

    def __init__(self, config: EvaluateConfig, size: int, accelerator: Accelerator) -> None:
        """Draw the reference, ``size`` pixels a side, and look at it."""
        self.accelerator = accelerator
        self.judge = Judge.load(config.judge).to(accelerator.device)
        seeds = range(HELD_OUT + config.seed, HELD_OUT + config.seed + config.prompts)
        world = world_of(self.judge.kinds)
        described = [world.describe(seed) for seed in seeds]
        stated = [{name: getattr(scene, name) for name in caption.stated} for scene, caption in described]

        def drawings(seeds: Sequence[int]) -> Tensor:
            return to_tensor(np.stack([world.picture(seed, size) for seed in seeds]))

        features = self.features(drawings, seeds, "drawings")
        measured_on = {
            "prompts": config.prompts,
            "first_seed": seeds.start,
            "reference": f"{config.prompts} drawings of the same held-out seeds",
            "features": "judge",
            "drawings_fidelity": flat(fidelity(self.logits(features), stated, self.judge.kinds)),
            "straightness_on": f"{straightness_samples(len(seeds))} prompts, {STRAIGHTNESS_STEPS} steps",
            "device": str(accelerator.device),
            "precision": {"no": "float32"}.get(accelerator.mixed_precision, accelerator.mixed_precision),
            "threads": torch.get_num_threads(),
        }
        captions = [caption.text for _, caption in described]
        self.reference = Reference(seeds, captions, stated, frechet.fit(features.numpy()), measured_on)

    def logits(self, features: Tensor) -> dict[str, Tensor]:
        """The judge's opinion of features [N, D]."""
        with torch.no_grad():
            return self.judge.classify(features.to(self.accelerator.device))

    def features(self, images_of, numbers: Sequence[int], name: str) -> Tensor:
        """Features [N, D] of the images of all `numbers`, made in batches, each process its share."""
        parts = [numbers[i : i + BATCH] for i in range(0, len(numbers), BATCH)]
        own = range(self.accelerator.process_index, len(parts), self.accelerator.num_processes)
        quiet = not self.accelerator.is_main_process
        with torch.no_grad():
            done = [
                (i, self.judge.features(images_of(parts[i]).to(self.accelerator.device)).cpu())
                for i in tqdm(own, desc=name, disable=quiet, mininterval=2)
            ]
        if self.accelerator.num_processes > 1:
            done = sorted(gather_object(done), key=lambda item: item[0])
        return torch.cat([features for _, features in done])

    def rows(
        self, registry: Registry, card: ModelCard, steps: Sequence[int], guidance: float | None
    ) -> list[Row]:
        """All rows of one model, loaded once."""
        pipeline = load_frozen(registry, card.id)
        subject = Subject(pipeline, self.reference, card.guidance if guidance is None else guidance)
        curved = subject.straightness(self.accelerator)
        return [self._row(card, subject, n, curved) for n in steps]

    def _row(self, card: ModelCard, subject: "Subject", steps: int, curved: float) -> Row:
        costs: list[float] = []

        def images_of(numbers: Sequence[int]) -> Tensor:
            with self.accelerator.autocast():
                noise, latents = subject.latents(numbers, steps)
                images = decode(subject.pipeline, latents)
            costs.append(float(transport_cost(noise, latents)) * len(numbers))
            return images.float().clamp(-1, 1)

        every = range(len(self.reference.seeds))
        features = self.features(images_of, every, f"{card.id} {steps} steps")
        seen = fidelity(self.logits(features), self.reference.stated, self.judge.kinds)
        cost = self.accelerator.reduce(torch.tensor(sum(costs), device=self.accelerator.device), "sum")
        return Row(
            model=card.id,
            steps=steps,
            guidance=subject.guidance,
            fid=frechet.distance(frechet.fit(features.numpy()), self.reference.gaussian),
            fidelity=flat(seen),
            straightness=curved,
            transport_cost=float(cost) / len(self.reference.seeds),
            seconds_per_image=subject.seconds_per_image(steps),
            measured_on=self.reference.measured_on,
        )


def straightness_samples(prompts: int) -> int:
    """On how many of the prompts straightness is measured."""
    return min(STRAIGHTNESS_SAMPLES, -(-prompts // 4))


class Subject:
    """A model under measurement."""

    def __init__(self, pipeline: StableDiffusionPipeline, reference: Reference, guidance: float) -> None:
        """Encodes the empty text; everything else on demand."""
        self.pipeline, self.reference, self.guidance = pipeline, reference, guidance
        self.null = encode(pipeline, [""])

    def noise(self, numbers: Sequence[int]) -> Tensor:
        """The noise of prompts by number, the same for every model."""
        seeds = [self.reference.seeds[i] for i in numbers]  # no training pair has such a seed
        return noise_of(seeds, latent_shape(self.pipeline)).to(self.pipeline.device)

    def text(self, numbers: Sequence[int]) -> Tensor:
        """The embeddings of prompts by number."""
        return encode(self.pipeline, [self.reference.captions[i] for i in numbers])

    def latents(self, numbers: Sequence[int], steps: int) -> tuple[Tensor, Tensor]:
        """Noise and what it becomes, both [B, C, H, W]."""
        noise, text = self.noise(numbers), self.text(numbers)
        unet, scheduler = self.pipeline.unet, self.pipeline.scheduler
        return noise, sample(unet, scheduler, noise, text, self.null, self.guidance, steps)

    def straightness(self, accelerator: Accelerator) -> float:
        """S of the model seen as a flow, at its guidance, over the first prompts; shared by processes."""
        count = straightness_samples(len(self.reference.seeds))
        schedule, total = schedule_of(self.pipeline.scheduler), torch.zeros((), device=accelerator.device)
        starts = range(accelerator.process_index * BATCH, count, accelerator.num_processes * BATCH)
        for i in tqdm(starts, desc="straightness", leave=False, disable=not accelerator.is_main_process):
            numbers = range(i, min(i + BATCH, count))
            field = velocity_field(self.pipeline.unet, self.text(numbers), self.null, self.guidance, schedule)
            total += len(numbers) * straightness(field, self.noise(numbers), STRAIGHTNESS_STEPS)
        return float(accelerator.reduce(total, "sum")) / count

    def seconds_per_image(self, steps: int) -> float:
        """Median time of one image from text to pixels, made one by one."""
        times = []
        with torch.inference_mode():
            for i in range(TIMED):
                begin = time.perf_counter()
                decode(self.pipeline, self.latents([i % len(self.reference.seeds)], steps)[1]).cpu()
                times.append(time.perf_counter() - begin)
        return statistics.median(times[1:])


def flat(seen: Fidelity) -> dict[str, float]:
    """mean and each attribute, in one dictionary."""
    return {"mean": seen.mean} | seen.attributes


def figures(row: Row) -> dict[str, object]:
    """A row as the JSON file and the cards hold it, rounded to five significant digits."""

    def rounded(value: object) -> object:
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return float(f"{value:.5g}") if isinstance(value, float) else value

    return rounded(asdict(row))


def measured(rows: Sequence[Row]) -> dict[str, object]:
    """The rows of one model for its card: what they were measured on once, then each number of steps."""
    result: dict[str, object] = {}
    for row in rows:
        own = figures(row)
        result[f"{row.steps} step{'s' * (row.steps > 1)}"] = {
            k: v for k, v in own.items() if k not in ("model", "steps", "measured_on")
        }
    return result | {"measured_on": figures(rows[0])["measured_on"]}


def main(config: EvaluateConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(config.models)
    cards = [registry.card(id) for id in config.model]
    if not (config.judge / "judge.safetensors").is_file():
        raise UserError(f"--judge {config.judge} holds no judge.safetensors.")
    accelerator = Accelerator()
    evaluation = Evaluation(config, cards[0].resolution, accelerator)
    rows: list[Row] = []
    for card in cards:
        steps = (1,) if card.kind == "one-step" else config.steps or (card.steps,)
        own = evaluation.rows(registry, card, steps, config.guidance)
        rows += own
        if accelerator.is_main_process and config.write_card:
            folder = registry.folder(card.id)
            with disk_full_named(folder):
                write_card(folder, replace(card, measured=card.measured | measured(own)))
    accelerator.print(table(rows))
    if accelerator.is_main_process and config.json:
        content = [figures(row) for row in rows]
        text = json.dumps(content if len(content) > 1 else content[0], indent=2) + "\n"
        write_atomically(config.json, lambda temporary: temporary.write_text(text))


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [
        "| model | steps | guidance | FID | fidelity | straightness | transport | s / image |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {r.model} | {r.steps} | {r.guidance:g} | {r.fid:.2f} | {r.fidelity['mean']:.2%} "
        f"| {r.straightness:.1f} | {r.transport_cost:.0f} | {r.seconds_per_image:.4f} |"
        for r in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main, EvaluateConfig)
