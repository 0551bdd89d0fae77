"""Recall: how much of what there is a model can make (Kynkäänniemi et al., arXiv 1904.06991)."""

import torch
from torch import Tensor

NEIGHBOURS = 3  # as the paper has it
ROWS = 1_024  # of the distances, which are there at once


def recall(real: Tensor, made: Tensor, neighbours: int = NEIGHBOURS) -> float:
    """The share of `real` [N, D] that lies within the manifold of `made` [M, D], in 0..1; M > neighbours.

    The manifold is a ball around each of `made` that reaches to its `neighbours`th neighbour among `made`
    (equations 1 and 2).
    """
    near = [torch.cdist(part, made).kthvalue(neighbours + 1, dim=1).values for part in made.split(ROWS)]
    radii = torch.cat(near)  # the first neighbour is itself
    within = [(torch.cdist(part, made) <= radii).any(1) for part in real.split(ROWS)]
    return float(torch.cat(within).double().mean())
