"""Measure models on prompts they have not seen: FID, fidelity or CLIP score, straightness, transport, time.

    python -m trainers.evaluate --model pocket-sd pocket-2rf pocket-instaflow --steps 1 2 4 8 25 \\
        --prompts 2000 --json table.json --write-card

Every model is measured at each of --steps that it can be drawn in (one-step models at 1) and shares the
reference: the drawings that the held-out captions belong to, seen by the judge. FID is the Frechet distance
of the judge's features. Models of Stable Diffusion's size are measured against photographs, as in InstaFlow's
paper, by FID's Inception and CLIP, which are not bundled. CLIP score is the mean cosine, about 0.3; of COCO's
captions a picture's first is taken:

    python -m trainers.evaluate --model instaflow-0.9b --prompts 5000 --images coco/val2017 \\
        --inception inception.safetensors --clip CLIP-ViT-g-14-laion2B-s12B-b42K

The JSON is one object for one row, a list of objects for several.
"""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

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
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.schedulers.noise_schedule import schedule_of
from rf_app.settings.training import check_sampling
from trainers.common import command
from trainers.common.findings import markdown, write_found, write_measured
from trainers.common.held_out import Measuring
from trainers.common.models import decode, encode, latent_shape, load_frozen, noise_of, registry_into, sample
from trainers.common.references import Drawings, Photographs, Reference
from trainers.pocket.world import HELD_OUT

BATCH, BATCH_PIXELS = 64, 2**20  # of large pictures fewer: four of 512x512
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
    images: Path | None = None
    """Folder of captioned photographs to measure against, as coco/val2017 with coco/annotations beside it
    (default: drawings of the pocket world); --seed is the number of the first."""
    inception: Path | None = None
    """With --images: FID's Inception as a safetensors file (rf_app/metrics/inception.py says which it is)."""
    clip: Path | None = None
    """With --images: folder of transformers' CLIPModel, as a snapshot from the Hub is."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        super().__post_init__()
        if len({each is None for each in (self.images, self.inception, self.clip)}) > 1:
            raise UserError("--images, --inception and --clip belong together: give all three, or none.")
        for steps in self.steps or (None,):
            check_sampling(steps, self.guidance)


@dataclass(frozen=True)
class Row:
    """The figures of one model at one number of steps."""

    model: str
    steps: int
    guidance: float
    fid: float
    straightness: float | None  # of a flow
    transport_cost: float
    seconds_per_image: float
    measured_on: dict[str, object]
    fidelity: dict[str, float] | None = None  # of drawings
    clip_score: float | None = None  # of photographs


class Evaluation:
    """The reference that all rows share; every process handles its part of the prompts."""

    def __init__(self, config: EvaluateConfig, size: int, accelerator: Accelerator) -> None:
        """Look at the reference, ``size`` pixels a side."""
        self.accelerator, self.batch = accelerator, min(BATCH, max(1, BATCH_PIXELS // size**2))
        which = (config.seed, config.prompts, size, accelerator.device)
        self.reference: Reference = (
            Photographs(config.images, config.inception, config.clip, *which)
            if config.images
            else Drawings(config.judge, *which)
        )
        self.seeds = range(HELD_OUT + config.seed, HELD_OUT + config.seed + config.prompts)
        seen = self.seen(self.reference.pictures, self.reference.NAME)
        self.gaussian = frechet.fit(self.reference.features(seen).numpy())
        self.measured_on = {
            "prompts": config.prompts,
            "first_seed": self.seeds.start,
            **self.reference.measured_on,
            **{
                f"{self.reference.NAME}_{name}": value for name, value in self.reference.figures(seen).items()
            },
            "straightness_on": f"{straightness_samples(len(self.seeds))} prompts, {STRAIGHTNESS_STEPS} steps",
            "device": str(accelerator.device),
            "precision": {"no": "float32"}.get(accelerator.mixed_precision, accelerator.mixed_precision),
            "threads": torch.get_num_threads(),
        }

    def seen(self, images_of: Callable[[Sequence[int]], Tensor], name: str) -> Tensor:
        """What is seen, [N, S], in the images of all captions, made in batches, each process its share."""
        numbers = range(len(self.seeds))
        parts = [numbers[i : i + self.batch] for i in range(0, len(numbers), self.batch)]
        own = range(self.accelerator.process_index, len(parts), self.accelerator.num_processes)
        quiet = not self.accelerator.is_main_process
        with torch.no_grad():
            done = [
                (i, self.reference.see(images_of(parts[i]).to(self.accelerator.device), parts[i]).cpu())
                for i in tqdm(own, desc=name, disable=quiet, mininterval=2)
            ]
        if self.accelerator.num_processes > 1:
            done = sorted(gather_object(done), key=lambda item: item[0])
        return torch.cat([each for _, each in done])

    def rows(
        self, registry: Registry, card: ModelCard, steps: Sequence[int], guidance: float | None
    ) -> list[Row]:
        """All rows of one model, loaded once; a PeRFlow has none of fewer steps than it has windows."""
        pipeline = load_frozen(registry, card.id)
        guidance = card.guidance if guidance is None else guidance
        subject = Subject(pipeline, self.seeds, self.reference.captions, guidance, self.batch)
        curved = subject.straightness(self.accelerator)
        least = pipeline.scheduler.config.get("num_time_windows", 1)
        steps = [n for n in steps if n >= least] or steps
        return [self._row(card, subject, n, curved) for n in steps]

    def _row(self, card: ModelCard, subject: "Subject", steps: int, curved: float | None) -> Row:
        costs: list[float] = []

        def images_of(numbers: Sequence[int]) -> Tensor:
            with self.accelerator.autocast():
                noise, latents = subject.latents(numbers, steps)
                images = decode(subject.pipeline, latents)
            costs.append(float(transport_cost(noise, latents)) * len(numbers))
            return images.float().clamp(-1, 1)

        seen = self.seen(images_of, f"{card.id} {steps} steps")
        cost = self.accelerator.reduce(torch.tensor(sum(costs), device=self.accelerator.device), "sum")
        return Row(
            model=card.id,
            steps=steps,
            guidance=subject.guidance,
            fid=frechet.distance(frechet.fit(self.reference.features(seen).numpy()), self.gaussian),
            straightness=curved,
            transport_cost=float(cost) / len(self.seeds),
            seconds_per_image=subject.seconds_per_image(steps),
            measured_on=self.measured_on,
            **self.reference.figures(seen),
        )


def straightness_samples(prompts: int) -> int:
    """On how many of the prompts straightness is measured."""
    return min(STRAIGHTNESS_SAMPLES, -(-prompts // 4))


class Subject:
    """A model under measurement."""

    def __init__(
        self,
        pipeline: StableDiffusionPipeline,
        seeds: Sequence[int],
        captions: Sequence[str],
        guidance: float,
        batch: int,
    ) -> None:
        """Encodes the empty text; everything else on demand."""
        self.pipeline, self.seeds, self.captions = pipeline, seeds, captions
        self.guidance, self.batch = guidance, batch
        self.null = encode(pipeline, [""])

    def noise(self, numbers: Sequence[int]) -> Tensor:
        """The noise of prompts by number, the same for every model."""
        seeds = [self.seeds[i] for i in numbers]  # no training pair has such a seed
        return noise_of(seeds, latent_shape(self.pipeline)).to(self.pipeline.device)

    def text(self, numbers: Sequence[int]) -> Tensor:
        """The embeddings of prompts by number."""
        return encode(self.pipeline, [self.captions[i] for i in numbers])

    def latents(self, numbers: Sequence[int], steps: int) -> tuple[Tensor, Tensor]:
        """Noise and what it becomes, both [B, C, H, W]."""
        noise, text = self.noise(numbers), self.text(numbers)
        unet, scheduler = self.pipeline.unet, self.pipeline.scheduler
        return noise, sample(unet, scheduler, noise, text, self.null, self.guidance, steps)

    def straightness(self, accelerator: Accelerator) -> float | None:
        """S of the model seen as a flow, at its guidance, over the first prompts; shared by processes.

        None for a model that cannot be seen so.
        """
        count = straightness_samples(len(self.seeds))
        try:
            schedule = schedule_of(self.pipeline.scheduler)
        except UserError:
            return None
        total = torch.zeros((), device=accelerator.device)
        starts = range(accelerator.process_index * self.batch, count, accelerator.num_processes * self.batch)
        for i in tqdm(starts, desc="straightness", leave=False, disable=not accelerator.is_main_process):
            numbers = range(i, min(i + self.batch, count))
            guidance = max(self.guidance, 1.0)  # below 1 there is none, as in `sample`
            field = velocity_field(self.pipeline.unet, self.text(numbers), self.null, guidance, schedule)
            total += len(numbers) * straightness(field, self.noise(numbers), STRAIGHTNESS_STEPS)
        return float(accelerator.reduce(total, "sum")) / count

    def seconds_per_image(self, steps: int) -> float:
        """Median time of one image from text to pixels, made one by one."""
        times = []
        with torch.inference_mode():
            for i in range(TIMED):
                begin = time.perf_counter()
                decode(self.pipeline, self.latents([i % len(self.seeds)], steps)[1]).cpu()
                times.append(time.perf_counter() - begin)
        return statistics.median(times[1:])


def figures(row: Row) -> dict[str, object]:
    """A row as the JSON file and the cards hold it, rounded to five significant digits."""

    def rounded(value: object) -> object:
        if isinstance(value, dict):
            return {name: rounded(item) for name, item in value.items()}
        return float(f"{value:.5g}") if isinstance(value, float) else value

    return {name: rounded(value) for name, value in asdict(row).items() if value is not None}


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
    accelerator = Accelerator()
    evaluation = Evaluation(config, cards[0].resolution, accelerator)
    rows: list[Row] = []
    for card in cards:
        steps = (1,) if card.kind == "one-step" else config.steps or (card.steps,)
        own = evaluation.rows(registry, card, steps, config.guidance)
        rows += own
        if accelerator.is_main_process and config.write_card:
            write_measured(registry.folder(card.id), card, card.measured | measured(own))
    accelerator.print(table(rows))
    if accelerator.is_main_process:
        found = [figures(row) for row in rows]
        write_found(config, found if len(found) > 1 else found[0])


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    shows = "CLIP score" if rows[0].fidelity is None else "fidelity"
    headings = ("model", "steps", "guidance", "FID", shows, "straightness", "transport", "s / image")
    return markdown(headings, map(_cells, rows))


def _cells(row: Row) -> list[str]:
    shown = f"{row.clip_score:.4f}" if row.fidelity is None else f"{row.fidelity['mean']:.2%}"
    straight = "–" if row.straightness is None else f"{row.straightness:.1f}"
    figures = [f"{row.guidance:g}", f"{row.fid:.2f}", shown, straight, f"{row.transport_cost:.0f}"]
    return [row.model, str(row.steps), *figures, f"{row.seconds_per_image:.4f}"]


if __name__ == "__main__":
    command.run(main, EvaluateConfig)
