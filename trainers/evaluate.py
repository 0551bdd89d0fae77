"""Measure models on prompts they have not seen: FID, fidelity or CLIP score, straightness, transport, time.

    python -m trainers.evaluate --model pocket-sd pocket-2rf pocket-instaflow --steps 1 2 4 8 25 \\
        --prompts 2000 --json table.json --write-card

Every model is measured at each of --steps that it can be drawn in (one-step models at 1) and shares the
reference: the drawings that the held-out captions belong to, seen by the judge. FID is the Frechet distance
of the judge's features, the kernel distance (KID) one that is as honest with few pictures; recall is the
share of the drawings that lie among the model's pictures; sharpness is the Laplacian energy over the
drawings'; variety is how far apart 16 pictures of a caption are, over how far drawings of it are. Under the
models stands what is no fault of theirs: the captions drawn again, the drawings through the first model's
autoencoder, drawings of other scenes. Models of Stable Diffusion's size are measured against photographs, as
in InstaFlow's paper, by FID's Inception and CLIP, which are not bundled. CLIP score is the mean cosine, about
0.3; of COCO's captions a picture's first is taken:

    python -m trainers.evaluate --model instaflow-0.9b --prompts 5000 --images coco/val2017 \\
        --inception inception.safetensors --clip CLIP-ViT-g-14-laion2B-s12B-b42K

The JSON is one object for one row, a list of objects for several.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import gather_object
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.flow.straightness import transport_cost
from rf_app.metrics import frechet, kernel
from rf_app.metrics.recall import NEIGHBOURS, recall
from rf_app.registry.card import ModelCard
from rf_app.registry.models import Registry
from rf_app.schedulers.solvers import FOLLOWED, MOST_STEPS
from rf_app.settings.training import check_sampling
from trainers.common import command
from trainers.common.findings import markdown, write_found, write_measured
from trainers.common.held_out import Measuring, one_size
from trainers.common.models import decode, load_frozen, registry_into
from trainers.common.pixels import at_once
from trainers.common.references import Drawings, Photographs, Reference
from trainers.common.subject import STRAIGHTNESS_STEPS, Subject, straightness_samples
from trainers.pocket.world import HELD_OUT

VARIED, SEEDS = 32, 16  # prompts at most, and seeds of each, between whose pictures the distance is taken
FRESH = HELD_OUT + 500_000_000  # the first of the seeds that held-out captions are drawn again with

COLUMNS = {
    "FID": ("fid", ".2f"),
    "kernel": ("kernel", ".3g"),
    "recall": ("recall", ".3f"),
    "fidelity": ("fidelity", ".2%"),
    "sharpness": ("sharpness", ".3f"),
    "variety": ("variety", ".3f"),
    "CLIP score": ("clip_score", ".4f"),
    "straightness": ("straightness", ".1f"),
    "transport": ("transport_cost", ".0f"),
    "s / image": ("seconds_per_image", ".4f"),
}
"""What the table has of a row, and how."""


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
    fid: float  # has a bias that more prompts lessen
    straightness: float | None  # of a flow
    transport_cost: float
    seconds_per_image: float
    measured_on: dict[str, Any]
    kernel: float | None = None  # what older cards lack
    recall: float | None = None
    fidelity: dict[str, float] | None = None  # this and the next two of drawings
    sharpness: float | None = None
    variety: float | None = None
    clip_score: float | None = None  # of photographs


class Evaluation:
    """The reference that all rows share; every process handles its part of the prompts."""

    def __init__(self, config: EvaluateConfig, size: int, accelerator: Accelerator) -> None:
        """Look at the reference, ``size`` pixels a side."""
        self.accelerator, self.batch = accelerator, at_once(size)
        which = (config.seed, config.prompts, size, accelerator.device)
        self.reference: Reference = (
            Photographs(config.images, config.inception, config.clip, *which)
            if config.images
            else Drawings(config.judge, *which)
        )
        self.seeds = range(HELD_OUT + config.seed, HELD_OUT + config.seed + config.prompts)
        self.varied = [i // SEEDS for i in range(SEEDS * min(VARIED, -(-config.prompts // SEEDS)))]
        self.own = self.seen(self.reference.pictures, self.reference.NAME)
        self.apart = self.drawings_apart() if isinstance(self.reference, Drawings) else None
        self.gaussian = frechet.fit(self.reference.features(self.own).numpy())
        own_figures = self.reference.figures(self.own, self.own)
        self.measured_on = {
            "prompts": config.prompts,
            "first_seed": self.seeds.start,
            **self.reference.measured_on,
            **{f"{self.reference.NAME}_{name}": value for name, value in own_figures.items()},
            "straightness_on": f"{straightness_samples(len(self.seeds))} prompts, {STRAIGHTNESS_STEPS} steps",
            "device": str(accelerator.device),
            "precision": {"no": "float32"}.get(accelerator.mixed_precision, accelerator.mixed_precision),
            "threads": torch.get_num_threads(),
        }

    def seen(self, images_of: Callable[[Sequence[int]], Tensor], name: str, count: int = 0) -> Tensor:
        """What is seen, [N, S], in the images of all captions, made in batches, each process its share.

        count: of so many images instead.
        """
        numbers = range(count or len(self.seeds))
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

    def compared(self, seen: Tensor) -> dict[str, object]:
        """The figures of what was seen in a picture of each caption."""
        made, own = (self.reference.features(each) for each in (seen, self.own))
        return {
            "fid": frechet.distance(frechet.fit(made.numpy()), self.gaussian),
            "kernel": kernel.distance(made.numpy(), own.numpy(), paired=True),
            "recall": recall(own, made, min(NEIGHBOURS, len(made) - 1)),
            **self.reference.figures(seen, self.own),
        }

    def look_at_floors(self, vae: AutoencoderKL) -> None:
        """Measure what is no model's fault: drawings that other seeds make of the captions, what the
        autoencoder leaves of drawings, and drawings of other scenes.
        """
        drawings, fresh = self.reference, range(FRESH, FRESH + len(self.seeds))

        def through(numbers: Sequence[int]) -> Tensor:
            images = drawings.pictures(numbers).to(vae.device)
            return vae.decode(vae.encode(images).latent_dist.mean).sample.clamp(-1, 1)

        makers = {
            "captions drawn again": lambda numbers: drawings.again(numbers, [fresh[i] for i in numbers]),
            "autoencoder": through,
            "other scenes": lambda numbers: drawings.of([fresh[i] for i in numbers]),
        }
        self.measured_on["floors"] = {
            name: self.compared(self.seen(make, name)) for name, make in makers.items()
        }
        del self.measured_on["floors"]["other scenes"]["fidelity"]

    def drawings_apart(self) -> float:
        """How far apart drawings of a caption are, which is a variety of 1."""

        def again(numbers: Sequence[int]) -> Tensor:
            return self.reference.again([self.varied[i] for i in numbers], [FRESH + i for i in numbers])

        return self.distance(again, "drawings")

    def distance(self, images_of: Callable[[Sequence[int]], Tensor], name: str) -> float:
        """The mean distance of two pictures of a caption, in what the reference compares."""
        seen = self.seen(images_of, f"{name}, {SEEDS} of a caption", len(self.varied))
        of_each = self.reference.features(seen).unflatten(0, (-1, SEEDS))
        return float(torch.cdist(of_each, of_each).sum() / of_each[..., 0].numel() / (SEEDS - 1))

    def rows(
        self, registry: Registry, card: ModelCard, steps: Sequence[int], guidance: float | None
    ) -> list[Row]:
        """All rows of one model, loaded once, of those steps that it can be drawn in; else of its card's."""
        pipeline = load_frozen(registry, card.id)
        guidance = card.guidance if guidance is None else guidance
        subject = Subject(pipeline, self.seeds, self.reference.captions, guidance, self.batch)
        curved = subject.straightness(self.accelerator) if card.kind in FOLLOWED else None
        least = pipeline.scheduler.config.get("num_time_windows", 1)
        most = MOST_STEPS.get(card.kind, max(steps))
        steps = [n for n in steps if least <= n <= most] or [card.steps]
        return [self._row(card, subject, n, curved) for n in steps]

    def _row(self, card: ModelCard, subject: Subject, steps: int, curved: float | None) -> Row:
        costs: list[float] = []

        def images_of(subject: Subject, numbers: Sequence[int]) -> Tensor:
            with self.accelerator.autocast():
                noise, latents = subject.latents(numbers, steps)
                images = decode(subject.pipeline, latents)
            costs.append(float(transport_cost(noise, latents)) * len(numbers))
            return images.float().clamp(-1, 1)

        name = f"{card.id} {steps} steps"
        seen = self.seen(partial(images_of, subject), name)
        cost = self.accelerator.reduce(torch.tensor(sum(costs), device=self.accelerator.device), "sum")
        variety = None
        if isinstance(self.reference, Drawings):
            captions = [self.reference.captions[i] for i in self.varied]
            fresh = range(FRESH, FRESH + len(captions))
            varied = Subject(subject.pipeline, fresh, captions, subject.guidance, self.batch)
            variety = self.distance(partial(images_of, varied), name) / self.apart
        with self.accelerator.autocast():
            seconds = subject.seconds_per_image(steps)
        return Row(
            model=card.id,
            steps=steps,
            guidance=subject.guidance,
            straightness=curved,
            transport_cost=float(cost) / len(self.seeds),
            seconds_per_image=seconds,
            measured_on=self.measured_on,
            variety=variety,
            **self.compared(seen),
        )


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
    evaluation = Evaluation(config, one_size(cards), accelerator)
    if not config.images:
        evaluation.look_at_floors(load_frozen(registry, cards[0].id).vae)
    rows: list[Row] = []
    for card in cards:
        steps = (1,) if card.kind == "one-step" else config.steps or (card.steps,)
        own = evaluation.rows(registry, card, steps, config.guidance)
        rows += own
        if accelerator.is_main_process and config.write_card:
            found = measured(own)
            alike = card.measured.get("measured_on") == found["measured_on"]
            write_measured(registry.folder(card.id), card, card.measured | found if alike else found)
    accelerator.print(table(rows))
    if accelerator.is_main_process:
        told = [figures(row) for row in rows]
        write_found(config, told if len(told) > 1 else told[0])


def table(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table, and under them the floors; of the columns those that any row has."""
    floors = rows[0].measured_on.get("floors", {})
    lines = {(row.model, row.steps, f"{row.guidance:g}"): asdict(row) for row in rows}
    lines |= {(name, "", ""): floor for name, floor in floors.items()}
    columns = {
        heading: [_cell(found.get(key), form) for found in lines.values()]
        for heading, (key, form) in COLUMNS.items()
        if any(getattr(row, key) is not None for row in rows)
    }
    cells = zip(*columns.values(), strict=True)
    return markdown(
        ("model", "steps", "guidance", *columns),
        [(*name, *each) for name, each in zip(lines, cells, strict=True)],
    )


def _cell(value: Any, form: str) -> str:
    value = value["mean"] if isinstance(value, dict) else value
    return "–" if value is None else format(value, form)


if __name__ == "__main__":
    command.run(main, EvaluateConfig)
