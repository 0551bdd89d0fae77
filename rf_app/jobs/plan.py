"""From what somebody wishes to the commands that make it: checked before anything is written."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.jobs.stage import LoopWork, Stage
from rf_app.registry.card import ModelCard, check_id
from rf_app.settings.options import TRAINERS, command_line, options
from rf_app.settings.recipe import Recipe, Step
from rf_app.settings.recipes import recipe
from rf_app.settings.training import PICTURE_SUFFIXES

MAX_PROMPTS = 100_000
MAX_PROMPT = 1_000  # characters


@dataclass(frozen=True)
class Wish:
    """What somebody wants trained; `plan` checks it."""

    recipe: str
    teacher: str
    output: str
    title: str = ""
    preset: str = "quick"
    prompts: str = ""  # a prompt a line, instead of the pocket world's captions
    style: str = ""  # id of a LoRA that is merged into the teacher first
    images: str = ""  # a folder of captioned pictures
    pairs: str = ""  # a folder of pairs made before
    settings: Mapping[str, Any] = field(default_factory=dict)  # TRAINER.OPTION, where not the preset's

    def as_json(self) -> dict[str, Any]:
        """For the database."""
        return asdict(self) | {"settings": dict(self.settings)}


def settings(found: Recipe, wish: Wish) -> dict[str, Any]:
    """The options TRAINER.OPTION of a wish, its preset's and its own; raises UserError naming a bad one."""
    if wish.preset not in found.presets:
        raise UserError(f"The preset is {wish.preset!r:.40}; it must be one of {', '.join(found.presets)}.")
    known = found.options()
    values = dict(found.presets[wish.preset])
    for key, value in wish.settings.items():
        if key not in known:
            raise UserError(f"{found.title} has no setting {key!r:.60}; it has {', '.join(known)}.")
        if value is not None and value != "":
            values[key] = known[key].read(value)
    for each in found.shown:
        if each.minimum is not None and values.get(each.key, each.minimum) < each.minimum:
            raise UserError(f"{each.title} is {values[each.key]}; it must be at least {each.minimum:g}.")
    return values


def stages(wish: Wish, teacher: ModelCard | None, folder: Path, models: Path) -> tuple[Stage, ...]:
    """The commands for a wish that works in `folder` and publishes into `models`.

    teacher: None where its recipe begins with no model.

    Raises UserError for an unknown recipe, a teacher it cannot begin with, a bad setting, id or prompt.
    """
    found = recipe(wish.recipe)
    values = settings(found, wish)
    if teacher and teacher.kind not in found.teachers:
        raise UserError(
            f"“{found.title}” begins with a {' or '.join(found.teachers)} model; "
            f"{teacher.id} is a {teacher.kind} one."
        )
    check_id(wish.output)  # its name in the lists, too, where nothing is published
    check_id(f"{wish.output}-teacher")  # the longest id that a recipe makes of it
    prompts = check_prompts(wish.prompts)
    given = {name for name in ("prompts", "style", "images", "pairs") if getattr(wish, name)}
    for name in sorted(given - set(found.asks)):
        raise UserError(f"{found.title} takes no {name}; leave that out.")
    words = {
        "teacher": wish.teacher,
        "start": f"{wish.output}-teacher" if wish.style else wish.teacher,
        "output": wish.output,
        "title": wish.title or wish.output,
        "style": wish.style,
        "images": wish.images,
        "prompts": str(folder / "prompts.txt") if prompts else "",
        "pairs": wish.pairs or str(folder / "pairs"),
        "folder": str(folder),
        "models": str(models),
        "home": str(models.parent),
    }
    chosen = (
        step
        for step in found.steps
        if not (step.unless and getattr(wish, step.unless)) and (not step.when or getattr(wish, step.when))
    )
    return tuple(_stage(step, values, words, teacher) for step in chosen)


def _stage(step: Step, values: Mapping[str, Any], words: dict[str, str], teacher: ModelCard | None) -> Stage:
    own = (
        step.defaults
        | step.by_kind.get(step.kind or (teacher.kind if teacher else ""), {})
        | {key.split(".", 1)[1]: v for key, v in values.items() if key.split(".")[0] == step.trainer}
    )
    filled = {name: value.format(**words) for name, value in step.options.items()}
    defaults = {name: option.default for name, option in options(step.trainer).items()}
    chosen = defaults | own | {name: value for name, value in filled.items() if value != ""}
    for name in ("steps", "guidance"):
        if name in chosen and chosen[name] is None:  # what the teacher's card recommends
            chosen[name] = getattr(teacher, name)
    TRAINERS[step.trainer](**chosen)  # raises UserError for a value out of its range
    guided = " guided" if chosen.get("guidance", 1) != 1 else ""
    stacked = bool(chosen.get("stacked"))  # two networks
    pictures = _pictures(chosen.get("images"))
    return Stage(
        title=step.title,
        module=f"trainers.{step.trainer}",
        arguments=tuple(command_line(own | filled)),
        product=step.product.format(**words),
        loops=tuple(
            LoopWork(
                key=f"{step.trainer} {loop.steps}{guided}{' stacked' * stacked}",
                run=loop.run.format(**words),
                samples=chosen[loop.steps]
                * min(chosen[loop.batch], pictures or chosen[loop.batch])
                * chosen.get("accumulate", 1),
                seconds=loop.seconds * (1 + stacked),
                title=loop.title,
            )
            if loop.batch
            else LoopWork(
                "", loop.run.format(**words), 1, chosen[loop.steps] * loop.seconds, title=loop.title
            )
            for loop in step.loops
            if chosen[loop.steps]
        ),
        memory=step.memory * (1 + stacked),
    )


def _pictures(folder: str | None) -> int:
    """How many a folder holds, at a glance: a batch is no larger. 0 where none lie there, as of a table."""
    if not folder:
        return 0
    with suppress(OSError):  # it may not be read: that is said elsewhere
        return sum(path.suffix.lower() in PICTURE_SUFFIXES for path in Path(folder).iterdir())
    return 0


def check_prompts(text: str) -> list[str]:
    """The prompts, one a line; raises UserError where one is too long or there are too many."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if len(lines) > MAX_PROMPTS:
        raise UserError(f"There are {len(lines):,} prompts; at most {MAX_PROMPTS:,} are accepted.")
    for number, line in enumerate(lines, 1):
        if len(line) > MAX_PROMPT:
            raise UserError(
                f"Prompt {number} has {len(line):,} characters; at most {MAX_PROMPT:,} are accepted."
            )
    return lines
