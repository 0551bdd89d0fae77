"""Pictures made larger, on the worker's thread: by Stable Diffusion XL's refiner, or by an upscaler."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from PIL import Image

from rf_app.pipeline.drawn import Drawn, Timings, now
from rf_app.pipeline.models import weights_bytes
from rf_app.pipeline.residence import Residence
from rf_app.pipeline.turns import Report, Step
from rf_app.plugins.upscaler import enlarged, load_upscaler
from rf_app.registry.disk import stamp
from rf_app.registry.refiner import PIECES, load_refiner, refiner_folder

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

ENLARGED = 2  # times, before it is refined
REFINER = "refiner"


class Enlarger:
    """Has the refiner and the upscalers, once they are asked for."""

    def __init__(self, residence: Residence, dtype: torch.dtype):
        """residence: where they stay."""
        self.residence, self.dtype = residence, dtype

    def refined(self, drawn: Drawn, strength: float, steps: int, report: Report) -> Drawn:
        """As `Worker.refine`."""
        refiner, device = self._refiner(), self.residence.device
        start = sampled = now(device)

        def after_step(pipeline: StableDiffusionXLImg2ImgPipeline, done: int, _: Any, tensors: dict) -> dict:
            nonlocal sampled
            sampled = now(device)
            report(Step(done + 1, pipeline.num_timesteps))
            return tensors

        settings, size = drawn.settings, tuple(ENLARGED * side for side in drawn.image.size)
        image = refiner(
            prompt=settings.prompt,
            negative_prompt=settings.negative_prompt,
            image=drawn.image.resize(size, Image.Resampling.LANCZOS),
            strength=strength,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(settings.seed),
            callback_on_step_end=after_step,
        ).images[0]
        end = now(device)
        timings = drawn.timings + Timings(0, sampled - start, end - sampled, end - start)
        return replace(drawn, image=image, timings=timings)

    def upscaled(self, image: Image.Image, factor: int, file: Path, report: Report) -> Image.Image:
        """As `Worker.upscale`."""
        return enlarged(self._upscaler(file), image, factor, lambda done, of: report(Step(done, of)))

    def _refiner(self) -> StableDiffusionXLImg2ImgPipeline:
        found = self.residence.get(REFINER)
        if found is None:
            needed = sum(
                weights_bytes(refiner_folder() / name, kind, self.dtype)
                for name, kind in PIECES.items()
                if kind != "tokenizer"
            )
            self.residence.make_room(needed, "The refiner")
            found = load_refiner(self.residence.device, self.dtype)
            self.residence.keep(REFINER, found, [found.unet, found.vae, found.text_encoder_2])
        return found

    def _upscaler(self, file: Path) -> "ImageModelDescriptor":
        key = stamp(file)
        found = self.residence.get(key)
        if found is None:
            self.residence.make_room(file.stat().st_size, file.stem)
            found = load_upscaler(file, self.residence.device)
            self.residence.keep(key, found, [found.model])
        return found
