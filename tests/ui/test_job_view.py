"""How jobs look: what is escaped, which buttons there are, the strip made of sheets, the curves."""

import base64
import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.plan import Wish
from rf_app.jobs.progress import POINTS, Curve, Progress, progress
from rf_app.jobs.stage import TRAINING, Stage
from rf_app.ui.train import view
from rf_app.ui.train.sample_strip import COLUMNS, GAP, ROWS, sample_strip
from tests.jobs.queues import add
from trainers.common.events import Events
from trainers.common.sheets import write_sheet

BAD = "<img src=x onerror=alert(1)>"
WAY = Progress(0.25, 60.0, "Stage 1", 12.0, (), ())


@pytest.fixture
def job(tmp_path: Path) -> Job:
    database = Database(tmp_path)
    job = database.job(add(database))
    return replace(job, wish=Wish("reflow", BAD, "x", title=BAD), title=BAD)


def acts(html: str) -> set[str]:
    return set(re.findall(r'data-act="(\w+)"', html))


def test_names_and_last_words_are_escaped(job: Job) -> None:
    failed = replace(job, state="failed", said=BAD)
    html = view.job_list([(failed, WAY)], job.id) + view.job_head(failed, WAY, "")
    html += view.job_log([BAD])
    assert "<img" not in html
    assert html.count("&lt;img") >= 4


@pytest.mark.parametrize(
    ("state", "there"),
    [
        ("running", {"stop", "copy"}),
        ("queued", {"stop", "copy", "delete"}),
        ("stopped", {"resume", "copy", "delete"}),
        ("interrupted", {"resume", "copy", "delete"}),
        ("failed", {"resume", "copy", "delete"}),
        ("done", {"copy", "delete"}),
    ],
)
def test_each_state_has_its_buttons(job: Job, state: str, there: set[str]) -> None:
    assert acts(view.job_actions(replace(job, state=state), 0, "")) == there


def test_a_finished_training_can_go_on_for_as_many_steps_again(job: Job) -> None:
    run = Path(job.stages[-1].loops[-1].run)
    run.mkdir(parents=True)
    Events(run, 0).write({"step": 40, "of": 40, "loss": 1.0})
    html = view.job_actions(replace(job, state="done"), 0, "")
    assert "lengthen" in acts(html)
    assert 'step="1" value="40"' in html
    assert "lengthen" not in acts(view.job_actions(replace(job, state="stopped"), 0, ""))


def test_file_work_is_named_and_has_no_settings_to_copy(tmp_path: Path) -> None:
    database = Database(tmp_path)
    job = database.job(add(database, kind="import_model"))
    assert "Import model<" in view.job_list([(job, WAY)], job.id)
    assert acts(view.job_actions(replace(job, state="stopped"), 0, "")) == {"resume", "delete"}


def test_only_the_ends_of_the_line_cannot_move_on(tmp_path: Path) -> None:
    database = Database(tmp_path)
    jobs = [database.job(add(database)) for _ in range(3)]
    html = view.job_list([(job, WAY) for job in jobs], None)
    assert html.count("disabled") == 2


def test_the_strip_shows_the_models_rows_in_time_and_the_wanted_ones_last(tmp_path: Path) -> None:
    """Of sheets with rows (wanted, the model's): the wanted are white, the model's grey by its step."""
    steps = range(10, 130, 10)
    for step in steps:
        rows = [torch.full((8, 3, 16, 16), 1.0), torch.full((8, 3, 16, 16), step / 200)]
        write_sheet(tmp_path / f"step-{step:06d}.png", rows)
    html = sample_strip(tuple(sorted(tmp_path.glob("*.png"))))
    image = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', html)[1]))).convert("RGB")
    assert image.size == (COLUMNS * (16 + GAP) + 16, ROWS * (16 + GAP) - GAP)
    shades = [image.getpixel((i * (16 + GAP) + 8, 8))[0] for i in range(COLUMNS + 1)]
    assert shades == sorted(shades)
    assert shades[-1] == 255
    assert "step 10<" in html
    assert "step 120<" in html
    assert "wanted" in html


def test_of_sheets_that_are_all_the_models_none_is_called_wanted(tmp_path: Path) -> None:
    """As those of a teacher, which begins with nothing."""
    for step in (10, 20):
        rows = [torch.full((8, 3, 16, 16), step / 20), torch.zeros(8, 3, 16, 16)]
        write_sheet(tmp_path / f"step-{step:06d}.png", rows, first="")
    html = sample_strip(tuple(sorted(tmp_path.glob("*.png"))))
    image = Image.open(io.BytesIO(base64.b64decode(re.search('base64,([^"]+)', html)[1]))).convert("RGB")
    assert image.size == (2 * (16 + GAP) - GAP, ROWS * (16 + GAP) - GAP)
    assert image.getpixel((16 + GAP + 8, 8)) == (255, 255, 255)
    assert re.findall("<span>(.*?)</span>", html) == ["step 10", "step 20"]


def test_finished_pictures_are_as_large_as_those_of_a_strip(tmp_path: Path) -> None:
    write_sheet(tmp_path / "step-000010.png", [torch.zeros(8, 3, 16, 16)])
    assert "--across:8; --labels:1" in sample_strip((tmp_path / "step-000010.png",))


def test_without_sheets_or_with_one_that_is_gone_there_is_no_strip(tmp_path: Path) -> None:
    assert sample_strip(()) == ""
    assert sample_strip((tmp_path / "gone.png",)) == ""


def test_curves_come_from_the_events_and_stay_small(tmp_path: Path) -> None:
    database = Database(tmp_path)
    id = add(database)
    run = Path(database.job(id).stages[0].loops[0].run)
    run.mkdir(parents=True)
    events = Events(run, 0)
    for step in range(10, 10_000, 10):
        events.write(
            {"step": step, "of": 10_000, "loss": 1000 / step, "seconds_left": (10_000 - step) * 0.01}
        )
    events.write({"step": 10_000, "of": 10_000, "loss": 0.1, "psnr": 20.0, "seconds_left": 0.0})
    database.claim(TRAINING)
    database.note_process(id, 1)
    way = progress(database, database.job(id))
    loss, psnr = way.curves
    assert len(loss.points) <= POINTS
    assert loss.points[-1][0] == 10_000
    assert psnr.points == ((10_000, 20.0),)
    assert way.share == pytest.approx(1.0)
    first, more = view.job_charts(way)
    assert (first.count("<figure"), more) == (1, "")  # a single point is no curve yet


def test_the_curves_that_say_most_come_first_and_are_smooth(tmp_path: Path) -> None:
    stage = Stage("Distillation", "trainers.distill", (), "x", ())
    noisy = tuple((step, 1.0 + (-1) ** step * 0.5) for step in range(100))
    curves = [Curve(stage, stage.title, name, 100, noisy) for name in ("loss", "l2", "lpips", "psnr")]
    earlier = Curve(replace(stage, module="trainers.reflow"), "Reflow", "loss", 100, noisy)
    first, more = view.job_charts(replace(WAY, curves=(*curves, earlier)))
    assert [title in first for title in ("Nearness to the teacher", "How far one step")] == [True, True]
    assert first.count("<figure") == 2
    assert more.count("<figure") == 3
    assert "How far it is from straight paths" in more
    middle = [value for _, value in view.smoothed(noisy)][10:-10]
    assert max(middle) - min(middle) < 0.2
    assert view.smoothed(noisy)[0] == noisy[0]
