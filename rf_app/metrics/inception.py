"""FID's Inception: the features that photographs are compared in.

The network is the one of FID's paper (arXiv 1706.08500), TensorFlow's of 2015-12-05, whose port to PyTorch is
pytorch-fid's `pt_inception-2015-12-05-6726825d.pth`; torch-fidelity and torchmetrics have the same weights.
torchvision's own Inception is another one: it was trained again, and figures in its features compare with no
paper's. The port is a pickle; made into what is read here, once, by

    python -c "import torch, safetensors.torch as s; w = torch.load('pt_inception-2015-12-05-6726825d.pth', \\
        weights_only=True); s.save_file({k: v.contiguous() for k, v in w.items()}, 'inception.safetensors')"
"""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from torchvision.models import inception as stock

from rf_app.errors import UserError

SIDE = 299  # pixels that it takes
CLASSES = 1008  # of the port; torchvision's has 1000


class _Pooled:
    """A block of torchvision's whose last branch pools as TensorFlow's does: without counting the border."""

    maximum = False

    def _forward(self, x: Tensor) -> list[Tensor]:
        pooled = (
            functional.max_pool2d(x, 3, stride=1, padding=1)
            if self.maximum
            else functional.avg_pool2d(x, 3, stride=1, padding=1, count_include_pad=False)
        )
        return [*super()._forward(x)[:-1], self.branch_pool(pooled)]


class _A(_Pooled, stock.InceptionA):
    pass


class _C(_Pooled, stock.InceptionC):
    pass


class _E(_Pooled, stock.InceptionE):
    pass


class Inception(nn.Module):
    """Features [B, 2048], of the last average pooling, for images [B, 3, H, W] in -1..1.

    Pictures are resized as pytorch-fid does it: bilinearly, without antialiasing.
    """

    def __init__(self) -> None:
        """Random weights; `load` is for those that mean something."""
        super().__init__()
        blocks = [stock.BasicConv2d, _A, stock.InceptionB, _C, stock.InceptionD, _E, stock.InceptionAux]
        self.network = stock.Inception3(
            CLASSES, aux_logits=False, inception_blocks=blocks, init_weights=False
        )
        self.network.Mixed_7c.maximum = True  # TensorFlow's network of that day has it so
        self.requires_grad_(False).eval()

    @classmethod
    def load(cls, file: Path) -> "Inception":
        """The network with the port's weights, under the port's names, from a safetensors file.

        Raises UserError for any other file; it is looked at before its weights are read.
        """
        inception = cls()
        try:
            with safe_open(file, framework="pt") as opened:
                found = {name: tuple(opened.get_slice(name).get_shape()) for name in opened.keys()}  # noqa: SIM118
        except (SafetensorError, OSError) as error:
            raise UserError(
                f"{file}: not a complete safetensors file ({error}). rf_app/metrics/inception.py says how "
                "the published pickle becomes one."
            ) from None
        for name, weight in inception.network.state_dict().items():
            if not name.endswith("num_batches_tracked") and found.get(name) != tuple(weight.shape):
                raise UserError(
                    f"{file}: {name} has the shape {found.get(name)}; expected {tuple(weight.shape)}, as in "
                    "pytorch-fid's pt_inception-2015-12-05. torchvision's Inception is another network."
                )
        inception.network.load_state_dict(load_file(file), strict=False)
        inception.network.fc = nn.Identity()
        return inception

    def forward(self, images: Tensor) -> Tensor:
        """The features of images."""
        sized = functional.interpolate(images, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return self.network(sized)
