"""What long work says beyond its own line: in the title, as a message, and to who does not see the page."""

from playwright.sync_api import expect

from rf_app.ui.parts.progress_bar import bar, note
from rf_app.ui.parts.script import FOLDER
from tests.ui.test_leaving import begin, begun

# The browser's own messages are seen outside of the page only.
MESSAGES = """window.shown = [];
window.studio = { translated: (text) => text };
window.Notification = class {
  static permission = "default";
  static requestPermission = async () => (Notification.permission = "granted");
  constructor(title, { body }) { shown.push(`${title}: ${body}`); }
};"""


def test_it_tells_how_far_it_is_and_who_asked_for_it_that_it_is_over(browser):
    script = (FOLDER / "parts/progress.js").read_text(encoding="utf-8")
    page = browser.new_page()
    page.clock.install()
    page.set_content(f"<title>x</title><body><main></main><script>{MESSAGES}{script}</script></body>")

    def line(html):
        page.evaluate("html => (document.querySelector('main').innerHTML = html)", html)

    def after(milliseconds, html):
        page.clock.run_for(milliseconds)
        line(html)

    said, ask = page.locator("#said"), page.locator("#tell-me")
    line(f'<div class="way">{bar(0.1)}<p>Picture 1</p></div>')
    after(1000, note("Done."))
    page.clock.run_for(1500)
    assert "%" not in page.title()  # too short to be told
    expect(said).to_have_text("Done.")

    line(f'<div class="way">{bar(0.1)}<p>Picture 1</p></div>')
    for share in (0.3, 0.31, 0.42):  # Gradio writes over the same bar
        page.clock.run_for(2100)
        page.evaluate(f"document.querySelector('[aria-valuenow]').ariaValueNow = {100 * share:.0f}")
        assert page.title() == f"{100 * share:.0f} % · InstaFlow Studio"
        page.clock.run_for(1000)
        expect(said).to_have_text("25 %")  # and no more until it is half
    expect(ask).to_be_visible()
    ask.click()
    expect(ask).to_have_count(0)
    page.evaluate("Object.defineProperty(document, 'hidden', { get: () => true, configurable: true })")
    after(100, note("Stopped."))
    page.clock.run_for(1500)
    assert page.title() == "Done · InstaFlow Studio"
    assert page.evaluate("shown") == ["InstaFlow Studio: The work you asked for is over."]
    expect(said).to_have_text("Stopped.")
    page.evaluate("document.querySelector('.way p').firstChild.data = 'Done.'")
    page.clock.run_for(1500)
    expect(said).to_have_text("Done.")
    page.evaluate("delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))")
    assert page.title() == "InstaFlow Studio"
    page.close()


def test_the_page_has_such_lines_and_says_what_made_a_picture(page, gate):
    expect(page.locator("#said")).to_contain_text("Tiny Instaflow · 1 step")
    begin(page, gate, 100, 2)
    begun(gate)
    expect(page.get_by_role("progressbar", name="Progress")).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press("Escape")
    expect(page.locator("#generate-way")).to_have_text("Stopped.")
    expect(page.locator("#said")).to_have_text("Stopped.")
