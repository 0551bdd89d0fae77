"""Who leaves takes the work along: the next visitor waits for the step under way, whatever was asked for."""

import json
import urllib.request

from gradio_client import Client
from playwright.sync_api import expect

from tests.settled import settled, until
from tests.ui.conftest import answering
from tests.ui.generate_tab import PROMPT, ask, choose, number, shows

WISH = {"prompt": "a lake", "model": "tiny-sd", "steps": 100, "guidance": 1, "seed": 0, "count": 16}


def begun(gate):
    """Wait until the first step is made, and the answer is under way."""
    gate.under_way()
    until(answering)


def gone():
    """Wait until the server has seen that nobody waits any more."""
    until(lambda: not answering())


def test_a_program_that_hangs_up(url, gate):
    """By plain HTTP: the answer's stream is closed in the middle."""
    body = json.dumps({"data": [*WISH.values(), "", None, None, None, None, None, None, None]}).encode()
    wish = urllib.request.Request(
        f"{url}gradio_api/call/generate", body, {"Content-Type": "application/json"}
    )
    with urllib.request.urlopen(wish) as answer:
        id = json.load(answer)["event_id"]
    with urllib.request.urlopen(f"{url}gradio_api/call/generate/{id}"):
        begun(gate)
    gone()
    assert gate.steps_after_all() <= 2


def test_a_program_that_cancels(url, gate):
    job = Client(url, verbose=False).submit(**WISH, api_name="/generate")
    begun(gate)
    job.cancel()
    gone()
    assert gate.steps_after_all() <= 2


def begin(page, gate, steps, count):
    """Ask for pictures of tiny-sd, without a step made."""
    gate.open()
    choose(page, "Tiny Sd")
    page.get_by_label("Live").uncheck()
    for name, value in (("steps", steps), ("guidance", 1), ("count", count)):
        number(page, name).fill(str(value))
        number(page, name).press("Tab")
    page.fill(PROMPT, "a red tent")
    settled(page)
    gate.shut()
    page.press(PROMPT, "Enter")


def test_stop_ends_what_still_waits_in_the_browser_too(page, gate):
    begin(page, gate, 100, 1)
    begun(gate)
    page.get_by_label("Live").check()
    page.fill(PROMPT, "a lake")  # it waits for the one under way
    page.click("#stop")
    gate.let(10**6)
    settled(page)
    expect(page.locator("#generate-way")).to_have_text("Stopped.")
    assert page.locator("#stage img").get_attribute("alt") not in ("a lake", "a red tent")


def test_a_tab_that_is_closed(page, gate):
    begin(page, gate, 100, 16)
    begun(gate)
    page.context.close()
    gone()
    assert gate.steps_after_all() <= 2


def test_stop_ends_it_within_a_step_and_says_so(page, gate):
    page.set_viewport_size({"width": 1440, "height": 500})
    begin(page, gate, 100, 16)
    begun(gate)
    expect(page.locator("#generate-way")).to_contain_text("Picture 1 of 16")
    page.evaluate("scrollTo(0, 0)")
    expect(page.locator("#generate-way p")).to_be_in_viewport(ratio=1)
    page.click("#stop")
    expect(page.locator("#generate-way")).to_have_text("Stopped.")
    expect(page.locator("#stop")).to_be_hidden()
    assert gate.steps_after_all() <= 2
    gate.open()
    choose(page, "Tiny Instaflow")
    ask(page, "a mountain")
    shows(page, "a mountain")
    expect(page.locator("#generate-way")).to_have_text("")


def test_pictures_come_one_by_one(page, gate):
    """Those that are finished are on the stage while the others are under way."""
    begin(page, gate, 2, 3)
    gate.let(5)
    expect(page.locator("#stage img")).to_have_count(2)
    expect(page.locator("#generate-way")).to_contain_text("Picture 3 of 3")
    gate.let(1)
    expect(page.locator("#stage img")).to_have_count(3)
    expect(page.locator("#stop")).to_be_hidden()
