"""The Generate tab in a test's hands: typing, choosing, dropping files on it, and what it shows then."""

import base64

from playwright.sync_api import expect

from tests.settled import settled
from tests.ui.conftest import EXAMPLES

IMAGE = "#stage img"
PROMPT = "#prompt textarea"
FIRST_PROMPT, FIRST_SEED = EXAMPLES[0][1:]


def number(page, name):
    """The number field of a setting."""
    return page.locator(f"#{name} input[type=number]")


def ask(page, text):
    """Type a prompt, press Enter, and wait until both have been answered."""
    page.fill(PROMPT, text)
    page.press(PROMPT, "Enter")
    settled(page)


def shows(page, text):
    """The picture at the end of all that was asked for is one of this prompt."""
    settled(page)
    expect(page.locator(IMAGE).first).to_have_attribute("alt", text)


def choose(page, title):
    """Choose a model in the list."""
    page.click("#model input")
    page.get_by_role("option", name=title).click()
    settled(page)


def drop(page, name, content):
    """Drop a file on the page."""
    transfer = page.evaluate_handle(
        """([name, content]) => {
            const bytes = Uint8Array.from(atob(content), (c) => c.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], name, { type: "image/png" }));
            return transfer;
        }""",
        [name, base64.b64encode(content).decode()],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def download(page):
    """The bytes of the first picture's Save link."""
    with page.expect_download() as download:
        page.locator("#stage .save").first.click()
    return download.value.suggested_filename, download.value.path().read_bytes()
