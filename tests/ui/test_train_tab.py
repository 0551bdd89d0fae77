"""The Train tab as a person uses it, in headless Chromium, on a server that is killed and started again."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import Page, expect

from rf_app.actions.application import Application
from rf_app.actions.examples import FOLDER
from rf_app.jobs import events
from rf_app.jobs.database import Database
from rf_app.jobs.job import Job
from rf_app.jobs.processes import find
from rf_app.registry.models import Registry
from rf_app.registry.permission import Permission
from rf_app.ui.page import build
from tests.browser import arrived
from tests.jobs.queues import add, execute, kill_all
from tests.server import Server
from tests.settled import settled, watch


class TrainingServer(Server):
    """A page whose trainer is held where a test wants it."""

    def held_trainer(self) -> psutil.Process:
        """The process of the job under way, held as soon as it trains: its first stage makes pairs."""
        while True:
            job = self.jobs.jobs()[0]
            assert job.under_way, job.said
            if job.stage == len(job.stages) - 1 and self._events(job) > 1:
                trainer = find(job.pid, self.jobs.job_folder(job.id))
                trainer.suspend()
                return trainer
            time.sleep(0.02)

    def get_on(self, trainer: psutil.Process) -> None:
        """Let the trainer take a few steps, and hold it again: it cannot finish, however slow the page is."""
        job = self.jobs.jobs()[0]
        before = self._events(job)
        trainer.resume()
        while self._events(job) == before:
            time.sleep(0.02)
        trainer.suspend()

    @staticmethod
    def _events(job: Job) -> int:
        return max(len(events.read(Path(loop.run))) for loop in job.stages[-1].loops)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator:
    """Starts servers; what they started ends with the test."""
    servers: list[TrainingServer] = []

    def start(models: Path | None) -> TrainingServer:
        servers.append(TrainingServer(tmp_path, models))
        return servers[-1]

    yield start
    for server in servers:
        server.kill()
    kill_all(tmp_path)


@pytest.fixture
def visit(browser) -> Iterator:
    """Opens the Train tab of a server for a new visitor."""
    contexts = []

    def go(server: Server) -> Page:
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        watch(context)
        context.set_default_timeout(600_000)  # a training gives way to everything else
        expect.set_options(timeout=600_000)
        contexts.append(context)
        page = context.new_page()
        page.goto(server.url)
        arrived(page)
        page.get_by_role("tab", name="Train").click()
        settled(page)
        return page

    yield go
    for context in contexts:
        context.close()


def journey(page: Page, server: Server, visit, teacher: str, numbers: dict[str, int]) -> None:
    """Start, see the curve, kill the server, see it go on, stop, resume, finish, draw with the new model."""
    page.get_by_role("radio", name="One step, at once").check(force=True)
    settled(page)  # a field that just appeared is given its first value a moment later
    expect(page.locator("#train-distill-l2_steps")).to_be_visible()
    expect(page.locator("#train-teacher input")).to_have_value("Pocket 2-RF")
    page.locator("#train-teacher input").click()
    page.get_by_role("option", name=teacher).click()
    settled(page)
    page.fill("#train-name input", "Mine <b>")
    for field, value in numbers.items():
        page.fill(f"#train-{field} input", str(value))
        page.locator(f"#train-{field} input").blur()
    expect(page.locator("#train-estimate")).to_contain_text("a guess, until a first job was measured")
    settled(page)
    page.click("#train-start")
    expect(page.locator(".jobs li.running")).to_contain_text("Mine <b>")
    asked = {field.replace("-", ".", 1): value for field, value in numbers.items()}
    assert server.jobs.jobs()[0].wish.settings.items() >= asked.items()

    trainer = server.held_trainer()
    expect(page.locator("#train-charts polyline").first).to_be_visible()
    server.kill()
    assert trainer.is_running()
    server.start()
    page = visit(server)
    expect(page.locator(".jobs li.running")).to_contain_text("Mine <b>")
    before = page.locator("#train-head .way p").inner_text()
    server.get_on(trainer)
    expect(page.locator("#train-head .way p")).not_to_have_text(before)

    page.locator("[data-act=stop]").click()
    expect(page.locator("[data-act=stop]")).to_have_text("Stopping…")
    trainer.resume()
    expect(page.locator(".jobs li.stopped")).to_be_visible()
    assert not trainer.is_running()
    page.locator("[data-act=resume]").click()
    expect(page.locator(".jobs li.done")).to_be_visible()
    expect(page.locator(".progress-strip img")).to_be_visible()

    page.get_by_role("button", name="Open in Generate").click()
    expect(page.locator("#model input")).to_have_value("Mine <b>")
    expect(page.locator("#stage .total")).to_be_visible()


@pytest.mark.slow
@pytest.mark.timeout(1200)  # six processes import PyTorch one after the other
def test_a_training_outlives_the_server_is_stopped_resumed_and_draws(
    serve, visit, tiny_registry: Registry
) -> None:
    server = serve(tiny_registry.folders[0])
    page = visit(server)
    page.fill("#train-pairs-count input", "32")
    expect(page.locator("#train-estimate .problem")).to_contain_text("is 32; it must be at least 48")
    page.fill("#train-pairs-count input", "48")
    page.fill("#train-name input", "tiny 2rf")
    expect(page.locator("#train-estimate .problem")).to_contain_text("There is already 'tiny-2rf'")
    page.click("#train-start")
    expect(page.get_by_text("choose another name").last).to_be_visible()
    assert server.jobs.jobs() == []
    journey(
        page, server, visit, "Tiny 2Rf", {"pairs-count": 48, "distill-l2_steps": 24, "distill-lpips_steps": 0}
    )
    card = Registry([tiny_registry.folders[0]]).card("mine-b")
    assert (card.title, card.kind, card.lineage[-1]) == ("Mine <b>", "one-step", "tiny-2rf")

    # Compare with the teacher: one click.
    page = visit(server)
    page.get_by_role("button", name="Compare with the teacher").click()
    expect(page.locator("#side-1 input").first).to_have_value("Tiny 2Rf")
    expect(page.locator("#side-2 input").first).to_have_value("Mine <b>")

    # It goes on for four steps, as another model.
    page.get_by_role("tab", name="Train").click()
    page.get_by_text("Go on…").click()
    page.fill(".more input", "4")
    page.locator("[data-act=lengthen]").click()
    expect(page.locator(".jobs li.done")).to_have_count(2)
    longer = Registry([tiny_registry.folders[0]]).card("mine-b-2")
    assert (longer.title, longer.settings["l2_steps"]) == ("Mine <b> 2", 28)
    page.get_by_text("Delete…").click()
    page.locator("[data-act=delete]").click()
    expect(page.locator(".jobs li.done")).to_have_count(1)

    # Its settings into the form, and away with it.
    page.locator("[data-act=copy]").click()
    expect(page.locator("#train-name input")).to_have_value("Mine <b> 3")
    expect(page.locator("#train-distill-l2_steps input")).to_have_value("24")
    page.get_by_text("Delete…").click()
    page.locator("[data-act=delete]").click()
    expect(page.locator(".job-empty")).to_be_visible()
    assert not server.jobs.job_folder(1).exists()
    assert "mine-b" in [card.id for card in Registry([tiny_registry.folders[0]]).cards()]


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_two_minute_pocket_distillation(serve, visit) -> None:
    server = serve(None)
    journey(visit(server), server, visit, "Pocket 2-RF", {})


def test_a_look_takes_no_job_back_that_was_chosen_meanwhile(app: Application, tmp_path: Path) -> None:
    jobs = Database(tmp_path / "jobs")
    first, second = add(jobs), add(jobs, output="y")
    execute(jobs, "UPDATE job SET state = 'stopped'")
    page = build(replace(app, jobs=jobs), FOLDER)
    (look, *_) = (
        event.fn
        for event in page.fns.values()
        if any(getattr(each, "elem_id", "") == "train-jobs" for each in event.outputs)
    )

    def chosen(id: int) -> list[int]:
        return [value for part, value in look({}, id).items() if value in (first, second)]

    assert chosen(first) == chosen(second) == []
    assert len(chosen(99)) == 1  # it is gone


def test_a_public_space_does_not_train_until_its_owner_says_so(
    app: Application, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither its buttons are there nor the endpoints behind them."""
    monkeypatch.setenv("SPACE_ID", "somebody/studio")

    def ids(permission: Permission) -> set[str]:
        page = build(replace(app, permission=permission), tmp_path)
        return {part["props"].get("elem_id") for part in page.get_config_file()["components"]}

    closed, opened = ids(Permission()), ids(Permission(allowed=True))
    assert "train-closed" in closed
    assert not closed & {"train-start", "sent-train"}
    assert opened >= {"train-start", "sent-train"}
