"""Trainer commands run in the tests' own process; those to kill or starve are in `tests.processes`."""

import sys
from collections.abc import Callable, Sequence
from typing import get_type_hints

import pytest

UNET = "unet/diffusion_pytorch_model.safetensors"  # of a model's folder
Command = Callable[..., None]
"""The fixtures `works` (module, *options) and `refused` (message, module, *options)."""


def in_process(module: object, options: Sequence[object], monkeypatch: pytest.MonkeyPatch) -> int:
    """The exit code of a command run in this process, which is much faster; 0 where it returns."""
    from trainers.common import command, loop

    monkeypatch.setattr(loop, "SHEETS", 1)  # they take most of the time of such short runs
    monkeypatch.setattr(sys, "argv", ["command", *map(str, options)])
    config = get_type_hints(module.main)["config"]
    try:
        command.run(module.main, config)
    except SystemExit as leaving:
        return leaving.code
    return 0
