"""The options of a training, one by one, for what shows them and what turns them into a command line."""

import types
from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from docstring_parser import parse_from_object

from rf_app.errors import UserError
from rf_app.settings.from_nothing import Autoencoder, Contrastive, Teacher, World
from rf_app.settings.training import ControlNet, Distill, Lora, Merge, Pairs, PeRFlow, Reflow
from rf_app.settings.translation import Translate

TRAINERS: dict[str, type] = {
    each.__name__.lower(): each
    for each in (
        *(Autoencoder, Teacher, Contrastive, World),
        *(Pairs, Reflow, Distill, PeRFlow, Lora, ControlNet, Merge, Translate),
    )
}
"""The settings of what a recipe can run, by the command's name."""
TYPES = {"int": int, "float": float, "str": str, "bool": bool, "Path": str}


@dataclass(frozen=True)
class Option:
    """One option. default: None where the trainer chooses for itself."""

    name: str
    type: str  # a key of TYPES, or "" where a page has no field for it
    default: Any
    about: str
    choices: tuple[str, ...] = ()

    def read(self, value: Any) -> Any:
        """The value in the option's type, from text too; raises UserError saying what would be accepted."""
        if self.type == "bool":
            words = {"true": True, "false": False, "yes": True, "no": False}
            found = value if isinstance(value, bool) else words.get(str(value).strip().lower())
        else:
            try:
                found = TYPES[self.type](value)
                if self.type == "int" and found != float(value):
                    found = None
            except (TypeError, ValueError, OverflowError):
                found = None
        if found is None or (self.choices and found not in self.choices):
            kinds = {"int": "a whole number", "float": "a number", "bool": "true or false"}
            wanted = f"one of {', '.join(self.choices)}" if self.choices else kinds.get(self.type, "a text")
            raise UserError(f"{self.name} is {value!r:.60}; it must be {wanted}.")
        return found


@cache
def options(trainer: str) -> dict[str, Option]:
    """The options of a trainer of `TRAINERS`, by name."""
    settings = TRAINERS[trainer]
    hints = get_type_hints(settings)
    about = {name: text for base in reversed(settings.__mro__[:-1]) for name, text in _said_of(base).items()}
    return {
        each.name: _option(each.name, hints[each.name], each.default, about[each.name])
        for each in fields(settings)
    }


@cache
def _said_of(settings: type) -> dict[str, str]:
    """What a class says of each field of its own; many trainers share a class."""
    return {each.arg_name: " ".join(each.description.split()) for each in parse_from_object(settings).params}


def _option(name: str, hint: Any, default: Any, about: str) -> Option:
    if get_origin(hint) in (Union, types.UnionType):  # … | None
        hint = get_args(hint)[0]
    choices = get_args(hint) if get_origin(hint) is Literal else ()
    kind = "str" if choices else getattr(hint, "__name__", "")
    return Option(
        name, kind if kind in TYPES else "", None if default is MISSING else default, about, choices
    )


def command_line(values: dict[str, Any]) -> list[str]:
    """Values by name as options of a command; None and "" are left out."""
    words = []
    for name, value in values.items():
        flag = name.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{flag}" if value else f"--no-{flag}")
        elif str(value).startswith("-"):  # and no option
            words.append(f"--{flag}={value}")
        elif value is not None and value != "":
            words += [f"--{flag}", str(value)]
    return words
