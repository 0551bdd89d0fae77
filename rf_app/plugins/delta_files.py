"""What a training has added to its teacher's U-Net, as a file that other models of the same base take.

W = W_model + strength (W_trained - W_teacher), as the published PeRFlow does it. The file is safetensors in
diffusers' names; its header says which kind of model it makes and how that is drawn.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import header_of, of_folders, places, write_tensors
from rf_app.plugins.deltas import check_same
from rf_app.registry.card import ModelCard
from rf_app.registry.checking import CONFIGS, WEIGHTS, read_json
from rf_app.registry.disk import disk_full_named, write_atomically
from rf_app.registry.models import Registry

ABOUT = "instaflow"  # the entry of the header


@dataclass(frozen=True)
class Delta:
    """The header of such a file. base: id of what was trained from; scheduler: the trained model's config."""

    base: str
    kind: str
    steps: int
    guidance: float
    scheduler: dict[str, Any]

    def __post_init__(self) -> None:
        """Raises UserError for values that no model could have."""
        if not isinstance(self.scheduler, dict) or not all(
            isinstance(each, (int, float)) for each in (self.steps, self.guidance)
        ):
            raise UserError("steps and guidance must be numbers, and scheduler a config.")
        ModelCard("delta", "delta", kind=self.kind, resolution=8, steps=self.steps, guidance=self.guidance)


def write_delta(registry: Registry, trained: str, base: str, path: Path) -> None:
    """Write the difference between the U-Nets of two models; raises UserError where they differ in shape."""
    card = registry.card(trained)
    own, plain = (of_folders(registry.pieces(id))["unet"] for id in (trained, base))
    check_same("unet", plain, base, own, trained)
    config = read_json(registry.pieces(trained)["scheduler"] / CONFIGS["scheduler"])
    said = {"base": base, "kind": card.kind, "steps": card.steps, "guidance": card.guidance}

    def difference(name: str) -> Tensor:
        return own[name].read().float() - plain[name].read().float()

    header = {ABOUT: json.dumps(said | {"scheduler": config})}
    with disk_full_named(path):
        write_atomically(path, lambda temporary: write_tensors(temporary, own, difference, header))


def read_delta(path: Path) -> Delta:
    """The header of a delta; raises UserError where it is none of ours."""
    said = header_of(path).metadata.get(ABOUT)
    try:
        return Delta(**json.loads(said))
    except (ValueError, TypeError, UserError, RecursionError) as error:
        why = "it has no such header" if said is None else error
        raise UserError(f"{path.name}: is no delta that python -m trainers.delta wrote ({why}).") from None


def add_delta(
    registry: Registry, model: str, path: Path, strength: float, card: ModelCard, overwrite: bool
) -> Path:
    """Publish `model` with a delta's change in its U-Net, drawn as the delta says; returns its folder.

    Raises UserError where the two do not fit, and for all that `Registry.publish` refuses.
    """
    delta, pieces = read_delta(path), registry.pieces(model)
    own, change = of_folders(pieces)["unet"], places(path)
    check_same("unet", own, model, change, path.name)

    def build(folder: Path) -> None:
        for piece in ("scheduler", "unet"):
            (folder / piece).mkdir()
        (folder / "scheduler" / CONFIGS["scheduler"]).write_text(json.dumps(delta.scheduler))
        shutil.copyfile(pieces["unet"] / CONFIGS["unet"], folder / "unet" / CONFIGS["unet"])

        def summed(name: str) -> Tensor:
            return change[name].read().float().mul_(strength).add_(own[name].read())

        write_tensors(folder / "unet" / WEIGHTS["unet"], own, summed)

    return registry.publish(card.id, build, card, overwrite)
