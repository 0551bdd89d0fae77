"""Measure a style LoRA of the pocket world on held-out prompts: style shift and prompt fidelity.

    python -m trainers.evaluate_lora --lora pocket-woodcut --style woodcut --write-card

Every model makes the same prompts, trigger words included, from the same noise, without the LoRA and with it.
Style shift is how far its pictures moved along the way from drawings to drawings in that style, in statistics
of the judge's feature maps: 1 is all the way. Fidelity is the share of a prompt's attributes that the judge
finds; it has only seen plain drawings, so the last row tells what it finds in drawings in that style.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from safetensors.torch import load_file
from torch import Tensor

from rf_app.metrics.judge import Judge
from rf_app.metrics.style import StyleAxis
from rf_app.registry.loras import Loras
from trainers.common import command
from trainers.common.findings import markdown, write_found, write_measured
from trainers.common.held_out import FAMILY, HeldOutPrompts, Measuring, Sampled, one_size, sampled
from trainers.common.models import load_frozen, registry_into
from trainers.common.pixels import to_tensor
from trainers.common.sight import style
from trainers.data.images import with_trigger
from trainers.pocket.first_edition.editions import world_of
from trainers.pocket.styles import STYLES

DRAWINGS = "drawings in the style"
SHOWN = 8


@dataclass(frozen=True, kw_only=True)
class EvaluateLoraConfig(Measuring):
    """What to measure, and on how much."""

    model: tuple[str, ...] = FAMILY
    lora: str
    """Id of the LoRA."""
    style: Literal["woodcut", "neon"]
    """The style it was trained on."""
    strength: tuple[float, ...] = (0.5, 1.0)
    """Strengths of the LoRA."""
    sheet: Path | None = None
    """PNG file for pictures: a row for each model and strength."""


@dataclass(frozen=True)
class LoraRow:
    """The figures of one model at one strength (0 is without the LoRA), or of the drawings."""

    model: str
    strength: float
    style_shift: float
    fidelity: float


def main(config: EvaluateLoraConfig) -> None:
    """Measure, print a table, write what was asked for."""
    registry = registry_into(config.models)
    loras = Loras.beside(registry)
    file, card = loras.file(config.lora), loras.card(config.lora)
    models = sampled(registry, config.model)
    judge, size = Judge.load(config.judge), one_size([which.card for which in models])
    world = world_of(judge.kinds)
    held_out = HeldOutPrompts(world, config.prompts, config.seed)
    drawn = [world.picture(seed, size) for seed in held_out.seeds]
    plain_drawings = to_tensor(np.stack(drawn))
    style_drawings = to_tensor(np.stack([STYLES[config.style](each) for each in drawn]))
    axis = StyleAxis(style(judge, plain_drawings), style(judge, style_drawings))
    prompts = [with_trigger(caption, card.trigger) for caption in held_out.captions]
    rows: list[LoraRow] = []
    shown: list[Tensor] = []
    for which in models:
        made = pictures_with(load_frozen(registry, which.card.id), which, held_out, prompts, file, config)
        plain = style(judge, made[0.0])
        for strength, images in made.items():
            shift = axis.shift(plain, style(judge, images))
            rows.append(LoraRow(which.name, strength, shift, held_out.fidelity(judge, images)))
            shown.append(images[:SHOWN])
    rows.append(LoraRow(DRAWINGS, 1.0, 1.0, held_out.fidelity(judge, style_drawings)))
    print(table(rows))
    write_found(config, [asdict(row) for row in rows], shown)
    if config.write_card:
        write_measured(file.parent, card, measured(rows, config))


def pictures_with(
    pipeline,
    which: Sampled,
    held_out: HeldOutPrompts,
    prompts: list[str],
    file: Path,
    config: EvaluateLoraConfig,
) -> dict[float, Tensor]:
    """The model's pictures by strength, 0 first."""
    made = {0.0: held_out.pictures(pipeline, which, prompts, "without")}
    pipeline.load_lora_weights(load_file(file), adapter_name="style")
    for strength in config.strength:
        pipeline.set_adapters("style", strength)
        made[strength] = held_out.pictures(pipeline, which, prompts, f"strength {strength:g}")
    return made


def measured(rows: Sequence[LoraRow], config: EvaluateLoraConfig) -> dict[str, object]:
    """The rows for the card."""
    result: dict[str, object] = {
        f"{row.model}, strength {row.strength:g}": {
            "style_shift": round(row.style_shift, 4),
            "fidelity": round(row.fidelity, 4),
        }
        for row in rows
    }
    return result | {
        "measured_on": {"prompts": config.prompts, "first_prompt": config.seed, "style": config.style}
    }


def table(rows: Sequence[LoraRow]) -> str:
    """The rows as a Markdown table; shares are of the first model's shift at the same strength."""
    first = {row.strength: row.style_shift for row in rows if row.model == rows[0].model}
    cells = []
    for row in rows:
        whole = first.get(row.strength)  # none of 0, nor of a strength that only the drawings have
        share = f"{row.style_shift / whole:.0%}" if whole else ""
        figures = (f"{row.strength:g}", f"{row.style_shift:.3f}", share, f"{row.fidelity:.1%}")
        cells.append((row.model, *figures))
    return markdown(("model", "strength", "style shift", "of the first", "fidelity"), cells)


if __name__ == "__main__":
    command.run(main, EvaluateLoraConfig)
