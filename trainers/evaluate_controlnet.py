"""Measure a canny ControlNet of the pocket world on held-out scenes: how far its pictures keep to the edges.

    python -m trainers.evaluate_controlnet --controlnet pocket-controlnet-canny --write-card

The condition is the canny map of a held-out drawing; the model gets its caption too. F1 compares the map with
the edges of the model's picture, within 2 pixels. The gain is F1 with the ControlNet less F1 without, from
the same noise.

Then the map is a single line with a few peaks, as a person draws one, for the scenes with mountains, hills or
dunes; the figure is the share of the line that has an edge of the picture within 2 pixels, soft edges too.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from rf_app.metrics.edges import HIGH, LOW, REACH, canny, edge_f1, edge_recall
from rf_app.metrics.judge import Judge
from rf_app.plugins.controlnet import load_controlnet
from rf_app.registry.controlnets import ControlNets
from trainers.common import command
from trainers.common.controlled import as_maps, controlled
from trainers.common.findings import markdown, write_found, write_measured
from trainers.common.held_out import FAMILY, HeldOutPrompts, Measuring, one_size, sampled
from trainers.common.models import load_frozen, registry_into
from trainers.common.pixels import to_pixels
from trainers.pocket.first_edition.editions import world_of

SHOWN = 8
LINED = ("mountain", "hills", "desert")  # lands that can follow a line
SOFT = (30, 60)  # Canny's thresholds for the edges that a line may become


@dataclass(frozen=True, kw_only=True)
class EvaluateControlNetConfig(Measuring):
    """What to measure, and on how much."""

    model: tuple[str, ...] = FAMILY
    controlnet: str
    """Id of the ControlNet."""
    sheet: Path | None = None
    """PNG file for pictures: the maps, then a row without and a row with for each model."""


@dataclass(frozen=True)
class ControlRow:
    """The figures of one model without and with the ControlNet; line: the share of a line that it follows."""

    model: str
    f1_without: float
    f1_with: float
    fidelity_without: float
    fidelity_with: float
    line_without: float
    line_with: float

    @property
    def gain(self) -> float:
        """What the ControlNet adds to F1."""
        return self.f1_with - self.f1_without


def mean_f1(wanted: Sequence[np.ndarray], images: Tensor) -> float:
    """Mean edge F1 of images [N, 3, H, W] in -1..1 for edges, one map (bool [H, W]) an image."""
    return float(
        np.mean([edge_f1(*pair) for pair in zip(wanted, map(canny, to_pixels(images)), strict=True)])
    )


def drawn_line(seed: int, size: int) -> np.ndarray:
    """A line from side to side with one to three peaks, as a person draws a mountain: bool [size, size]."""
    rng = np.random.Generator(np.random.PCG64(seed))
    peaks = rng.integers(1, 4)
    y = np.empty(2 * peaks + 1)
    y[0::2], y[1::2] = 0.45 + 0.25 * rng.random(peaks + 1), 0.15 + 0.25 * rng.random(peaks)
    steps = 0.5 + rng.random(2 * peaks)  # no two points close to each other
    x = np.concatenate([[0.0], np.cumsum(steps) / steps.sum()])
    points = np.minimum(np.stack([x, y], axis=1) * size, size - 1).round().astype(np.int32)
    return cv2.polylines(np.zeros((size, size), np.uint8), [points], False, 1) > 0


def followed_share(lines: Sequence[np.ndarray], images: Tensor) -> float:
    """Mean share of lines (bool [H, W] each) where images [N, 3, H, W] in -1..1, one a line, have edges."""
    found = [canny(image, *SOFT) for image in to_pixels(images)]
    return float(np.mean([edge_recall(*pair) for pair in zip(lines, found, strict=True)]))


def main(config: EvaluateControlNetConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(config.models)
    controlnets = ControlNets.beside(registry)
    folder = controlnets.folder(config.controlnet)
    models = sampled(registry, config.model)
    judge, size = Judge.load(config.judge), one_size([which.card for which in models])
    world = world_of(judge.kinds)
    held_out = HeldOutPrompts(world, config.prompts, config.seed)
    edges = [canny(world.picture(seed, size)) for seed in held_out.seeds]
    lines = [drawn_line(seed, size) for seed in held_out.seeds]
    lined = [i for i, stated in enumerate(held_out.stated) if stated.get("land") in LINED]
    lined = lined or list(range(config.prompts))  # of a handful of scenes none may have such a land
    rows, shown = [], [as_maps(edges)[:SHOWN] * 2 - 1]
    for which in models:
        pipeline = load_frozen(registry, which.card.id)
        net = load_controlnet(folder, torch.float32, pipeline.unet.config, pipeline.vae.config)
        net = net.to(pipeline.device)

        def pictures(name: str, drawn: Sequence[np.ndarray], pipeline=pipeline, net=net, which=which):
            maps = as_maps(drawn).to(pipeline.device)
            return held_out.pictures(
                pipeline,
                which,
                held_out.captions,
                name,
                lambda numbers: controlled(net, pipeline.unet, maps[numbers.start : numbers.stop]),
            )

        without = held_out.pictures(pipeline, which, held_out.captions, "without")
        followed = pictures("with", edges)
        right = [held_out.fidelity(judge, made) for made in (without, followed)]
        along = [
            followed_share([lines[i] for i in lined], made[lined])
            for made in (without, pictures("along a line", lines))
        ]
        rows.append(
            ControlRow(which.name, *(mean_f1(edges, made) for made in (without, followed)), *right, *along)
        )
        shown += [without[:SHOWN], followed[:SHOWN]]
    print(table(rows))
    write_found(config, [asdict(row) | {"gain": row.gain} for row in rows], shown)
    if config.write_card:
        write_measured(folder, controlnets.card(config.controlnet), measured(rows, config))


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
    headings = ("model", "F1 without", "F1 with", "gain", "of the first")
    headings += ("fidelity without", "with", "line without", "with")
    cells = []
    for row in rows:
        lines = [f"{each:.3f}" for each in (row.f1_without, row.f1_with, row.gain)]
        shares = row.fidelity_without, row.fidelity_with, row.line_without, row.line_with
        first = f"{row.gain / rows[0].gain:.0%}" if rows[0].gain else ""  # one that has learned nothing
        cells.append((row.model, *lines, first, *(f"{share:.1%}" for share in shares)))
    return markdown(headings, cells)


if __name__ == "__main__":
    command.run(main, EvaluateControlNetConfig)
