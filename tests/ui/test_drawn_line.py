"""The bundled ControlNet on the page: draw a line, see the mountain follow it."""

import pytest

from rf_app.metrics.edges import canny, edge_recall
from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import BUNDLED, Registry
from rf_app.workflows.generate import Studio
from tests.browser import served, visiting
from tests.ui.test_control_panel import MAP, ON, changed, decoded, drawn, open_panel, picture, pixels
from tests.ui.test_page import ask, shows
from trainers.evaluate_controlnet import SOFT

PROMPT = "a snowy mountain under sunshine"
RIDGES = (
    [(0, 0.7), (0.3, 0.25), (0.5, 0.6), (0.7, 0.35), (0.97, 0.62)],
    [(0, 0.45), (0.25, 0.6), (0.55, 0.2), (0.8, 0.6), (0.97, 0.5)],
    [(0.05, 0.62), (0.5, 0.15), (0.95, 0.62)],
)


@pytest.fixture
def visitor(browser):
    """A visitor of a page on the bundled models."""
    worker = Worker(Registry([BUNDLED]), "cpu")
    studio = Studio(worker.registry, worker)
    with served(studio) as address, visiting(browser, address) as visitor:
        yield visitor
    worker.close()


def test_the_mountain_follows_a_drawn_line(visitor):
    visitor.get_by_label("Keep the seed").check()
    ask(visitor, PROMPT)
    shows(visitor, PROMPT)
    plain = picture(visitor)
    open_panel(visitor)
    for ridge in RIDGES:
        drawn(visitor, *ridge)
        changed(visitor, plain)
        visitor.uncheck(ON)
        assert picture(visitor) == plain
        visitor.check(ON)
        followed = changed(visitor, plain)
        line = pixels(visitor.locator(MAP))[..., 0] > 0
        before, after = (edge_recall(line, canny(decoded(each), *SOFT)) for each in (plain, followed))
        print(f"share of the line with an edge: {before:.2f} without, {after:.2f} with")
        assert after > before + 0.15
        assert after > 0.6
        visitor.locator("#control-1-sketch .clear").click()
        assert picture(visitor) == plain
