"""A model under measurement: its latents of held-out prompts, how straight its paths are, its time."""

import statistics
import time
from collections.abc import Sequence

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.flow.straightness import straightness
from rf_app.flow.velocity import velocity_field
from rf_app.schedulers.noise_schedule import schedule_of
from trainers.common.models import decode, encode, latent_shape, noise_of, sample

STRAIGHTNESS_SAMPLES, STRAIGHTNESS_STEPS = 128, 50  # of fewer than 512 prompts a quarter: it costs most
TIMED = 9  # images, one by one


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
