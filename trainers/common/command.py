"""The entry of every trainer command: options from a frozen dataclass, errors as one line and an exit code.

Exit codes: 0 done, or stopped and resumable; 1 disk full or training diverged; 2 a user's error.
"""

import sys
from collections.abc import Callable
from typing import TypeVar

import tyro

from rf_app.errors import UserError
from rf_app.registry.disk import DiskFull
from rf_app.settings.training import DryRun
from trainers.common.loop import Diverged

Config = TypeVar("Config")


def run(command: Callable[[Config], None], config: type[Config]) -> None:
    """Parse `sys.argv` into `config` (help from its fields' docstrings) and run `command` on it."""
    sys.stdout.reconfigure(errors="backslashreplace")  # as stderr has it: terminals may lack letters
    try:
        chosen = tyro.cli(config, description=sys.modules[command.__module__].__doc__)
        if isinstance(chosen, DryRun) and chosen.dry_run:
            from trainers.common.dry_run import dry_run  # seldom needed

            print(dry_run(chosen), flush=True)
        else:
            command(chosen)
    except (DiskFull, Diverged) as error:
        _fail(error, 1)
    except UserError as error:
        _fail(error, 2)
    except OSError as error:
        _fail(f"{error.filename or 'The machine'}: {error.strerror or error}", 1)


def _fail(error: Exception | str, code: int) -> None:
    print(f"error: {error}", file=sys.stderr, flush=True)
    raise SystemExit(code)
