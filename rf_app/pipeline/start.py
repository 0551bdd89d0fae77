"""Beginning from a picture: its latents on the way to it, and what stays of them."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny, StableDiffusionPipeline
from PIL import Image, ImageOps
from torch import Tensor, nn

from rf_app.errors import UserError
from rf_app.flow.inversion import inverted
from rf_app.flow.learned_inversion import ITERATIONS, learned
from rf_app.flow.path import interpolate
from rf_app.flow.velocity import Velocity, velocity_field
from rf_app.pipeline.checking import check_number, check_text
from rf_app.plugins.mask import of_latents
from rf_app.plugins.picture import decode_map, encode_map, read_base64, read_picture
from rf_app.registry.encoding import encoded
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.start import INVERSIONS, LEARNED, Start


def check_start(start: Start, size: tuple[int, int]) -> Start:
    """The start in force: picture and mask cut to (width, height), everything in range.

    Raises UserError naming the value that is not.
    """
    picture = ImageOps.fit(read_picture(read_base64(start.image)), size, Image.Resampling.LANCZOS)
    return replace(
        start,
        image=encode_map(picture),
        strength=check_number("strength", start.strength, 0, 1),
        shows=None if start.shows is None else check_text("text of what the picture shows", start.shows),
        inversion=_checked_inversion(start),
        mask=_checked_mask(start.mask, size),
    )


def _checked_inversion(start: Start) -> str:
    if start.inversion not in INVERSIONS:
        raise UserError(f"inversion is {start.inversion!r:.40}; it must be one of {', '.join(INVERSIONS)}.")
    if start.inversion == LEARNED and start.shows is None:
        raise UserError("inversion is learned, for which shows must say what the picture shows now.")
    return start.inversion


def _checked_mask(text: str, size: tuple[int, int]) -> str:
    if not text:
        return ""
    mask = ImageOps.fit(read_picture(read_base64(text)), size, Image.Resampling.NEAREST).convert("L")
    mask = mask.point(lambda level: 255 * (level > 127))
    if mask.getbbox() is None:
        raise UserError("The mask is empty: paint over what may change, or leave the mask out.")
    return encode_map(mask)


@dataclass(frozen=True)
class Known:
    """points: [1, C, h, w] at each time of the solve, on a way that ends at the picture.

    change: [1, 1, h, w], 1 where the new picture may be another one and 0 elsewhere; None for everywhere.
    """

    points: Sequence[Tensor]
    change: Tensor | None

    def kept(self, latents: Tensor, step: int) -> Tensor:
        """The latents after a step, with what may not change as it is known."""
        if self.change is None:
            return latents
        return torch.where(self.change > 0, latents, self.points[step])


def known_way(
    start: Start,
    pipeline: StableDiffusionPipeline,
    scheduler: RectifiedFlowScheduler,
    noise: Tensor,
    steps: int,
    shown: Tensor | None,
    seed: int,
    report: Callable[[int], None],
) -> Known:
    """The way to a checked start's picture, at the times of a solve in so many steps, which begins there.

    shown: the embeddings [1, L, D] of what the picture shows, under which the flow is followed back; None
    mixes it with the noise [1, C, h, w]. seed: of what learning draws. report: is told what is done of
    `steps_back`.
    """
    scheduler.begin = 1 - start.strength
    taus = scheduler.taus(steps)
    data = encode(pipeline.vae, decode_map(start.image))
    if shown is not None and start.inversion == LEARNED:
        velocity = _velocity_of(scheduler, pipeline.unet, shown)
        generator = torch.Generator().manual_seed(seed)
        with torch.inference_mode(False), torch.enable_grad():  # which the noise has
            noise = learned(velocity, data, noise, generator, lambda i, *_: report(i), ITERATIONS).x
    if shown is None or start.inversion == LEARNED:
        points = [interpolate(noise, data, tau) for tau in taus]
    else:
        points = [data]

        def step(i: int, _: float, x: Tensor) -> None:
            points.append(x)
            report(i)

        inverted(_velocity_of(scheduler, pipeline.unet, shown), data, taus, step)
        points.reverse()
    change = None
    if start.mask:
        change = of_latents(decode_map(start.mask), data.shape[-2:]).to(data)
    return Known(points, change)


def steps_back(start: Start, steps: int) -> int:
    """The parts in which a start is followed back, of a solve in so many steps."""
    if start.shows is None:
        return 0
    return ITERATIONS if start.inversion == LEARNED else steps


def _velocity_of(scheduler: RectifiedFlowScheduler, unet: nn.Module, embeds: Tensor) -> Velocity:
    """The velocity that a scheduler sees in what the U-Net predicts for a text, embeds [1, L, D]."""
    field = velocity_field(unet, embeds, schedule=scheduler.schedule)
    return (lambda x, tau: -field(x, tau)) if scheduler.turned else field


def encode(vae: AutoencoderKL | AutoencoderTiny, picture: Image.Image) -> Tensor:
    """The latents [1, C, h, w] of an RGB picture."""
    pixels = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(vae.device)
    pixels = (pixels / 127.5 - 1).to(vae.dtype).contiguous(memory_format=torch.channels_last)
    return encoded(vae, pixels)
