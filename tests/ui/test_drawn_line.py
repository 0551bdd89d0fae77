"""The bundled ControlNet on the page: draw a line, see the mountain follow it."""

import pytest
from playwright.sync_api import expect

from rf_app.metrics.edges import canny, edge_f1
from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import BUNDLED, Registry
from rf_app.workflows.generate import Studio
from tests.browser import served, visiting
from tests.ui.test_control_panel import MAP, ON, changed, decoded, open_panel, picture, pixels, stroke
from tests.ui.test_page import ask, shows

PROMPT = "a snowy mountain under sunshine"
LOW, HIGH = 30, 60  # a sky and a mountain of one step meet more softly than drawn ones


@pytest.fixture
def visitor(browser):
    """A visitor of a page on the bundled models."""
    worker = Worker(Registry([BUNDLED]), "cpu")
    studio = Studio(worker.registry, worker)
    with served(studio) as address, visiting(browser, address) as visitor:
        yield visitor
    worker.close()


@pytest.mark.xfail(reason="the one-step model does not follow a single line: see the README")
def test_the_mountain_follows_a_drawn_line(visitor):
    visitor.get_by_label("Keep the seed").check()
    ask(visitor, PROMPT)
    shows(visitor, PROMPT)
    plain = picture(visitor)
    open_panel(visitor)
    gains = []
    for ridge in (
        [(0, 0.7), (0.3, 0.25), (0.5, 0.6), (0.7, 0.35), (1, 0.65)],
        [(0, 0.45), (0.25, 0.6), (0.55, 0.2), (0.8, 0.6), (1, 0.5)],
    ):
        stroke(visitor, *ridge)
        expect(visitor.locator(MAP)).to_be_visible()
        visitor.uncheck(ON)
        expect(visitor.locator("#stage img")).to_have_attribute("src", plain)
        visitor.check(ON)
        followed = changed(visitor, plain)
        line = pixels(visitor.locator(MAP))[..., 0] > 0
        scores = [edge_f1(line, canny(decoded(each), LOW, HIGH)) for each in (plain, followed)]
        print(f"F1 with the drawn line: {scores[0]:.3f} without, {scores[1]:.3f} with")
        gains.append(scores[1] - scores[0])
        visitor.locator("#control-1-sketch .clear").click()
        expect(visitor.locator("#stage img")).to_have_attribute("src", plain)
    assert min(gains) > 0.1
