"""LPIPS on the judge: a distance, with gradients, sensitive to shape."""

import torch

from rf_app.metrics.judge import Judge
from rf_app.metrics.perceptual import Perceptual


def distance() -> tuple[Perceptual, Judge]:
    torch.manual_seed(0)
    judge = Judge().eval()
    return Perceptual(judge), judge


def test_it_is_the_formula_of_the_paper() -> None:
    """Equation 1 without weights: unit-length channels, squared differences, averaged over places, summed."""
    perceptual, judge = distance()
    a, b = torch.rand(3, 3, 96, 96) * 2 - 1, torch.rand(3, 3, 96, 96) * 2 - 1
    expected = sum(
        (torch.nn.functional.normalize(x, dim=1) - torch.nn.functional.normalize(y, dim=1))
        .square()
        .sum(1)
        .mean((1, 2))
        for x, y in zip(judge.maps(a), judge.maps(b), strict=True)
    )
    assert torch.allclose(perceptual(a, b).flatten(), expected, rtol=1e-4)


def test_equal_pictures_have_no_distance_and_gradients_flow() -> None:
    perceptual, _ = distance()
    picture = (torch.rand(2, 3, 96, 96) * 2 - 1).requires_grad_(True)
    assert perceptual(picture, picture.detach()).abs().max() == 0
    perceptual(picture, picture.detach().flip(3)).sum().backward()
    assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in perceptual.parameters())
