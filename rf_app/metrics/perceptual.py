"""LPIPS (arXiv 1801.03924) on the judge's feature maps, for pictures of the pocket world."""

import warnings

import lpips
from torch import Tensor, nn

from rf_app.metrics.judge import Judge
from rf_app.settings.bundled import ASSETS

BUNDLED = ASSETS / "perceptual"
"""The judge that models are trained against, and no figure comes from."""


class _Maps(nn.Module):
    """The judge in the place of lpips' own backbone: images to a list of feature maps."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.judge = judge

    def forward(self, images: Tensor) -> list[Tensor]:
        return self.judge.maps(images)


class Perceptual(nn.Module):
    """Distance [B, 1, 1, 1] of images [B, 3, H, W] in -1..1; 0 for equal ones.

    Plain averages over the maps: lpips' linear layers were fitted to other backbones.
    """

    def __init__(self, judge: Judge) -> None:
        """Nothing is downloaded: the backbone lpips begins with is random, and replaced."""
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # lpips names torchvision's weights in an old way
            self.distance = lpips.LPIPS(net="squeeze", pnet_rand=True, lpips=False, verbose=False)
        self.distance.net = _Maps(judge)
        self.distance.scaling_layer = nn.Identity()  # the judge takes -1..1 as it is
        self.distance.L = len(judge.settings["widths"])
        self.requires_grad_(False).eval()

    def forward(self, images: Tensor, others: Tensor) -> Tensor:
        """The distance of each pair of images."""
        return self.distance(images, others)
