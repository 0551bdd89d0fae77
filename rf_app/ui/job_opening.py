"""Buttons that show what a job has made: a model and its teacher, a style, a ControlNet along lines."""

from dataclasses import asdict
from pathlib import Path
from typing import Any

from rf_app.errors import UserError
from rf_app.jobs.database import Job
from rf_app.jobs.plan import Wish
from rf_app.pipeline.requests import Control
from rf_app.plugins.picture import read_picture
from rf_app.settings.recipes import recipes
from rf_app.ui.send import send_button
from rf_app.workflows.examples import DRAWINGS, examples
from rf_app.workflows.generate import Studio

PROMPT = "a snowy mountain near a lake at sunset"
SEED = 7


def opening(studio: Studio, job: Job) -> str:
    """The buttons, of a job that is done and whose product is still there."""
    wish, known = job.wish, recipes()
    makes = known[wish.recipe].makes if wish.recipe in known else ""
    if job.state != "done" or not Path(job.stages[-1].product).exists():
        return ""
    if makes == "models":
        settings = {"prompt": _prompt(wish), "model": wish.output, "seed": SEED}
        teacher = f"{wish.output}-teacher" if wish.style else wish.teacher  # a style goes into it first
        against = send_button("compare", settings | {"against": teacher}, "Compare with the teacher")
        return send_button("generate", settings) + against
    if makes == "loras":
        return send_button("generate", _styled(wish))
    if makes == "controlnets":
        return _following(studio, wish)
    return ""


def _prompt(wish: Wish) -> str:
    return next(iter(wish.prompts.splitlines()), PROMPT)


def _styled(wish: Wish) -> dict[str, Any]:
    called = ", ".join(filter(None, (_prompt(wish), str(wish.settings.get("lora.trigger") or ""))))
    style = {"id": wish.output, "strength": 1.0}
    return {"prompt": called, "model": wish.teacher, "seed": SEED, "loras": [style]}


def _following(studio: Studio, wish: Wish) -> str:
    drawing = examples(DRAWINGS)[0]
    try:
        lines = studio.condition_map(read_picture(drawing.path.read_bytes()), wish.teacher, "scribble")
    except UserError:  # the model it was trained beside is gone
        return ""
    settings = {"prompt": drawing.prompt, "model": wish.teacher, "seed": drawing.seed}
    return send_button("generate", settings | {"control": [asdict(Control(wish.output, lines))]})
