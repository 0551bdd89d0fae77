"""Prompt fidelity: the share of what a caption states that the judge sees in the picture."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Fidelity:
    """mean: right attributes / stated attributes over all pictures; attributes: the same, each by itself."""

    mean: float
    attributes: dict[str, float]


def fidelity(
    logits: Mapping[str, Tensor], stated: Sequence[Mapping[str, str]], kinds: Mapping[str, tuple[str, ...]]
) -> Fidelity:
    """Compare the judge's logits (each [N, values]) with the attributes that N captions state.

    kinds: the judge's attributes with their values, in the order of the logits.

    Attributes that a caption leaves open do not count; one that no caption states is left out of the result.
    """
    right, asked = 0, 0
    shares: dict[str, float] = {}
    for name, values in kinds.items():
        rows = [i for i, wanted in enumerate(stated) if name in wanted]
        if not rows:
            continue
        expected = torch.tensor([values.index(stated[i][name]) for i in rows])
        hits = int((logits[name][rows].argmax(1).cpu() == expected).sum())
        shares[name] = hits / len(rows)
        right, asked = right + hits, asked + len(rows)
    return Fidelity(right / asked, shares)
