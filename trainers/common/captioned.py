"""Captioned pictures that a trainer learns from, with their latents: given ones, or the pocket world's."""

import hashlib
from pathlib import Path

from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from rf_app.registry.vocabulary import vocabulary
from trainers.common.models import latent_shape
from trainers.data.images import ImageFolder, latents_of
from trainers.pocket.first_edition.editions import world_in_words
from trainers.pocket.pictures import Drawings


def captioned_latents(
    folder: Path | None,
    drawings: int,
    registry: Registry,
    base: str,
    pipeline: StableDiffusionPipeline,
    run: Path,
    accelerator: Accelerator,
    bent: bool = False,
) -> tuple[ImageFolder | Drawings, Tensor]:
    """The pictures of a folder, or so many drawings of a world that the model `base` knows, and their latents
    [N, C, H, W], float32 on the CPU, kept in the folder `run`.

    Raises UserError for a folder without captioned pictures, and where a file of the run is another model's.
    """
    size = registry.card(base).resolution
    with accelerator.main_process_first():
        if folder:
            images = ImageFolder(folder, size)
            accelerator.print(images.in_words(), flush=True)
        else:
            edition = world_in_words(vocabulary(registry, base))
            images = Drawings(drawings, run.parent / "drawings", size, edition, bent)
        path = run / f"latents-{hashlib.sha256(images.digest().encode()).hexdigest()[:12]}.safetensors"
        latents = latents_of(pipeline.vae, images.pixels, len(images), path)
    if latents.shape[1:] != latent_shape(pipeline):
        raise UserError(f"{path} holds latents {tuple(latents.shape[1:])}, not {base}'s; remove it.")
    return images, latents
