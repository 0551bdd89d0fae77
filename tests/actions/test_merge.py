"""A merge as a job: what it makes, what it says meanwhile, and that it can be stopped."""

import json
from dataclasses import replace

import pytest

from rf_app.actions.merge import merge, start_merge
from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.progress import progress
from rf_app.plugins.deltas import Merge
from tests.jobs.queues import ended
from tests.plugins.lora_files import random_lora, write
from tests.settled import until
from tests.tiny import tiny_unet


@pytest.fixture
def app(own_app, database):
    """One whose jobs are the test's own, too."""
    return replace(own_app, jobs=database)


def wish(**more) -> Merge:
    return Merge("tiny-2rf", "merged", **{"fine_tuned": "tiny-sd", "base": "tiny-sd"} | more)


def test_it_says_how_many_tensors_are_done(app) -> None:
    *said, folder = merge(app, wish())
    last = [each for each in said if each][-1]
    assert last.text == f"Adding, {last.done} of {last.of} tensors"
    assert folder == app.registry.folder("merged")


def test_as_a_job(app) -> None:
    job = start_merge(app, wish(title="-a title", strength=-0.5))
    for id in ("tiny-2rf", "tiny-sd", "merged"):
        with pytest.raises(UserError, match=f"Job {job.id} needs '{id}'"):
            queue.check_unused(app.jobs, id)
    with pytest.raises(UserError, match="about to make 'merged'"):
        start_merge(app, wish())
    ended(app.jobs, job.id)
    card = app.registry.card("merged")
    assert (card.title, card.settings["merged"]["strength"]) == ("-a title", -0.5)
    assert app.jobs.job(job.id).name == "-a title"
    assert progress(app.jobs, app.jobs.job(job.id)).share == 1
    said = json.loads((app.jobs.job_folder(job.id) / "answer.json").read_text())
    assert said == {"id": "merged", "path": str(app.registry.folder("merged"))}
    with pytest.raises(UserError, match="already a model 'merged'"):
        start_merge(app, wish())


def test_a_job_that_is_stopped_leaves_no_model_and_can_be_resumed(app) -> None:
    job = start_merge(app, wish())
    queue.stop(app.jobs, job.id)
    until(lambda: not app.jobs.job(job.id).under_way)
    if app.jobs.job(job.id).state == "stopped":  # it may have been quicker
        assert "merged" not in [card.id for card in app.registry.cards()]
        queue.resume(app.jobs, job.id)
    ended(app.jobs, job.id)
    assert app.registry.card("merged").base_model == "tiny-2rf"


def test_a_lora_in_a_file_is_found_from_the_job_s_folder(app, tmp_path, monkeypatch) -> None:
    write(tmp_path / "ink.safetensors", random_lora(tiny_unet(3)))
    monkeypatch.chdir(tmp_path)
    job = start_merge(app, wish(fine_tuned="", base="", lora="ink.safetensors"))
    ended(app.jobs, job.id)
    assert app.registry.card("merged").settings["merged"]["lora"] == "ink.safetensors"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"strength": 3.0}, "strength is 3.0"),
        ({"base": ""}, "either a fine-tune and its base, or a LoRA"),
        ({"title": "a\0"}, "title holds a NUL character"),
        ({"fine_tuned": "x" * 200_000}, "fine-tuned has 200,013 characters"),
    ],
)
def test_what_makes_no_sense_is_no_job(app, more: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        start_merge(app, wish(**more))
    assert app.jobs.jobs() == []
