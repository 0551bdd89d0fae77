"""What a job is made of: a plan with its stages, which are commands, and what they are measured by."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rf_app.errors import UserError

TRAINING, FILES = "training", "files"
LANES = {TRAINING: 1, FILES: 3}  # how many jobs of each run at once
MAX_ARGUMENT = 100_000  # bytes; Linux takes 128 KiB


@dataclass(frozen=True)
class LoopWork:
    """A measured part of a stage.

    run: the folder of its events; key: what its rate is stored under, "" where none is; title: what it is
    called, "" where that is the stage's.
    """

    key: str
    run: str
    samples: int
    seconds: float  # a sample: the guess
    title: str = ""


@dataclass(frozen=True)
class Stage:
    """One command, `python -m MODULE ARGUMENTS`.

    product: a path that exists when it has finished; unfinished: a folder, "" for none, where what has been
    done waits outside the job's own, and which goes with a job that is deleted.
    """

    title: str
    module: str
    arguments: tuple[str, ...]
    product: str
    loops: tuple[LoopWork, ...]
    memory: float = 1.0  # GB
    unfinished: str = ""

    @property
    def finished(self) -> bool:
        """Whether its product is there."""
        return os.path.exists(self.product)  # noqa: PTH110 (a name that is too long is no error to this one)

    @property
    def stacked(self) -> bool:
        """Whether it trains two networks in a row, each of the model's size."""
        return "--stacked" in self.arguments

    @property
    def memory_key(self) -> str:
        """What the memory that it took is stored under."""
        return f"memory {self.module}{' stacked' * self.stacked}"

    @classmethod
    def from_json(cls, text: dict[str, Any]) -> "Stage":
        """As `asdict` and JSON leave it; rows that are older have a "bfloat16", too."""
        own = {name: value for name, value in text.items() if name != "bfloat16"}
        loops = tuple(LoopWork(**loop) for loop in own["loops"])
        return cls(**own | {"loops": loops, "arguments": tuple(own["arguments"])})


@dataclass(frozen=True)
class Plan:
    """A job as its caller plans it. kind: "training", or the name of an action; lane: a key of `LANES`.

    wish: what was asked for, as JSON takes it; seconds: the estimate; size: see `estimate.ModelSize.work`;
    files: texts by name that go into the job's folder; goes_on: the folder of a job whose pairs and runs
    these stages need there, too, but for what is named `anew`.
    """

    kind: str
    lane: str
    output: str
    title: str
    wish: Mapping[str, Any]
    stages: tuple[Stage, ...]
    seconds: float
    size: float = 0.0
    files: Mapping[str, str] = field(default_factory=dict)
    goes_on: Path | None = None
    anew: tuple[str, ...] = ()


def check_texts(values: Mapping[str, Any]) -> None:
    """Raises UserError naming a text, in these or within, that no command line can take."""
    for name, value in values.items():
        if isinstance(value, Mapping):
            check_texts(value)
        elif isinstance(value, (tuple, list)):
            for each in value:
                check_texts({name: each})
        elif isinstance(value, str):
            try:
                value.encode()
            except UnicodeEncodeError:
                raise UserError(
                    f"{name} holds half a surrogate pair, {value!a:.60}; it is no text."
                ) from None
            if "\0" in value:
                raise UserError(f"{name} holds a NUL character, {value!a:.60}; it is no text.")


def check_arguments(stages: tuple[Stage, ...]) -> None:
    """Raises UserError naming an argument that is too long for a command line."""
    for stage in stages:
        for before, argument in zip(("", *stage.arguments), stage.arguments, strict=False):
            if len(argument.encode()) > MAX_ARGUMENT:
                name = before if before.startswith("-") else argument.partition("=")[0]
                raise UserError(
                    f"{name.lstrip('-')[:60]} has {len(argument):,} characters; a text may take "
                    f"{MAX_ARGUMENT:,} bytes."
                )
