"""The judge of the pocket world: recognises a picture's attributes and gives the features for FID and LPIPS.

Every drawing comes from known attributes, so a small classifier measures exactly how far a picture shows
what its caption says: the role that CLIP and Inception have for photographs. Trained by
`trainers.pocket.judge`.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from rf_app.metrics.attributes import ATTRIBUTES

BUNDLED = Path(__file__).parents[2] / "assets" / "judge"
WIDTHS = (24, 48, 96, 128)
FEATURES = 128


class Judge(nn.Module):
    """A residual network of four stages, each halving the picture, with one linear head an attribute.

    kinds: the attributes that it recognises, each with its values.
    """

    def __init__(
        self,
        widths: tuple[int, ...] = WIDTHS,
        features: int = FEATURES,
        kinds: Mapping[str, tuple[str, ...]] = ATTRIBUTES,
    ):
        super().__init__()
        self.kinds = kinds
        self.settings = {"widths": list(widths), "features": features, "attributes": dict(kinds)}
        self.stages = nn.ModuleList(
            _Stage(narrow, wide) for narrow, wide in zip((3, *widths), widths, strict=False)
        )
        self.neck = nn.Sequential(nn.Linear(2 * widths[-1], features), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(features, len(values)) for name, values in kinds.items()})

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each stage for images [B, 3, H, W] in -1..1: strides 2, 4, 8, 16."""
        maps = []
        for stage in self.stages:
            images = stage(images)
            maps.append(images)
        return maps

    def features(self, images: Tensor) -> Tensor:
        """Features [B, 128] for images [B, 3, H, W] in -1..1."""
        last = self.maps(images)[-1]
        return self.neck(torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1))

    def attributes(self, images: Tensor) -> dict[str, Tensor]:
        """Logits [B, kinds] of each attribute for images [B, 3, H, W] in -1..1."""
        return self.classify(self.features(images))

    def classify(self, features: Tensor) -> dict[str, Tensor]:
        """Logits [B, kinds] of each attribute from features [B, 128]."""
        return {name: head(features) for name, head in self.heads.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """The same as `attributes`."""
        return self.attributes(images)

    def save(self, folder: Path) -> None:
        """Write ``judge.safetensors`` (float16) and ``config.json``."""
        folder.mkdir(parents=True, exist_ok=True)
        state = {
            name: (value.half() if value.is_floating_point() else value).contiguous()
            for name, value in self.state_dict().items()
        }
        save_file(state, folder / "judge.safetensors")
        (folder / "config.json").write_text(json.dumps(self.settings, indent=2) + "\n")

    @classmethod
    def load(cls, folder: Path = BUNDLED) -> "Judge":
        """The judge of ``folder`` in float32, in eval mode, frozen."""
        settings = json.loads((folder / "config.json").read_text())
        kinds = {name: tuple(values) for name, values in settings["attributes"].items()}
        judge = cls(tuple(settings["widths"]), settings["features"], kinds)
        judge.load_state_dict(load_file(folder / "judge.safetensors"))
        return judge.float().eval().requires_grad_(False)


class _Stage(nn.Module):
    """Halve the picture, then one residual block."""

    def __init__(self, narrow: int, wide: int):
        super().__init__()
        self.down = nn.Sequential(
            nn.Conv2d(narrow, wide, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(wide), nn.ReLU()
        )
        self.block = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
            nn.ReLU(),
            nn.Conv2d(wide, wide, 3, padding=1, bias=False),
            nn.BatchNorm2d(wide),
        )

    def forward(self, x: Tensor) -> Tensor:
        x = self.down(x)
        return torch.relu(x + self.block(x))
