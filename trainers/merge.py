"""Merge a LoRA into a model: a teacher whose style is your own, to reflow and to distil.

    python -m trainers.merge --teacher pocket-sd --lora woodcut --output my-teacher

What is published is the teacher with other weights, the text encoder's too if the LoRA has a part for it, so
everything that begins with a model can begin with it.
"""

from dataclasses import dataclass, replace
from pathlib import Path

from rf_app.errors import UserError
from rf_app.plugins.deltas import add_lora
from rf_app.registry.loras import Loras
from trainers.common import command
from trainers.common.models import registry_into


@dataclass(frozen=True)
class MergeConfig:
    """What is merged into what."""

    teacher: str
    """Model id that is given the style."""
    lora: str
    """Id of the LoRA."""
    output: str
    """Id of the model to publish."""
    title: str = ""
    """Its name in the model list (default: what it is)."""
    strength: float = 1.0
    """How strongly the LoRA acts, -2 to 2."""
    models: Path | None = None
    """Folder of models to publish into (default: the user's)."""
    overwrite: bool = False
    """Replace a model of that id."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if not -2 <= self.strength <= 2:
            raise UserError(f"--strength must be -2 to 2, not {self.strength}.")


def main(config: MergeConfig) -> None:
    """Merge and publish."""
    registry = registry_into(config.models)
    teacher = registry.card(config.teacher)
    loras = Loras.beside(registry)
    style = loras.card(config.lora)
    registry.check_free(config.output, config.overwrite)
    card = replace(
        teacher,
        id=config.output,
        title=config.title or f"{teacher.title} with {style.title}",
        description=f"`{config.teacher}` with the LoRA `{config.lora}` merged in at {config.strength:g}.",
        base_model=teacher.id,
        lineage=(*teacher.lineage, teacher.id),
        measured={},
        settings={"teacher": config.teacher, "lora": config.lora, "strength": config.strength},
    )
    where = add_lora(
        registry, config.teacher, loras.file(config.lora), config.strength, card, config.overwrite
    )
    print(f"published {config.output} in {where}", flush=True)


if __name__ == "__main__":
    command.run(main, MergeConfig)
