"""CLIP score: how well pictures show what their captions say, seen by CLIP (arXiv 2104.08718)."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor
from transformers import CLIPModel, CLIPProcessor


@torch.no_grad()
def clip_score(
    model: CLIPModel, processor: CLIPProcessor, pixels: np.ndarray, captions: Sequence[str]
) -> Tensor:
    """The cosine [B] of each picture (uint8 [B, H, W, 3]) and its caption, read to the 77th token.

    Papers give its mean; torchmetrics gives 100 times that.
    """
    inputs = processor(
        text=list(captions), images=list(pixels), padding=True, truncation=True, return_tensors="pt"
    )
    seen = model(**inputs.to(model.device))
    return (seen.image_embeds * seen.text_embeds).sum(1)
