"""What a world would be made of, and what its time would go into: told before anything is trained."""

import subprocess
import sys

from rf_app.actions.application import Application
from rf_app.actions.progress import Events, Progress
from rf_app.errors import UserError
from rf_app.jobs import training
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import ROOT, trainer_environment
from rf_app.pipeline.turns import PULSE

LOOKING = Progress(0, 1, "Looking at the pictures…", None)


def report(app: Application, wish: Wish) -> Events[str]:
    """The report of trainers.world, whose command is that of the job to come.

    Raises UserError naming what is wrong with the wish or its pictures, and for strangers.
    """
    app.permission.check("Training")
    stage = training.planned(app.jobs, wish, app.registry)[0]
    command = [sys.executable, "-m", stage.module, *stage.arguments, "--dry-run"]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | {"stdin": subprocess.DEVNULL}
    with subprocess.Popen(command, cwd=ROOT, env=trainer_environment(), encoding="utf-8", **pipes) as process:
        try:
            said = None
            while said is None:
                try:
                    said, errors = process.communicate(timeout=PULSE)
                except subprocess.TimeoutExpired:
                    yield LOOKING
        finally:
            process.kill()
    if process.returncode:
        lines = errors.strip().splitlines() or ["The pictures could not be looked at."]
        raise UserError(lines[-1].removeprefix("error: "))
    yield said
