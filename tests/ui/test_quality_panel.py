"""Quality and cost as a person uses it, in headless Chromium; and what it makes of cards."""

import pytest
from playwright.sync_api import expect

from rf_app.actions.measure import Figures
from rf_app.metrics.judge import Judge
from rf_app.ui.compare.quality import known
from rf_app.ui.parts.colours import colour_of
from tests.settled import settled

pytestmark = pytest.mark.usefixtures("tiny_pictures_are_judged")

WAY, RESULT = "#quality-way", "#quality-result"
ROWS = [
    Figures("one", "<b>One", 1, 1.0, 29.0, 0.962, 0.038, 2000),
    Figures("sd", "Pocket SD", 1, 3.0, 900.0, 0.31, 0.05, 2000),
    Figures("sd", "Pocket SD", 25, 3.0, 18.0, 0.991, 0.95, 2000),
]


@pytest.fixture
def panel(page):
    """The panel, opened; the tiny models' cards carry no figures."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("tab", name="Quality and cost").click()
    expect(page.locator("#quality-run")).to_be_visible()
    settled(page)
    return page


def test_the_cards_figures_are_shown_in_charts_words_and_table(browser):
    page = browser.new_page()
    page.set_content(known(ROWS))
    titles = page.locator(".chart figcaption")
    expect(titles).to_contain_text(
        [f"({figure}), by {why}" for figure in ("fidelity", "FID") for why in ("steps", "time")]
    )
    expect(page.locator(".lead")).to_contain_text("<b>One at one step shows 96.2%")
    expect(page.locator("tbody tr")).to_have_count(3)
    expect(page.locator("tbody tr").last).to_have_text("Pocket SD25" + "399.1%18.0950 ms2,000 prompts")
    for chart in page.locator(".chart").all():
        assert chart.locator("circle").count() == 3
        assert chart.locator("polyline").last.get_attribute("points").count(",") == 2
    tips = page.locator(".chart").first.locator(f".{colour_of('sd').replace(' ', '.')} circle")
    expect(tips.last).to_have_attribute("data-tip", "Pocket SD, 25 steps: fidelity 99.1%, FID 18.0, 950 ms")
    page.close()


def test_cards_without_figures_say_how_to_get_some(panel):
    expect(panel.locator("#quality-known")).to_contain_text("No model carries measured figures yet")


def test_a_model_is_measured_on_the_spot(panel):
    panel.get_by_text("32", exact=True).click()
    panel.locator("#quality-run").click()
    settled(panel)
    expect(panel.locator(f"{RESULT} h4")).to_have_text("Tiny Instaflow1 step, guidance 1, 32 pictures")
    expect(panel.locator(f"{RESULT} .figures")).to_contain_text("32 of those get")
    expect(panel.locator(f"{RESULT} li")).to_have_count(len(Judge.load().kinds))
    expect(panel.locator(f"{WAY} .way")).to_have_count(0)


def test_a_measurement_shows_its_progress_and_stops(panel):
    panel.locator("#quality-model input").click()
    panel.get_by_role("option", name="Tiny Sd").click()
    settled(panel)
    steps = panel.locator("#quality-steps input[type=number]")
    expect(steps).to_have_value("4")
    steps.fill("100")
    panel.get_by_text("256", exact=True).click()
    panel.locator("#quality-run").click()
    expect(panel.locator(WAY)).to_contain_text("of 256 pictures, fidelity so far")
    expect(panel.locator(WAY)).to_contain_text("left")
    panel.locator("#quality-stop").click()
    expect(panel.locator(WAY)).to_contain_text("Stopped.")
    expect(panel.locator(f"{RESULT} h4")).to_have_count(0)
