"""What a finished job is opened with: the settings its buttons send to the other tabs."""

import json
import re
from dataclasses import replace
from html import unescape
from pathlib import Path

import pytest

from rf_app.actions.application import Application
from rf_app.actions.generate import Generate, generate
from rf_app.actions.restore import restore_sent
from rf_app.actions.run import results
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish, stages
from rf_app.jobs.stage import TRAINING, Plan
from rf_app.ui.train.opening import opening

BAD = "<img src=x onerror=alert(1)>"


@pytest.fixture
def finished(app: Application, tmp_path: Path):
    """Gives the job of a wish, done and with its product there."""

    database = Database(tmp_path / "jobs")

    def done(wish: Wish) -> Job:
        planned = stages(wish, app.registry.card(wish.teacher), tmp_path / "job", tmp_path / "models")
        Path(planned[-1].product).mkdir(parents=True)
        plan = Plan(TRAINING, TRAINING, wish.output, wish.title, wish.as_json(), planned, 1.0)
        return replace(database.add(lambda folder, others: plan), state="done")

    return done


def sent(text: str) -> dict[str, dict]:
    """The settings by the tab they go to."""
    found = re.findall(r'data-send="(\w+)" data-settings="([^"]*)"', text)
    return {tab: json.loads(unescape(settings)) for tab, settings in found}


def test_a_model_is_opened_with_its_own_prompt_and_its_teacher_beside_it(app: Application, finished) -> None:
    wish = Wish("distill", "tiny-2rf", "mine", BAD, prompts=f"{BAD}\na lake")
    text = opening(app, finished(wish))
    assert "<img" not in text
    expected = {"prompt": BAD, "model": "mine", "seed": 7}
    assert sent(text) == {"generate": expected, "compare": expected | {"against": "tiny-2rf"}}


def test_a_style_is_called_by_its_trigger(app: Application, finished) -> None:
    wish = Wish("lora", "tiny-sd", "style", images="pictures", settings={"lora.trigger": "in mine"})
    settings = sent(opening(app, finished(wish)))["generate"]
    assert settings["prompt"].endswith(", in mine")
    assert settings["loras"] == [{"id": "style", "strength": 1.0}]


def test_a_controlnet_follows_lines_at_its_models_size(app: Application, finished) -> None:
    settings = sent(opening(app, finished(Wish("controlnet", "tiny-sd", "tiny-canny"))))["generate"]
    found = restore_sent(app, json.dumps(settings)).settings
    assert [each.model for each in found.control] == ["tiny-canny"]
    assert len(results(generate(app, Generate(found)))) == 1


def test_nothing_is_opened_that_is_not_there(app: Application, finished) -> None:
    job = finished(Wish("distill", "tiny-2rf", "mine"))
    assert opening(app, replace(job, state="running")) == ""
    Path(job.stages[-1].product).rmdir()
    assert opening(app, job) == ""
