"""CLIP score, against transformers' own logits."""

from pathlib import Path

import numpy as np
import torch
from transformers import CLIPModel, CLIPProcessor

from rf_app.metrics.clip_score import clip_score
from tests.tiny import save_tiny_clip


def test_it_is_the_diagonal_of_the_logits(tmp_path: Path) -> None:
    save_tiny_clip(tmp_path)
    model, processor = CLIPModel.from_pretrained(tmp_path), CLIPProcessor.from_pretrained(tmp_path)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 50, 50, 3), dtype=np.uint8)
    captions = ["a lake", "a red tent", "many mountains " * 40]
    found = clip_score(model, processor, pictures, captions)
    inputs = processor(
        text=captions, images=list(pictures), padding=True, truncation=True, return_tensors="pt"
    )
    with torch.no_grad():
        logits = model(**inputs).logits_per_image / model.logit_scale.exp()
    assert torch.allclose(found, logits.diagonal(), atol=1e-6)
    assert float(found.std()) > 0
    assert torch.allclose(clip_score(model, processor, pictures[1:2], captions[1:2]), found[1:2], atol=1e-5)
