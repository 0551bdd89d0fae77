"""A run's figures in TensorBoard or trackio, too, beside its `events.jsonl`, by accelerate's trackers.

tensorboard --logdir ~/.instaflow/runs
trackio show
"""

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from accelerate import Accelerator
from accelerate.utils import AutocastKwargs

from rf_app.errors import UserError
from rf_app.settings.training import Tracker

PROJECT = "instaflow"  # of trackio; TensorBoard's files lie in a folder of this name


def accelerator_with(tracker: Tracker | None, run: Path, float32: bool) -> Accelerator:
    """The process's accelerator, which logs to a tracker if any; UserError where that is not installed.

    float32: leave a model's arithmetic as it is.
    """
    if tracker and find_spec(tracker) is None:
        raise UserError(
            f"--tracker {tracker} needs {tracker}, which is not installed: pip install {tracker}."
        )
    arithmetic = AutocastKwargs(enabled=not float32)
    return Accelerator(log_with=tracker, project_dir=run, kwargs_handlers=[arithmetic])


@contextmanager
def tracking(accelerator: Accelerator, run: Path, resumed_at: int) -> Iterator[None]:
    """Let what `accelerator.log` is told reach its tracker, to the end of the session however it comes.

    In TensorBoard what an interrupted session wrote beyond step `resumed_at` is dropped, as in the events.
    """
    own = {"name": f"{run.parent.name}/{run.name}", "resume": "allow"}
    accelerator.init_trackers(
        PROJECT, init_kwargs={"trackio": own, "tensorboard": {"purge_step": resumed_at + 1}}
    )
    try:
        yield
    finally:
        for each in accelerator.trackers:  # end_training() would part the processes, too
            each.finish()
