"""A path through latent space as a line on paper: the plane that holds its chord and most of its bend."""

import torch
from torch import Tensor


def project(points: Tensor) -> Tensor:
    """The path through points [N + 1, ...] on a plane: [N + 1, 2], float64 on the CPU.

    The first axis is the chord, from the first point to the last; the second is the direction, orthogonal to
    the chord, along which the path strays most (the first principal component of what the chord leaves over).
    Both are in units of the chord's length, so every path goes from (0, 0) to (1, 0) and a straight one stays
    on the first axis. The greatest deviation counts as positive.
    """
    path = (points - points[0]).flatten(1).double().cpu()
    length = path[-1].norm()
    chord = path[-1] / length
    along = path @ chord
    rest = path - along[:, None] * chord
    # The rows of `rest` start and end in 0, on the chord: so nothing is centred.
    across = rest @ torch.linalg.svd(rest, full_matrices=False).Vh[0]
    across = across * torch.sign(across[across.abs().argmax()])
    return torch.stack([along, across], dim=1) / length
