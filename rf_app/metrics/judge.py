"""The judge of the pocket world: recognises a picture's attributes and gives the features for FID and LPIPS.

Every drawing comes from known attributes, so a small classifier measures exactly how far a picture shows
what its caption says: the role that CLIP and Inception have for photographs. Trained by
`trainers.pocket.judge`.
"""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import ConvNextBackbone, ConvNextConfig

from rf_app.metrics.attributes import ATTRIBUTES
from rf_app.settings.bundled import ASSETS

BUNDLED = ASSETS / "judge"
FEATURES = 128

Architecture = Literal["residual", "convnext"]


class Judge(nn.Module):
    """A convolutional network in stages, each halving the picture, with one linear head an attribute.

    architecture: "residual" or "convnext". What a model was trained against must not measure it, so there
    are two judges, which have nothing in common.
    widths: channels of each stage (default: the architecture's).
    kinds: the attributes that it recognises, each with its values.
    """

    def __init__(
        self,
        architecture: Architecture = "residual",
        widths: tuple[int, ...] | None = None,
        features: int = FEATURES,
        kinds: Mapping[str, tuple[str, ...]] = ATTRIBUTES,
    ):
        super().__init__()
        stages, usual = STAGES[architecture]
        widths = widths or usual
        self.kinds = kinds
        self.settings = {"architecture": architecture, "widths": list(widths), "features": features}
        self.settings["attributes"] = dict(kinds)
        self.stages = stages(widths)
        self.neck = nn.Sequential(nn.Linear(2 * widths[-1], features), nn.ReLU())
        self.heads = nn.ModuleDict({name: nn.Linear(features, len(values)) for name, values in kinds.items()})

    def maps(self, images: Tensor) -> list[Tensor]:
        """Feature maps of each stage for images [B, 3, H, W] in -1..1, each half as large as the one before.

        The first has stride 2 where the judge is residual, 4 where it is a ConvNeXt.
        """
        return self.stages(images)

    def features(self, images: Tensor) -> Tensor:
        """Features [B, 128] for images [B, 3, H, W] in -1..1."""
        last = self.maps(images)[-1]
        return self.neck(torch.cat([last.mean((2, 3)), last.amax((2, 3))], dim=1))

    def classify(self, features: Tensor) -> dict[str, Tensor]:
        """Logits [B, kinds] of each attribute from features [B, 128]."""
        return {name: head(features) for name, head in self.heads.items()}

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Logits [B, kinds] of each attribute for images [B, 3, H, W] in -1..1."""
        return self.classify(self.features(images))

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
        architecture = settings.get("architecture", "residual")  # the first edition's has none
        judge = cls(architecture, tuple(settings["widths"]), settings["features"], kinds)
        judge.load_state_dict(load_file(folder / "judge.safetensors"))
        return judge.float().eval().requires_grad_(False)


class _Residual(nn.ModuleList):
    """Stages that halve the picture and end with a residual block."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__(_Stage(narrow, wide) for narrow, wide in zip((3, *widths), widths, strict=False))

    def forward(self, images: Tensor) -> list[Tensor]:
        maps = []
        for stage in self:
            images = stage(images)
            maps.append(images)
        return maps


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


class _ConvNext(nn.Module):
    """ConvNeXt (arXiv 2201.03545), two blocks a stage."""

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        names = [f"stage{i + 1}" for i in range(len(widths))]
        shape = {"num_stages": len(widths), "hidden_sizes": list(widths), "depths": [2] * len(widths)}
        self.backbone = ConvNextBackbone(
            ConvNextConfig(**shape, out_features=names, layer_scale_init_value=0.1)
        )
        # The maps before the last are for looking on: several processes would wait for gradients of theirs.
        for name in names[:-1]:
            self.backbone.hidden_states_norms[name].requires_grad_(False)

    def forward(self, images: Tensor) -> list[Tensor]:
        return list(self.backbone(images).feature_maps)


STAGES = {"residual": (_Residual, (24, 48, 96, 128)), "convnext": (_ConvNext, (48, 96, 160))}
