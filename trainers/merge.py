"""Merge a LoRA, or what a training has added to another model, into a model.

    python -m trainers.merge --teacher pocket-sd --lora woodcut --output my-teacher
    python -m trainers.merge --teacher my-teacher --delta perflow.safetensors --output my-quick-teacher

With a LoRA: a teacher whose style is your own, to reflow and to distil. What is published is the teacher with
other weights, the text encoder's too if the LoRA has a part for it, so everything that begins with a model
can begin with it. With a delta, which `python -m trainers.delta` writes: the teacher as that other model is
drawn, a PeRFlow in four steps, say.
"""

from dataclasses import replace

from rf_app.plugins.delta_files import add_delta, read_delta
from rf_app.plugins.deltas import add_lora
from rf_app.registry.loras import Loras
from rf_app.settings.training import Merge
from trainers.common import command
from trainers.common.models import registry_into


def main(config: Merge) -> None:
    """Merge and publish."""
    registry = registry_into(config.models)
    teacher = registry.card(config.teacher)
    registry.check_free(config.output, config.overwrite)
    card = replace(
        teacher,
        id=config.output,
        base_model=teacher.id,
        base_weights="",
        lineage=(*teacher.lineage, teacher.id),
        measured={},
        settings={"teacher": config.teacher, "strength": config.strength},
    )
    if config.delta:
        delta = read_delta(config.delta)
        drawn = {name: getattr(delta, name) for name in ("kind", "steps", "guidance")}
        card = replace(
            card,
            title=config.title or f"{teacher.title}, quick",
            description=f"`{config.teacher}` with what a training has added to `{delta.base}` "
            f"(`{config.delta.name}`) at {config.strength:g}.",
            settings=card.settings | {"delta": config.delta.name},
            **drawn,
        )
        where = add_delta(registry, config.teacher, config.delta, config.strength, card, config.overwrite)
    else:
        loras = Loras.beside(registry)
        style = loras.card(config.lora)
        card = replace(
            card,
            title=config.title or f"{teacher.title} with {style.title}",
            description=f"`{config.teacher}` with the LoRA `{config.lora}` merged in at {config.strength:g}.",
            settings=card.settings | {"lora": config.lora},
        )
        file = loras.file(config.lora)
        where = add_lora(registry, config.teacher, file, config.strength, card, config.overwrite)
    print(f"published {config.output} in {where}", flush=True)


if __name__ == "__main__":
    command.run(main, Merge)
