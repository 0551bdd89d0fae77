"""What a training would learn from, and a world's time would go into: told before anything is trained."""

import subprocess
import sys

from rf_app.actions.application import Application
from rf_app.actions.progress import Events, Progress
from rf_app.errors import UserError
from rf_app.jobs import training
from rf_app.jobs.plan import Wish
from rf_app.jobs.processes import ROOT, trainer_environment
from rf_app.pipeline.turns import PULSE
from rf_app.settings.recipes import recipe

LOOKING = Progress(0, 1, "Looking at the pictures…", None)


def report(app: Application, wish: Wish, named: str = "") -> Events[str]:
    """The report of trainers.world, whose command is that of the job to come, or of trainers.look.

    named: how the pictures are spoken of, instead of their folder. Raises UserError naming what is wrong with
    the wish or its pictures, and for strangers.
    """
    app.permission.check("Training")
    if not wish.images:
        raise UserError(f"“{recipe(wish.recipe).title}” needs captioned pictures.")
    (stage, *_) = training.planned(app.jobs, wish, app.registry)
    command = [stage.module, *stage.arguments, "--dry-run"]
    if recipe(wish.recipe).teachers:
        size = app.registry.card(wish.teacher).resolution
        command = ["trainers.look", "--images", wish.images, "--size", str(size)]
    pipes = dict.fromkeys(("stdout", "stderr"), subprocess.PIPE) | {"stdin": subprocess.DEVNULL}
    own = {"cwd": ROOT, "env": trainer_environment(), "encoding": "utf-8"} | pipes
    with subprocess.Popen([sys.executable, "-m", *command], **own) as process:
        try:
            said = None
            while said is None:
                try:
                    said, errors = process.communicate(timeout=PULSE)
                except subprocess.TimeoutExpired:
                    yield LOOKING
        finally:
            process.kill()
    spoken = named or wish.images
    if process.returncode:
        killed = process.returncode < 0  # and what it said last is a progress bar
        lines = [] if killed else errors.strip().splitlines()
        lines = lines or ["The pictures could not be looked at: memory may have run out."]
        raise UserError(lines[-1].removeprefix("error: ").replace(wish.images, spoken))
    yield said.replace(wish.images, spoken)
