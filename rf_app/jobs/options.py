"""The options of a trainer, read from its source: a page cannot wait for PyTorch, nor import trainers.

Every trainer is one file, `trainers/NAME.py`, with one frozen dataclass `…Config` whose fields are its
command line: name, type, default and, in the docstring below, what it does. That is what this reads.
"""

import ast
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from rf_app.errors import UserError

TRAINERS = Path(__file__).parents[2] / "trainers"
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
def options(trainer: str, folder: Path = TRAINERS) -> dict[str, Option]:
    """The options of `trainers.TRAINER` by name; raises UserError where there is no such trainer."""
    path = folder / f"{trainer.replace('.', '/')}.py"
    if not path.is_file():
        raise UserError(f"There is no trainer {trainer!r:.60} ({path}).")
    tree = ast.parse(path.read_text(encoding="utf-8"))
    config = next(
        (node for node in tree.body if isinstance(node, ast.ClassDef) and node.name.endswith("Config")), None
    )
    if config is None:
        raise UserError(f"{path} has no …Config dataclass with its options.")
    choices = _choices(folder)
    return {
        node.target.id: _option(node, text, choices)
        for node, text in zip(config.body, [*config.body[1:], None], strict=True)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }


def _option(node: ast.AnnAssign, text: ast.stmt | None, choices: dict[str, tuple[str, ...]]) -> Option:
    kind = ast.unparse(node.annotation).removesuffix(" | None")
    try:
        default = ast.literal_eval(node.value) if node.value else None
    except ValueError:  # a name, such as the bundled judge's folder
        default = None
    about = ""
    if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant):
        about = " ".join(str(text.value.value).split())
    type = kind if kind in TYPES else "str" if kind in choices else ""
    return Option(node.target.id, type, default, about, choices.get(kind, ()))


@cache
def _choices(folder: Path) -> dict[str, tuple[str, ...]]:
    """`Start = Literal["matched", "raw"]` of all trainers, by name: they take them from one another."""
    found = {}
    for path in sorted(folder.rglob("*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.value).startswith("Literal["):
                found[node.targets[0].id] = tuple(ast.literal_eval(ast.unparse(node.value)[7:]))
    return found


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
