"""Captioned pictures that a trainer learns from, with their latents: given ones, or the pocket world's."""

import hashlib
from dataclasses import replace
from pathlib import Path

import torch
from accelerate import Accelerator
from diffusers import StableDiffusionPipeline
from torch import Tensor

from rf_app.errors import UserError
from rf_app.registry.models import Registry
from rf_app.registry.vocabulary import vocabulary
from rf_app.settings.training import ControlNet, Lora, PeRFlow
from trainers.common.models import encode, latent_shape
from trainers.common.objectives import drop_text
from trainers.data.images import ImageFolder, latents_of, with_trigger
from trainers.data.looking import MOST, look
from trainers.data.store import Order
from trainers.data.table import as_folder
from trainers.pocket.first_edition.editions import world_in_words
from trainers.pocket.pictures import Drawings


class Captioned:
    """The pictures of a training's settings: those of a folder, or drawings of a world that the model `base`
    knows.

    latents: [N, C, H, W], float32 on the CPU, kept in the folder `run`. batch: of each step.
    """

    def __init__(
        self,
        config: Lora | ControlNet | PeRFlow,
        registry: Registry,
        base: str,
        pipeline: StableDiffusionPipeline,
        run: Path,
        accelerator: Accelerator,
        trigger: str = "",
        bent: bool = False,
    ) -> None:
        """trigger: words that every caption has; bent: as for `Drawings`.

        Raises UserError for a folder without captioned pictures, and where a file of the run is another
        model's.
        """
        size = registry.card(base).resolution
        with accelerator.main_process_first():
            if config.images:
                self.images = _kept(config.images, size, run)
            else:
                edition = world_in_words(vocabulary(registry, base))
                self.images = Drawings(config.drawings, run.parent / "drawings", size, edition, bent)
            digest = hashlib.sha256(self.images.digest().encode()).hexdigest()[:12]
            path = run / f"latents-{digest}.safetensors"
            self.latents = latents_of(pipeline.vae, self.images.pixels, len(self.images), path)
        if self.latents.shape[1:] != latent_shape(pipeline):
            raise UserError(f"{path} holds latents {tuple(self.latents.shape[1:])}, not {base}'s; remove it.")
        self.batch = min(config.batch, len(self.images))
        ranks = accelerator.process_index, accelerator.num_processes
        self._order = Order(len(self.images), self.batch, config.seed, *ranks)
        self._pipeline, self._trigger, self._null = pipeline, trigger, encode(pipeline, [""])

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.images)

    def picks(self, draw: int) -> Tensor:
        """Which pictures this process learns from in a draw: [batch]."""
        return self._order.at(draw)

    def captions(self, count: int) -> list[str]:
        """The captions of the first pictures, so many at most."""
        return [self._caption(i) for i in range(min(count, len(self)))]

    def text(self, picks: Tensor, generator: torch.Generator) -> Tensor:
        """Embeddings [B, L, D] of their captions, a few replaced by the empty text's."""
        return drop_text(
            encode(self._pipeline, [self._caption(i) for i in picks.tolist()]), self._null, generator
        )

    def _caption(self, index: int) -> str:
        return with_trigger(self.images.caption(index), self._trigger)


def _kept(source: Path, size: int, run: Path) -> ImageFolder:
    """What of a folder can be used, as squares in the run's: it may hold what cannot be read, or a table."""
    with as_folder(source, MOST) as folder:
        kept = run / f"pictures-{ImageFolder(folder, size).digest()}"
        if not (kept / "metadata.jsonl").exists():
            looked = replace(look(folder, size, from_nothing=False), folder=source)
            print(looked.in_words(), flush=True)
            looked.save(kept)
    return ImageFolder(kept, size)
