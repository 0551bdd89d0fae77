"""Buttons that show what a job has made: a model and its teacher, a style, a ControlNet along lines, a
translation.
"""

from dataclasses import asdict
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.examples import DRAWINGS, examples
from rf_app.errors import UserError
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.plugins.picture import encode_map, read_picture
from rf_app.settings.picture import Control, PictureSettings
from rf_app.settings.recipes import recipes
from rf_app.settings.translated import TRANSLATED
from rf_app.ui.parts.send import send_button
from rf_app.ui.train.contact_sheet import WORLD

PROMPT = "a snowy mountain near a lake at sunset"
SEED = 7


def opening(app: Application, job: Job) -> str:
    """The buttons, of a job that is done and whose product is still there."""
    wish, known = job.wish, recipes()
    made = job.state == "done" and job.stages[-1].finished
    if not made or not isinstance(wish, Wish):
        return ""
    makes = known[wish.recipe].makes if wish.recipe in known else ""
    alone = makes == "models" and not known[wish.recipe].teachers
    if alone and not (app.registry.folders[-1] / wish.output).is_dir():  # its last stage makes something else
        return ""
    if makes == "models":
        prompt = _learned(app, job) if alone else _prompt(wish)
        settings = {"prompt": prompt, "model": wish.output, "seed": SEED}
        # A style goes into it first; a world has one of its own.
        teacher = f"{wish.output}-teacher" if wish.style or not wish.teacher else wish.teacher
        against = send_button("compare", settings | {"against": teacher}, "Compare with the teacher")
        return send_button("generate", settings) + against
    if makes == "loras":
        return send_button("generate", _styled(wish))
    if makes == "translations":
        sent = {TRANSLATED: {"translation": wish.output, "image": ""}}
        return send_button("edit", sent, "Translate a picture")
    if makes == "controlnets":
        return _following(app, wish)
    return ""


def _prompt(wish: Wish) -> str:
    return next(iter(wish.prompts.splitlines()), PROMPT)


def _learned(app: Application, job: Job) -> str:
    """A caption of a world's."""
    try:
        return (app.jobs.job_folder(job.id) / WORLD / "prompts.txt").read_text("utf-8").splitlines()[0]
    except (OSError, IndexError):
        return ""


def _styled(wish: Wish) -> dict[str, Any]:
    called = ", ".join(filter(None, (_prompt(wish), str(wish.settings.get("lora.trigger") or ""))))
    style = {"id": wish.output, "strength": 1.0}
    return {"prompt": called, "model": wish.teacher, "seed": SEED, "loras": [style]}


def _following(app: Application, wish: Wish) -> str:
    drawing = examples(DRAWINGS)[0]
    image = encode_map(read_picture(drawing.path.read_bytes()))
    try:
        control = app.with_map(Control(wish.output, image, "scribble"), PictureSettings("", wish.teacher))
    except UserError:  # the model it was trained beside is gone
        return ""
    settings = {"prompt": drawing.prompt, "model": wish.teacher, "seed": drawing.seed}
    return send_button("generate", settings | {"control": [asdict(control)]})
