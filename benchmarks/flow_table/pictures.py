"""What the flows of the table learn to draw, and the network that looks at what they draw.

Drawings of the pocket world are learned as latents of the bundled autoencoder and seen by the judge in
`assets/perceptual`: it knows this edition of the world, which the bundled judge in `assets/judge` does not
yet, and no flow is trained against it, since all of them learn from latents alone.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from torch import Tensor
from torchvision.datasets import CIFAR10
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.metrics.inception import Inception
from rf_app.metrics.judge import Judge
from trainers.common.models import load_autoencoder
from trainers.common.pixels import to_pixels, to_tensor
from trainers.data.images import latents_of
from trainers.pocket.pictures import FAMILY_SIZE, pictures
from trainers.pocket.world import HELD_OUT

BATCH = 50  # pictures that are drawn and looked at together


@dataclass(frozen=True)
class Pictures:
    """x1: samples [N, C, H, W] to learn from; others: of pictures that nobody learns from, as the limit.

    reference: features [M, D] of still other pictures. draw: of samples the pictures [B, 3, H, W] in -1..1.
    look: of such pictures the features [B, D].
    """

    x1: Tensor
    others: Tensor
    reference: Tensor
    draw: Callable[[Tensor], Tensor]
    look: Callable[[Tensor], Tensor]

    def seen(self, samples: Tensor) -> Tensor:
        """The features [N, D] of samples [N, C, H, W], as their pictures would be saved, in 8 bits."""
        batches = tqdm(samples.split(BATCH), desc="looking", leave=False, mininterval=2)
        return torch.cat([self.look(to_tensor(to_pixels(self.draw(part)), part.device)) for part in batches])


@torch.no_grad()
def drawings(
    count: int, measured: int, folder: Path, autoencoder: Path, judge: Path, accelerator: Accelerator
) -> Pictures:
    """`count` drawings of the pocket world; `measured` others each for the limit and the reference.

    folder: keeps drawings and latents.
    """
    device = accelerator.device
    vae = load_autoencoder(autoencoder)
    vae = vae.to(device, memory_format=torch.channels_last)
    looking = Judge.load(judge).to(device)

    def draw(latents: Tensor) -> Tensor:
        with accelerator.autocast():
            return vae.decode(latents, return_dict=False)[0].float()

    def latents(first: int, count: int) -> Tensor:
        drawn = pictures(count, first, folder, FAMILY_SIZE)
        return latents_of(vae, drawn.__getitem__, count, folder / f"latents-{first}-{count}.safetensors")

    reference = pictures(measured, HELD_OUT + measured, folder, FAMILY_SIZE)
    return Pictures(
        x1=latents(0, count).to(device),
        others=latents(HELD_OUT, measured).to(device),
        reference=_features(looking.features, reference, device),
        draw=draw,
        look=looking.features,
    )


@torch.no_grad()
def cifar10(measured: int, folder: Path, inception: Path, accelerator: Accelerator) -> Pictures:
    """The training pictures of CIFAR-10, as they are; limit and reference are of the test pictures.

    folder: torchvision downloads them there. inception: as for `Inception.load`. Raises UserError where they
    cannot be downloaded.
    """
    device = accelerator.device
    looking = Inception.load(inception).to(device)
    try:
        learned, test = (CIFAR10(folder, train=train, download=True).data for train in (True, False))
    except OSError as error:
        raise UserError(
            f"CIFAR-10 cannot be downloaded ({error}): put {CIFAR10.url} into {folder}."
        ) from None
    return Pictures(
        x1=to_tensor(learned, device).contiguous(),
        others=to_tensor(test[:measured], device),
        reference=_features(looking, test[measured : 2 * measured], device),
        draw=lambda samples: samples,
        look=looking,
    )


def _features(look: Callable[[Tensor], Tensor], images: np.ndarray, device: torch.device) -> Tensor:
    parts = torch.arange(len(images)).split(BATCH)
    return torch.cat([look(to_tensor(images[part.numpy()], device)) for part in parts])
