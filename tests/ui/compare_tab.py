"""The Compare tab in a test's hands."""

from playwright.sync_api import expect

from tests.settled import settled

PROMPT = "#compare-prompt textarea"
DONE = ".side-picture.done img"


def open_compare(page, panel="Side by side"):
    """Open the panel; Compare's first comparison is over then."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("tab", name=panel).click()
    expect(page.locator(DONE)).to_have_count(2)
    settled(page)
