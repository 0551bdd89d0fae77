"""How an action is asked from outside: flat arguments with types, defaults and help; and how it answers.

An action is a module: `generate.py` has the function `generate(app, wish)`. What it is asked with are the
fields of its wish, those of records inside it flattened, or the parameters of its function `ask`, if it has
one. Its function `answer(app, results)` gives what a program gets: files, and JSON.
"""

import inspect
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, get_type_hints

import docstring_parser

from rf_app.errors import UserError
from rf_app.settings.picture import Control, Lora, Side, read_controls, read_loras, read_models, read_sides
from rf_app.settings.points import Points, read_points

READERS: dict[Any, Callable[[Any], Any]] = {
    tuple[Lora, ...]: read_loras,
    tuple[Control, ...]: read_controls,
    tuple[str | Side, ...] | None: read_sides,
    tuple[str, ...] | None: read_models,
    Points: read_points,
}
"""How JSON becomes a value of a type."""


@dataclass(frozen=True)
class File:
    """A file that an action gives away, or is given."""

    name: str
    content: bytes | Path

    def read(self, most: int) -> bytes:
        """All of it; raises UserError for more bytes than `most`, and for what cannot be read."""
        if isinstance(self.content, bytes):
            return self.content
        try:
            if self.content.stat().st_size > most:
                raise UserError(f"{self.name} is larger than the {most // 2**20} MB that are accepted.")
            return self.content.read_bytes()
        except OSError as error:
            raise UserError(f"{self.name} cannot be read ({error.strerror}).") from None


@dataclass(frozen=True)
class Argument:
    """One argument; default: MISSING where it has to be given."""

    name: str
    type: Any
    default: Any
    about: str


@dataclass(frozen=True)
class Asking:
    """An action as it is asked: its name, what it does, its arguments, and how they become a wish."""

    name: str
    about: str
    arguments: tuple[Argument, ...]
    ask: Callable[..., Any]
    act: Callable[..., Any]
    answer: Callable[..., Any]

    def wish(self, values: dict[str, Any]) -> Any:
        """The wish in JSON values by name; None is as good as leaving one out. Raises UserError."""
        given = {}
        for each in self.arguments:
            value = values.get(each.name)
            if value is None:
                value = None if each.default is MISSING else each.default
            elif each.type in READERS:
                value = READERS[each.type](value)
            given[each.name] = value
        return _made(self.ask, given)


def wants_file(argument: Argument, value: Any) -> bool:
    """Whether the value given for an argument has to become a `File`; None stays what it is."""
    return argument.type is File or (argument.type == File | None and value is not None)


def asking(module: ModuleType) -> Asking:
    """How the action of a module is asked."""
    name = module.__name__.rpartition(".")[2]
    act = getattr(module, name)
    ask = getattr(module, "ask", None) or get_type_hints(act)["wish"]
    about = inspect.getdoc(act) or ""
    return Asking(name, about, tuple(_arguments(ask)), ask, act, module.answer)


def _arguments(ask: Any) -> list[Argument]:
    hints = get_type_hints(ask)
    about = {each.arg_name: each.description or "" for each in docstring_parser.parse_from_object(ask).params}
    if not is_dataclass(ask):
        return [
            Argument(
                name,
                hints[name],
                MISSING if each.default is inspect.Parameter.empty else each.default,
                about.get(name, ""),
            )
            for name, each in inspect.signature(ask).parameters.items()
        ]
    found = []
    for each in fields(ask):
        if _is_record(hints[each.name]):
            found += _arguments(hints[each.name])
        else:
            found.append(Argument(each.name, hints[each.name], each.default, about.get(each.name, "")))
    return found


def _is_record(kind: Any) -> bool:
    return is_dataclass(kind) and kind is not File


def _made(ask: Any, values: dict[str, Any]) -> Any:
    if not is_dataclass(ask):
        return ask(**values)
    hints = get_type_hints(ask)
    return ask(
        **{
            each.name: _made(hints[each.name], values) if _is_record(hints[each.name]) else values[each.name]
            for each in fields(ask)
        }
    )
