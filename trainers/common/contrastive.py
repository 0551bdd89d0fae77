"""A small network that tells which caption is which picture's, for worlds that no judge knows.

What CLIP is to photographs (arXiv 2103.00020), for one folder of pictures: a ConvNeXt looks, a caption is the
words in it. Trained by `trainers.contrastive` beside the models it measures, whose losses never see it.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn import functional

from rf_app.metrics.judge import FEATURES, Judge
from rf_app.registry.vocabulary import split_words

TEMPERATURE = 0.07


class Contrastive(nn.Module):
    """Two towers that meet. words: those that it can know, lower case."""

    def __init__(self, words: Sequence[str]) -> None:
        super().__init__()
        self.words = list(words)
        self._places = {word: i for i, word in enumerate(self.words)}
        self.eyes = Judge("convnext", kinds={})
        self.seen, self.said = nn.Linear(FEATURES, FEATURES), nn.Linear(len(words), FEATURES, bias=False)
        self.scale = nn.Parameter(torch.tensor(1 / TEMPERATURE).log())

    def bags(self, captions: Sequence[str]) -> Tensor:
        """Captions as shares of their words [N, words]; 0 everywhere where none is known."""
        bags = torch.zeros(len(captions), len(self.words))
        for bag, caption in zip(bags, captions, strict=True):
            bag[[self._places[word] for word in split_words(caption) if word in self._places]] = 1
        return functional.normalize(bags, p=1, dim=1)

    def features(self, images: Tensor) -> Tensor:
        """What a kernel distance compares, [B, 128], of images [B, 3, H, W] in -1..1."""
        return self.eyes.features(images)

    def look(self, features: Tensor) -> Tensor:
        """Unit vectors [B, 128] of features [B, 128], in the space of `read`."""
        return functional.normalize(self.seen(features), dim=1)

    def read(self, bags: Tensor) -> Tensor:
        """Unit vectors [B, 128] of bags [B, words]; 0 for an empty one."""
        return functional.normalize(self.said(bags), dim=1)

    def forward(self, images: Tensor, bags: Tensor) -> Tensor:
        """How well each of B images goes with each of B bags: logits [B, B]."""
        return self.scale.exp() * self.look(self.features(images)) @ self.read(bags).T

    def save(self, folder: Path) -> None:
        """Write ``contrastive.safetensors`` and ``words.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "words.json").write_text(json.dumps(self.words) + "\n")
        save_file(
            {k: v.contiguous() for k, v in self.state_dict().items()}, folder / "contrastive.safetensors"
        )

    @classmethod
    def load(cls, folder: Path) -> "Contrastive":
        """The network of ``folder`` in eval mode, frozen."""
        network = cls(json.loads((folder / "words.json").read_text()))
        network.load_state_dict(load_file(folder / "contrastive.safetensors"))
        return network.eval().requires_grad_(False)


def words_found(looks: Tensor, own: Tensor, others: Tensor) -> float:
    """Share of pictures whose own caption fits better than all others: by chance 1 / (K + 1).

    looks, own: unit vectors [N, D]; others: [N, K, D].
    """
    fits = (looks * own).sum(1)
    return float((fits > torch.einsum("nd,nkd->nk", looks, others).amax(1)).float().mean())
