"""A part of drawings drawn anew under their own words, as the Edit tab's "Only here" does, and its seam."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from diffusers import StableDiffusionPipeline
from PIL import Image

from rf_app.flow.path import interpolate, last_taus
from rf_app.flow.solvers import euler
from rf_app.flow.velocity import velocity_field
from rf_app.metrics.seam import steepness
from rf_app.plugins.mask import of_latents, pasted
from rf_app.registry.encoding import encoded
from rf_app.schedulers.noise_schedule import schedule_of
from trainers.common.models import decode, encode, noise_of
from trainers.common.pixels import at_once, to_pixels, to_tensor

RADII = 0.15, 0.3  # of a side


def discs(seeds: Sequence[int], side: int) -> np.ndarray:
    """A disc for each seed, which lies in the picture: bool [N, side, side]."""
    places = [np.random.Generator(np.random.PCG64([seed, 3])).random(3) for seed in seeds]
    rows, columns = np.mgrid[:side, :side] / side
    masks = []
    for size, y, x in places:
        radius = RADII[0] + size * (RADII[1] - RADII[0])
        y, x = (radius + place * (1 - 2 * radius) for place in (y, x))
        masks.append((rows - y) ** 2 + (columns - x) ** 2 < radius**2)
    return np.stack(masks)


@torch.no_grad()
def redrawn(
    pipeline: StableDiffusionPipeline,
    drawings: np.ndarray,
    masks: np.ndarray,
    captions: Sequence[str],
    seeds: Sequence[int],
    guidance: float,
    steps: int,
    strength: float,
) -> np.ndarray:
    """The drawings uint8 [N, H, W, 3] with what lies in the masks bool [N, H, W] drawn anew.

    steps: of the whole path, of which the share of strength is taken.
    """
    schedule, null = schedule_of(pipeline.scheduler), encode(pipeline, [""])
    taus = last_taus(steps, strength)
    made = []
    for part in np.array_split(np.arange(len(seeds)), -(-len(seeds) // at_once(drawings.shape[1]))):
        pixels = to_tensor(drawings[part], pipeline.device)
        x1 = encoded(pipeline.vae, pixels)
        noise = noise_of([seeds[i] for i in part], x1.shape[1:]).to(x1)
        areas = [Image.fromarray(masks[i]) for i in part]
        change = torch.cat([of_latents(area, x1.shape[-2:]) for area in areas]).to(x1)
        text = encode(pipeline, [captions[i] for i in part])
        forth = velocity_field(pipeline.unet, text, null, max(guidance, 1.0), schedule)
        x = interpolate(noise, x1, taus[0])
        for now, then in pairwise(taus):
            known = interpolate(noise, x1, then)
            x = torch.where(change > 0, euler(forth, x, [now, then]).x, known)
        images = to_pixels(decode(pipeline, x).float())
        for i, image, area in zip(part, images, areas, strict=True):
            made.append(np.asarray(pasted(Image.fromarray(image), Image.fromarray(drawings[i]), area)))
    return np.stack(made)


def seam(drawings: np.ndarray, made: np.ndarray, masks: np.ndarray) -> float:
    """How many times as steep as the drawings the border of what was drawn anew is, where it is steepest."""
    return float((steepness(made, masks) / steepness(drawings, masks)).max())
