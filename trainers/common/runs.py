"""Run folders: where they live when nobody says otherwise, and that one process at a time works in each."""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from accelerate import Accelerator

from rf_app.errors import UserError
from rf_app.registry.disk import locked
from rf_app.settings.home import home


def default_run(name: str) -> Path:
    """The run folder ``name`` under ``runs`` of the user's folder."""
    return home() / "runs" / name


def begin_anew(runs: Sequence[Path], accelerator: Accelerator) -> None:
    """Remove the folders of trainings that began at the end of one that has gone on since."""
    if accelerator.is_main_process:
        for run in runs:
            shutil.rmtree(run, ignore_errors=True)
    accelerator.wait_for_everyone()


@contextmanager
def alone_in(run: Path, accelerator: Accelerator) -> Iterator[None]:
    """Keep others out of a run folder, which is made: two trainings would mix their checkpoints.

    Of several processes of one training the first holds the lock, which the system lets go of however that
    ends. Raises UserError where another works there.
    """
    if not accelerator.is_main_process:
        yield
        return
    run.mkdir(parents=True, exist_ok=True)
    try:
        with locked(run):
            yield
    except BlockingIOError:
        raise UserError(
            f"Another process works in {run}: wait until it has ended, or stop it, or give another folder."
        ) from None
