"""A picture of one kind carried over to another, on the worker's thread: x0 is a picture and no noise."""

from dataclasses import dataclass

import torch
from diffusers import UNet2DConditionModel
from PIL import Image
from torch import Tensor

from rf_app.flow.path import interpolate, uniform_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.pipeline.decoding import decode
from rf_app.pipeline.models import Resident, weights_bytes
from rf_app.pipeline.residence import Residence
from rf_app.pipeline.start import encode
from rf_app.pipeline.turns import Report, Step
from rf_app.registry.checking import check_piece
from rf_app.registry.disk import stamp
from rf_app.registry.loading import load_piece
from rf_app.registry.precision import take_float32
from rf_app.registry.translations import FLOW, ONE_STEP, Translations


@dataclass(frozen=True)
class Carried:
    """A translated picture; way: pictures from the one that was given to this one, both among them."""

    image: Image.Image
    way: tuple[Image.Image, ...]


class Translator:
    """Has the translations' U-Nets, once they are asked for."""

    def __init__(self, translations: Translations, residence: Residence, dtype: torch.dtype):
        """residence: where they stay."""
        self.translations, self.residence, self.dtype = translations, residence, dtype

    def carried(
        self,
        id: str,
        base: Resident,
        null: Tensor,
        image: Image.Image,
        steps: int,
        frames: int,
        report: Report,
    ) -> Carried:
        """As `Worker.translate`; null: the empty text's embeddings [1, L, D] by the base."""
        pipeline = base.pipeline
        field = velocity_field(self._unet(id, steps), null)
        points = [encode(pipeline.vae, image)]
        shown = max(0, frames - 1)  # but the last one

        def after_step(done: int, _: float, x: Tensor) -> None:
            points.append(x)
            report(Step(done, steps + shown))

        def picture(latents: Tensor) -> Image.Image:
            return decode(pipeline, latents, pipeline.vae, go_on=lambda: report(None))

        euler(field, points[0], uniform_taus(steps), after_step)
        last, way = picture(points[-1]), []
        for i in range(shown):
            way.append(picture(point_at(points, i / shown)))
            report(Step(steps + i + 1, steps + shown))
        return Carried(last, (*way, last) if way else ())

    def _unet(self, id: str, steps: int) -> UNet2DConditionModel:
        folder = self.translations.folder(id) / (ONE_STEP if steps == 1 else FLOW)
        check_piece(folder, "unet")
        key = "translation", stamp(folder)
        found = self.residence.get(key)
        if found is None:
            self.residence.make_room(weights_bytes(folder, "unet", self.dtype), id)
            found = load_piece(folder, self.dtype, "unet")
            found = found.to(self.residence.device, memory_format=torch.channels_last)
            take_float32(found)
            self.residence.keep(key, found, [found])
        return found


def point_at(points: list[Tensor], tau: float) -> Tensor:
    """Where a solve of uniform steps is at a time: between two of its points, on the line that joins them."""
    place = tau * (len(points) - 1)
    i = min(int(place), len(points) - 2)
    return interpolate(points[i], points[i + 1], place - i)
