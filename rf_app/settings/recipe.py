"""What a recipe is made of: commands, one after the other, and what the page shows of their settings."""

from dataclasses import dataclass, field, replace
from typing import Any

from rf_app.settings.options import Option, options


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
    batch: str  # name of the option; "" where `steps` is a time, of which this takes a share
    seconds: float  # a sample, with a pocket model on two cores: the guess before anything is measured
    title: str = ""  # what it is called, where a stage has several


@dataclass(frozen=True)
class Step:
    """One command of a recipe. unless, when: it is left out where this part of the wish is, is not given."""

    title: str
    trainer: str  # python -m trainers.TRAINER
    options: dict[str, Any]  # not to be chosen
    product: str  # a path that is there when the command has finished
    loops: tuple[Loop, ...] = ()
    memory: float = 1.0  # GB: the guess before anything is measured, with a pocket model
    defaults: dict[str, Any] = field(default_factory=dict)  # where they are not the trainer's
    by_kind: dict[str, dict[str, Any]] = field(default_factory=dict)  # the same, for a kind of model
    kind: str = ""  # of the model it begins with, where that is not the wish's teacher
    unless: str = ""
    when: str = ""


@dataclass(frozen=True)
class Recipe:
    """What can be trained, and how."""

    name: str
    title: str
    about: str
    proposes: str  # as a name
    teachers: tuple[str, ...]  # kinds of models it can begin with; none where it begins with pictures alone
    shown: tuple[Shown, ...]
    presets: dict[str, dict[str, Any]]  # values of any options, TRAINER.OPTION
    steps: tuple[Step, ...]
    makes: str = ""  # models, loras, controlnets, translations, or nothing to publish
    asks: tuple[str, ...] = ()  # what else may be given; see `plan.Wish`
    needs: str = ""  # the one of `asks` that must be given

    def options(self) -> dict[str, Option]:
        """Every option a wish may set, TRAINER.OPTION: those the recipe does not fill itself."""
        return {
            f"{step.trainer}.{name}": replace(option, default=step.defaults.get(name, option.default))
            for step in self.steps
            for name, option in options(step.trainer).items()
            if option.type
            and name != "dry_run"
            and not all(name in each.options for each in self.steps if each.trainer == step.trainer)
        }

    def advanced(self) -> dict[str, Option]:
        """The options that the page offers besides `shown`: no paths of this machine."""
        first = {each.key for each in self.shown}
        return {key: o for key, o in self.options().items() if key not in first and o.type != "Path"}
