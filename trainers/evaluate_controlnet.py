"""Measure a canny ControlNet of the pocket world on held-out scenes: how far its pictures keep to the edges.

    python -m trainers.evaluate_controlnet --controlnet pocket-controlnet-canny --write-card

The condition is the canny map of a held-out drawing; the model gets its caption too. F1 compares the map with
the edges of the model's picture, within 2 pixels. The gain is F1 with the ControlNet less F1 without, from
the same noise.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from rf_app.metrics.edges import HIGH, LOW, REACH, canny, edge_f1
from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.judge import BUNDLED, Judge
from rf_app.registry.controlnets import ControlNets, read_controlnet_card, write_controlnet_card
from rf_app.registry.disk import disk_full_named, write_atomically
from trainers.common import command
from trainers.common.held_out import HeldOutPrompts, sampled
from trainers.common.models import load_frozen, registry_into
from trainers.common.sheets import write_sheet
from trainers.controlnet import as_maps, controlled
from trainers.pocket.autoencoder import to_pixels
from trainers.pocket.world import picture

SHOWN = 8


@dataclass(frozen=True)
class EvaluateControlNetConfig:
    """What to measure, and on how much."""

    controlnet: str
    """Id of the ControlNet."""
    model: tuple[str, ...] = ("pocket-sd:25", "pocket-2rf:4", "pocket-instaflow:1")
    """Models, each id:steps; the first is the one that the others are compared with."""
    prompts: int = 100
    """Number of held-out scenes."""
    seed: int = 0
    """Number of the first held-out scene."""
    json: Path | None = None
    """File for the figures."""
    sheet: Path | None = None
    """PNG file for pictures: the maps, then a row without and a row with for each model."""
    write_card: bool = False
    """Put the figures into the ControlNet's card."""
    models: Path | None = None
    """Folder of models besides the bundled ones, with controlnets/ beside it (default: the user's)."""
    judge: Path = BUNDLED
    """Folder of the judge."""


@dataclass(frozen=True)
class ControlRow:
    """The figures of one model: F1 and fidelity without and with the ControlNet."""

    model: str
    f1_without: float
    f1_with: float
    fidelity_without: float
    fidelity_with: float

    @property
    def gain(self) -> float:
        """What the ControlNet adds to F1."""
        return self.f1_with - self.f1_without


def mean_f1(wanted: Sequence[np.ndarray], images: Tensor) -> float:
    """Mean edge F1 of images [N, 3, H, W] in -1..1 for edges, one map (bool [H, W]) an image."""
    return float(
        np.mean([edge_f1(*pair) for pair in zip(wanted, map(canny, to_pixels(images)), strict=True)])
    )


def main(config: EvaluateControlNetConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(config.models)
    controlnets = ControlNets.beside(registry)
    folder = controlnets.folder(config.controlnet)
    models = sampled(registry, config.model)
    held_out, judge = HeldOutPrompts(config.prompts, config.seed), Judge.load(config.judge)
    edges = [canny(picture(seed)) for seed in held_out.seeds]
    maps = as_maps(edges)
    rows, shown = [], [maps[:SHOWN] * 2 - 1]
    for which in models:
        pipeline = load_frozen(registry, which.card.id)
        net = controlnets.load(config.controlnet, torch.float32, pipeline.unet.config, pipeline.vae.config)
        net = net.to(pipeline.device)

        def unet_for(numbers: range, net=net, pipeline=pipeline):
            return controlled(net, pipeline.unet, maps[numbers.start : numbers.stop].to(pipeline.device))

        without = held_out.pictures(pipeline, which, held_out.captions, "without")
        followed = held_out.pictures(pipeline, which, held_out.captions, "with", unet_for)
        scores = [mean_f1(edges, images) for images in (without, followed)]
        with torch.no_grad():
            scores += [fidelity(judge.attributes(made), held_out.stated).mean for made in (without, followed)]
        rows.append(ControlRow(which.name, *scores))
        shown += [without[:SHOWN], followed[:SHOWN]]
    print(table(rows))
    if config.sheet:
        write_sheet(config.sheet, shown)
    if config.json:
        text = json.dumps([asdict(row) | {"gain": row.gain} for row in rows], indent=2) + "\n"
        write_atomically(config.json, lambda temporary: temporary.write_text(text))
    if config.write_card:
        card = replace(read_controlnet_card(folder), measured=measured(rows, config))
        with disk_full_named(folder):
            write_controlnet_card(folder, card)


def measured(rows: Sequence[ControlRow], config: EvaluateControlNetConfig) -> dict[str, object]:
    """The rows for the card."""
    result: dict[str, object] = {}
    for row in rows:
        figures = {name: value for name, value in asdict(row).items() if name != "model"}
        result[row.model] = {name: round(value, 4) for name, value in (figures | {"gain": row.gain}).items()}
    on = {
        "scenes": config.prompts,
        "first_scene": config.seed,
        "canny": f"{LOW}, {HIGH}",
        "within": f"{REACH:g} px",
    }
    return result | {"measured_on": on}


def table(rows: Sequence[ControlRow]) -> str:
    """The rows as a Markdown table; shares are of the first model's gain."""
    lines = [
        "| model | F1 without | F1 with | gain | of the first | fidelity without | with |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.model} | {row.f1_without:.3f} | {row.f1_with:.3f} | {row.gain:.3f} "
        f"| {row.gain / rows[0].gain:.0%} | {row.fidelity_without:.1%} | {row.fidelity_with:.1%} |"
        for row in rows
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    command.run(main, EvaluateControlNetConfig)
