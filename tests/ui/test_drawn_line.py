"""The bundled ControlNet on the page: draw a line, see the mountain follow it."""

import pytest

from rf_app.actions.application import Application
from rf_app.metrics.edges import canny, edge_recall
from rf_app.registry.models import BUNDLED, Registry
from tests.browser import served, visiting
from tests.ui.generate_tab import ask, shows
from tests.ui.test_control_panel import MAP, ON, changed, decoded, drawn, open_panel, picture, pixels
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
    app = Application.on(Registry([BUNDLED]), "cpu")
    with served(app) as address, visiting(browser, address) as visitor:
        yield visitor
    app.worker.close()


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
