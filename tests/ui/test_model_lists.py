"""Lists of models that follow the registry, on a page of their own."""

import shutil

import pytest
from playwright.sync_api import expect

from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import Registry
from rf_app.ui.page import build, launch_options
from rf_app.workflows.generate import Studio
from tests.tiny import tiny_card, tiny_flow


@pytest.fixture
def own_page(browser, tiny_registry, tmp_path):
    """A visitor of a page whose registry the test may change."""
    worker = Worker(tiny_registry, "cpu")
    app = build(Studio(tiny_registry, worker), tmp_path / "no-examples")
    _, address, _ = app.launch(prevent_thread_lock=True, quiet=True, **launch_options())
    context = browser.new_context(viewport={"width": 1440, "height": 900})
    context.set_default_timeout(60_000)
    expect.set_options(timeout=60_000)
    visitor = context.new_page()
    visitor.goto(address)
    expect(visitor.locator("#stage .total")).to_be_visible()
    yield visitor
    context.close()
    app.close(verbose=False)
    worker.close()


def test_a_model_that_comes_and_goes_is_seen_without_a_reload(own_page, tiny_registry: Registry):
    tiny_registry.publish("newcomer", tiny_flow(6), tiny_card("newcomer", "one-step", 1, 1.0, "tiny-sd"))
    own_page.click("#model input")
    own_page.get_by_role("option", name="Newcomer").click()
    expect(own_page.locator("#model input")).to_have_value("Newcomer")
    own_page.fill("#prompt textarea", "a lake")
    expect(own_page.locator("#stage img")).to_have_attribute("alt", "a lake")
    # A tab that is opened for the first time has it, too.
    own_page.click("#interpolate-tab-button")
    own_page.click("#between-model input")
    expect(own_page.get_by_role("option", name="Newcomer")).to_be_visible()
    own_page.click("#generate-tab-button")
    shutil.rmtree(tiny_registry.folder("newcomer"))
    expect(own_page.locator("#model input")).to_have_value("Tiny Instaflow")
    own_page.click("#model input")
    expect(own_page.get_by_role("option")).to_have_count(3)
