"""Renaming, deleting and pushing models, LoRAs and ControlNets."""

from dataclasses import replace

import pytest

from rf_app.actions.collection import thing, things
from rf_app.actions.delete import Delete, delete
from rf_app.actions.push import Push, push, start_push
from rf_app.actions.rename import Rename, rename
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.registry.loras import LoraCard
from tests.jobs.queues import add
from tests.plugins.lora_files import random_lora, write
from tests.settled import until
from tests.tiny import tiny_unet

KEYS = ["tiny-instaflow", "lora/ink", "controlnet/tiny-canny"]


@pytest.fixture
def app(own_app, database, tmp_path):
    """One with a LoRA, whose jobs are the test's own."""
    file = write(tmp_path / "Ink.safetensors", random_lora(tiny_unet(3)))
    own_app.loras.save(file, LoraCard("ink", "Ink"))
    return replace(own_app, jobs=database)


@pytest.mark.parametrize("key", KEYS)
def test_another_title_under_the_same_id(app, key):
    before = thing(app, key).card
    assert results(rename(app, Rename(key, "  My <b>  own "))) == ["My <b> own"]
    assert thing(app, key).card == replace(before, title="My <b> own")
    with pytest.raises(UserError, match="1 to 80 are accepted"):
        results(rename(app, Rename(key, " ")))


@pytest.mark.parametrize("key", KEYS)
def test_what_is_deleted_is_gone_and_nothing_else(app, key):
    others = [each.key for each in things(app) if each.key != key]
    folder = thing(app, key).folder
    results(delete(app, Delete(key)))
    assert [each.key for each in things(app)] == others
    assert not folder.exists()
    with pytest.raises(UserError, match="There is no"):
        results(delete(app, Delete(key)))


def test_what_is_needed_stays(app):
    with pytest.raises(UserError, match="tiny-2rf takes pieces from it"):
        results(delete(app, Delete("tiny-sd")))
    job = add(app.jobs, ("--fail", "ink"))
    with pytest.raises(UserError, match=f"Job {job} needs 'ink'"):
        results(delete(app, Delete("lora/ink")))
    assert thing(app, "lora/ink").folder.is_dir()


@pytest.mark.parametrize(
    "act",
    [
        lambda app: results(rename(app, Rename("lora/ink", "x"))),
        lambda app: results(delete(app, Delete("lora/ink"))),
        lambda app: start_push(app, Push("lora/ink", "somebody/ink")),
    ],
)
def test_strangers_change_nothing(app, act, monkeypatch):
    monkeypatch.setenv("SPACE_ID", "somebody/studio")
    with pytest.raises(UserError, match="is off on this public page"):
        act(app)
    assert thing(app, "lora/ink").card.title == "Ink"
    assert app.jobs.jobs() == []


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Push("lora/ink", "ink"), "'ink' is no name on the Hub: expected OWNER/NAME"),
        (Push("lora/ink", "../../ink"), "is no name on the Hub"),
        (Push("lora/no-such", "somebody/ink"), "There is no LoRA 'no-such'"),
    ],
)
def test_what_cannot_be_pushed(app, wish, said):
    for act in (lambda: results(push(app, wish)), lambda: start_push(app, wish)):
        with pytest.raises(UserError, match=said):
            act()
    assert app.jobs.jobs() == []


def test_a_push_is_a_job_that_says_why_the_hub_has_not_got_it(app, monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("SPACE_ID", "somebody/studio")  # its owner has allowed it on the page
    job = start_push(
        replace(app, permission=replace(app.permission, allowed=True)), Push("lora/ink", "a/ink")
    )
    assert (job.name, job.kind) == ("lora/ink to a/ink", "push")
    until(lambda: not app.jobs.job(job.id).under_way)
    failed = app.jobs.job(job.id)
    assert (failed.state, failed.said[:25]) == ("failed", "It could not be uploaded ")
    queue.delete(app.jobs, job.id)
    assert app.jobs.jobs() == []
