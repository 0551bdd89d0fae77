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
        seeds = self.prompts.seeds
        return to_tensor(np.stack([self.world.picture(seeds[i], self.size) for i in numbers]))

    def see(self, images: Tensor, numbers: Sequence[int]) -> Tensor:
        """The judge's features [B, D] of images [B, 3, H, W] in -1..1 of the captions by number."""
        return self.judge.features(images)

    def features(self, seen: Tensor) -> Tensor:
        """What FID compares, [N, D], of what was seen: the same."""
        return seen

    def figures(self, seen: Tensor) -> dict[str, object]:
        """Fidelity: its mean and each attribute's."""
        device = next(self.judge.parameters()).device
        found = fidelity(self.judge.classify(seen.to(device)), self.prompts.stated, self.judge.kinds)
        return {"fidelity": {"mean": found.mean} | found.attributes}


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

    def figures(self, seen: Tensor) -> dict[str, object]:
        """CLIP score: the mean cosine."""
        return {"clip_score": float(seen[:, -1].mean())}


Reference = Drawings | Photographs
