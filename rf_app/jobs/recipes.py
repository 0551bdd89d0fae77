"""What can be trained: a recipe is a file `trainers/recipes/NAME.yaml`, and a new one appears by itself.

title: A one-step model
about: What it is for, in a sentence.
proposes: My one-step model     # as a name
makes: models                   # loras, controlnets, or nothing to publish
asks: [prompts, style]          # what else may be given; see `plan.Wish`
needs: images                   # the one of these that must be given
teachers: [diffusion]           # kinds of models it can begin with
shown:                          # the few settings that matter, TRAINER.OPTION
  reflow.steps: {title: Steps, about: "More is better.", minimum: 10}
presets:                        # quick, medium and good: values of any options
  quick: {reflow.steps: 100}
stages:                         # commands, one after the other
  - title: Straighten the paths
    trainer: reflow             # python -m trainers.reflow
    options: {teacher: "{teacher}", output: "{output}", run: "{folder}/reflow"}
    product: "{models}/{output}"  # there when the stage has finished
    loops: [{run: "{folder}/reflow", steps: steps, batch: batch, seconds: 0.01}]
    memory: 1.5                 # GB, and seconds a sample above: a guess until measured, for pocket models
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rf_app.errors import UserError
from rf_app.jobs.options import TRAINERS, Option, options

PRESETS = {"quick": "Quick", "medium": "Medium", "good": "Good"}


@dataclass(frozen=True)
class Shown:
    """A setting that stands on the page."""

    key: str  # trainer.option
    title: str
    about: str
    minimum: float | None = None


@dataclass(frozen=True)
class Loop:
    """A measured part of a stage: steps x batch samples, with its events in the folder `run`."""

    run: str
    steps: str  # name of the option
    batch: str  # name of the option
    seconds: float  # a sample, with a pocket model on two cores: the guess before anything is measured


@dataclass(frozen=True)
class Step:
    """One command of a recipe. unless, when: it is left out where this part of the wish is, is not given."""

    title: str
    trainer: str
    options: dict[str, Any]
    product: str
    loops: tuple[Loop, ...]
    memory: float = 1.0
    bfloat16: bool = False
    unless: str = ""
    when: str = ""


@dataclass(frozen=True)
class Recipe:
    """What can be trained, and how."""

    name: str
    title: str
    about: str
    makes: str
    asks: tuple[str, ...]
    teachers: tuple[str, ...]
    shown: tuple[Shown, ...]
    presets: dict[str, dict[str, Any]]
    steps: tuple[Step, ...]
    proposes: str  # as a name
    order: int = 100
    needs: str = ""  # the one of `asks` that must be given

    def options(self) -> dict[str, Option]:
        """Every option a wish may set, TRAINER.OPTION: those the recipe does not fill itself."""
        return {
            f"{step.trainer}.{name}": option
            for step in self.steps
            for name, option in options(step.trainer).items()
            if option.type
            and not all(name in each.options for each in self.steps if each.trainer == step.trainer)
        }

    def advanced(self) -> dict[str, Option]:
        """The options that the page offers besides `shown`: no paths of this machine."""
        first = {each.key for each in self.shown}
        return {key: o for key, o in self.options().items() if key not in first and o.type != "Path"}


def recipes(folder: Path = TRAINERS / "recipes") -> dict[str, Recipe]:
    """All recipes by name, in the order in which they are offered."""
    found = [_read(path) for path in sorted(folder.glob("*.yaml"))]
    return {each.name: each for each in sorted(found, key=lambda each: each.order)}


def recipe(name: str) -> Recipe:
    """One recipe; raises UserError with the names there are."""
    known = recipes()
    if name not in known:
        raise UserError(f"There is no recipe {name!r:.60}; there are {', '.join(known)}.")
    return known[name]


def _read(path: Path) -> Recipe:
    return _parse(path, path.stat().st_mtime_ns)


@cache
def _parse(path: Path, stamp: int) -> Recipe:
    try:
        text = yaml.safe_load(path.read_text(encoding="utf-8"))
        return Recipe(
            name=path.stem,
            title=text["title"],
            about=text["about"],
            makes=text.get("makes", ""),
            asks=tuple(text.get("asks", ())),
            teachers=tuple(text["teachers"]),
            shown=tuple(Shown(key, **each) for key, each in text["shown"].items()),
            presets={name: text["presets"][name] for name in PRESETS},
            steps=tuple(
                Step(**each | {"loops": tuple(Loop(**loop) for loop in each["loops"])})
                for each in text["stages"]
            ),
            proposes=text["proposes"],
            order=text.get("order", 100),
            needs=text.get("needs", ""),
        )
    except (yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{path} is not a recipe ({error!r:.200}).") from None
