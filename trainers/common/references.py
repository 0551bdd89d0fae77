"""What a model's pictures are measured against, and by which networks: captions, their pictures, and what is
seen in these or in a model's.

Drawings of the pocket world, seen by the judge; or photographs with captions, as COCO's, seen by Inception
and CLIP.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPProcessor

from rf_app.errors import UserError
from rf_app.metrics.clip_score import clip_score
from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.inception import Inception
from rf_app.metrics.judge import Judge
from rf_app.metrics.sharpness import laplacian_energy
from rf_app.registry.checking import check_piece
from rf_app.registry.loading import load_piece
from trainers.common.held_out import HeldOutPrompts
from trainers.common.pixels import to_pixels, to_tensor
from trainers.data.images import ImageFolder
from trainers.pocket.first_edition.editions import world_of


class Drawings:
    """Held-out drawings of the pocket world, and its judge."""

    NAME = "drawings"

    def __init__(self, judge: Path, first: int, count: int, size: int, device: torch.device) -> None:
        """size: pixels a side. Raises UserError for a folder without a judge."""
        if not (judge / "judge.safetensors").is_file():
            raise UserError(f"--judge {judge} holds no judge.safetensors.")
        self.judge, self.size = Judge.load(judge).to(device), size
        self.world = world_of(self.judge.kinds)
        self.prompts = HeldOutPrompts(self.world, count, first)
        self.captions = self.prompts.captions
        self.measured_on = {"reference": f"{count} drawings of the same held-out seeds", "features": "judge"}

    def pictures(self, numbers: Sequence[int]) -> Tensor:
        """Its own by number: [B, 3, H, W] in -1..1."""
        return self.of([self.prompts.seeds[i] for i in numbers])

    def of(self, seeds: Sequence[int]) -> Tensor:
        """The drawings of seeds: [B, 3, H, W] in -1..1."""
        return to_tensor(np.stack([self.world.picture(seed, self.size) for seed in seeds]))

    def again(self, numbers: Sequence[int], seeds: Sequence[int]) -> Tensor:
        """Others of the captions by number, as `seeds` decide what those leave open."""
        stated = self.prompts.stated
        drawn = [
            self.world.stating(stated[i], seed, self.size) for i, seed in zip(numbers, seeds, strict=True)
        ]
        return to_tensor(np.stack(drawn))

    def see(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        """The judge's features and the Laplacian energy, [B, D + 1], of images [B, 3, H, W] in -1..1."""
        return torch.cat([self.judge.features(images), laplacian_energy(images)[:, None]], dim=1)

    def features(self, seen: Tensor) -> Tensor:
        """The judge's."""
        return seen[:, :-1]

    def figures(self, seen: Tensor, own: Tensor) -> dict[str, object]:
        """Fidelity, its mean and each attribute's, and sharpness: the Laplacian energy over its own's."""
        device = next(self.judge.parameters()).device
        logits = self.judge.classify(self.features(seen).to(device))
        found = fidelity(logits, self.prompts.stated, self.judge.kinds)
        sharpness = float(seen[:, -1].mean() / own[:, -1].mean())
        return {"fidelity": {"mean": found.mean} | found.attributes, "sharpness": sharpness}


class Photographs:
    """A folder of pictures with captions; all pictures are cut to squares of the model's size."""

    NAME = "photographs"

    def __init__(
        self,
        folder: Path,
        inception: Path,
        clip: Path,
        first: int,
        count: int,
        size: int,
        device: torch.device,
    ) -> None:
        """inception: as for `Inception.load`. clip: a folder of transformers' CLIPModel.

        first, count: which of the folder's pictures. Raises UserError for what cannot be read, and where the
        folder has too few.
        """
        self.images = ImageFolder(folder, size)
        if first + count > len(self.images):
            raise UserError(
                f"{folder} holds {len(self.images)} captioned pictures; --prompts {count} of them from "
                f"--seed {first} on are more."
            )
        self.first, self.device = first, device
        self.captions = self.images.captions[first : first + count]
        self.inception = Inception.load(inception).to(device)
        check_piece(clip, "clip")
        self.clip = load_piece(clip, torch.float32, "clip").to(device)
        try:
            self.processor = CLIPProcessor.from_pretrained(clip, local_files_only=True)
        except Exception as error:  # of anybody's files: it may raise anything
            said = next(iter(str(error).splitlines()), "")
            raise UserError(f"{clip}: no tokenizer and image processor of CLIP ({said:.200}).") from None
        self.measured_on = {
            "reference": f"{count} photographs of {folder.name}, their middle squares of {size}x{size}",
            "features": inception.name,
            "clip": clip.name,
        }

    def pictures(self, numbers: Sequence[int]) -> Tensor:
        """Its own by number: [B, 3, H, W] in -1..1."""
        return to_tensor(self.images.pixels([self.first + i for i in numbers]))

    def see(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        """Inception's features and CLIP's score of pictures as they are saved, in 8 bits: [B, 2048 + 1]."""
        pixels, captions = to_pixels(images), [self.captions[i] for i in numbers]
        scores = clip_score(self.clip, self.processor, pixels, captions)
        return torch.cat([self.inception(to_tensor(pixels, self.device)), scores[:, None]], dim=1)

    def features(self, seen: Tensor) -> Tensor:
        """Inception's."""
        return seen[:, :-1]

    def figures(self, seen: Tensor, own: Tensor) -> dict[str, object]:
        """CLIP score: the mean cosine."""
        return {"clip_score": float(seen[:, -1].mean())}


Reference = Drawings | Photographs
