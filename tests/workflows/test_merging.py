"""A merge as a job: what it makes, what it says meanwhile, and that it can be stopped."""

import pytest
from rf_app.workflows import merging

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.progress import progress
from rf_app.plugins.deltas import Options
from rf_app.registry.models import Registry
from tests.jobs.test_queue import database, until  # noqa: F401


def options(**more) -> Options:
    return Options("tiny-2rf", "merged", **{"fine_tuned": "tiny-sd", "base": "tiny-sd"} | more)


def test_it_says_how_many_tensors_are_done(tiny_registry: Registry) -> None:
    *said, folder = merging.merge_model(tiny_registry, options())
    last = [each for each in said if each][-1]
    assert last.text == f"Adding, {last.done} of {last.of} tensors"
    assert folder == tiny_registry.folder("merged")


def test_as_a_job(tiny_registry: Registry, database) -> None:  # noqa: F811
    job = merging.start(database, tiny_registry, options(title="-a title"))
    for id in ("tiny-2rf", "tiny-sd", "merged"):
        with pytest.raises(UserError, match=f"Job {job.id} needs '{id}'"):
            queue.check_unused(database, id)
    with pytest.raises(UserError, match="about to make 'merged'"):
        merging.start(database, tiny_registry, options())
    until(lambda: not database.job(job.id).under_way)
    assert database.job(job.id).state == "done", database.job(job.id).said
    assert tiny_registry.card("merged").title == "-a title"
    assert "tensors" not in progress(database, database.job(job.id)).text
    with pytest.raises(UserError, match="already a model 'merged'"):
        merging.start(database, tiny_registry, options())


def test_a_job_that_is_stopped_leaves_no_model_and_can_be_resumed(tiny_registry, database) -> None:  # noqa: F811
    job = merging.start(database, tiny_registry, options())
    queue.stop(database, job.id)
    until(lambda: not database.job(job.id).under_way)
    if database.job(job.id).state == "stopped":  # it may have been quicker
        assert "merged" not in [card.id for card in tiny_registry.cards()]
        queue.resume(database, job.id)
    until(lambda: database.job(job.id).state == "done")
    assert tiny_registry.card("merged").base_model == "tiny-2rf"


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"strength": 3.0}, "strength is 3.0"),
        ({"base": ""}, "either a fine-tune and its base, or a LoRA"),
        ({"title": "a\0"}, "title holds a NUL character"),
        ({"fine_tuned": "x" * 200_000}, "fine-tuned has 200,000 characters"),
    ],
)
def test_what_makes_no_sense_is_no_job(tiny_registry, database, more: dict, said: str) -> None:  # noqa: F811
    with pytest.raises(UserError, match=said):
        merging.start(database, tiny_registry, options(**more))
    assert database.jobs() == []
