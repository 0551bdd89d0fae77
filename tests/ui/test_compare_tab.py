"""The Compare tab as a person uses it, in headless Chromium: side by side, sent settings."""

import json
import re
import shutil

import pytest
from playwright.sync_api import expect

from rf_app.actions import application
from rf_app.actions.generate import Generate, generate
from rf_app.actions.run import results
from rf_app.pipeline.checking import check
from rf_app.pipeline.pace import Pace
from rf_app.settings.picture import PictureSettings
from tests.browser import arrived, visiting
from tests.settled import answered, settled
from tests.ui.compare_tab import DONE, PROMPT, open_compare
from tests.ui.conftest import EXAMPLES


def test_opened_for_the_first_time_it_shows_a_comparison_with_the_speed_up(page):
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(DONE)).to_have_count(2)
    expect(page.locator("#compare-headline")).to_contain_text(re.compile("faster|Equally fast"))
    captions = page.locator(".side-picture.done figcaption")
    expect(captions.nth(0)).to_contain_text("4 steps, DPM-Solver++")
    expect(captions.nth(1)).to_contain_text("1 step, Euler")
    expect(page.locator("#compare-stop")).to_be_hidden()


def test_a_slow_picture_waits_to_be_asked_for(page, app, monkeypatch):
    pace = Pace()
    sd = check(PictureSettings("a lake", "tiny-sd"), app.registry.card("tiny-sd"))
    pace.note(sd, 96 * 96, 88.0, 2.0)
    monkeypatch.setattr(application, "LIVE", 60.0)
    monkeypatch.setattr(app.worker, "pace", pace)
    page.get_by_role("tab", name="Compare").click()
    settled(page)
    expect(page.locator("#side-1 .blank")).to_have_text("A picture takes about 90.0 s here: press Compare")
    expect(page.locator("#side-2").locator(DONE)).to_be_visible()
    page.get_by_role("tab", name="Path (trajectory)").click()
    expect(page.locator("#trajectory-way")).to_contain_text("here: press Follow the path")
    expect(page.locator("#trajectory .strips")).to_have_count(0)
    page.get_by_role("tab", name="Side by side").click()
    page.click("#compare-go")
    expect(page.locator(DONE)).to_have_count(2)


def test_a_reload_brings_the_form_back_and_draws_nothing_unasked(page):
    open_compare(page)
    page.click("#compare-more")
    settled(page)
    page.fill(PROMPT, "a red tent")
    page.locator("#side-3-steps input[type=number]").fill("3")
    settled(page)
    page.reload()  # which opens the same tab again
    arrived(page)
    expect(page.locator(PROMPT)).to_be_visible()
    expect(page.locator(PROMPT)).to_have_value("a red tent")
    expect(page.locator("#side-3-steps input[type=number]")).to_have_value("3")
    expect(page.locator("#side-4")).to_have_count(0)
    expect(page.locator(DONE)).to_have_count(0)
    page.click("#compare-go")
    expect(page.locator(DONE)).to_have_count(3)


def test_the_pictures_are_those_of_the_generate_tab(page, app):
    open_compare(page)
    page.locator("#compare-lock input").check()
    page.fill(PROMPT, "a red tent")
    page.click("#compare-go")
    settled(page)
    images = page.locator(DONE)
    expect(images.nth(0)).to_have_attribute("alt", "a red tent")
    expect(images.nth(1)).to_have_attribute("alt", "a red tent")
    seed = int(images.nth(0).get_attribute("data-seed"))
    for i, model in enumerate(("tiny-sd", "tiny-instaflow")):
        (alone,) = results(generate(app, Generate(PictureSettings("a red tent", model, seed=seed))))
        shown = page.evaluate(
            "async (src) => [...new Uint8Array(await (await fetch(src)).arrayBuffer())]",
            images.nth(i).get_attribute("src"),
        )
        assert bytes(shown) == alone.png


def test_a_new_wish_ends_the_one_under_way_and_enter_draws_another_seed(page, hold):
    open_compare(page)
    let_go = hold()
    page.fill(PROMPT, "a lake")
    page.press(PROMPT, "Enter")
    expect(page.locator("#sides")).to_contain_text("Waiting for its turn…")
    page.fill(PROMPT, "a red tent")
    page.press(PROMPT, "Enter")
    let_go()
    settled(page)
    for i in range(2):
        expect(page.locator(DONE).nth(i)).to_have_attribute("alt", "a red tent")
    seeds = {image.get_attribute("data-seed") for image in page.locator(DONE).all()}
    assert seeds == {page.locator("#compare-seed input").input_value()}
    page.press(PROMPT, "Enter")
    settled(page)
    expect(page.locator(DONE)).to_have_count(2)
    expect(page.locator(DONE).first).not_to_have_attribute("data-seed", seeds.pop())


def test_a_wish_held_up_on_its_way_does_not_end_the_next(page):
    open_compare(page)
    held = []
    page.route(
        "**/queue/join*",
        lambda route: held.append(route) if "a lake" in route.request.post_data else route.continue_(),
    )
    page.fill(PROMPT, "a lake")
    with page.expect_request(lambda request: "a lake" in (request.post_data or "")):
        page.press(PROMPT, "Enter")
    page.fill(PROMPT, "a red tent")
    page.press(PROMPT, "Enter")
    for i in range(2):
        expect(page.locator(DONE).nth(i)).to_have_attribute("alt", "a red tent")
    held[0].continue_()
    settled(page)
    for i in range(2):
        expect(page.locator(DONE).nth(i)).to_have_attribute("alt", "a red tent")


def test_stop_says_so_and_the_next_wish_is_served(page, hold):
    open_compare(page)
    let_go = hold()
    page.click("#compare-go")
    with answered(page):
        page.click("#compare-stop")
    let_go()
    expect(page.locator("#sides")).to_contain_text("Stopped")
    expect(page.locator("#compare-stop")).to_be_hidden()
    page.click("#compare-go")
    expect(page.locator(DONE)).to_have_count(2)


def test_columns_come_and_go_and_each_has_its_own_settings(page):
    open_compare(page)
    page.click("#compare-more")
    settled(page)
    expect(page.locator(".side:visible")).to_have_count(3)
    page.locator("#side-3").get_by_text("Advanced").click()
    page.locator("#side-3").get_by_label("How it steps (solver)").click()
    page.get_by_role("option", name="Heun").click()
    page.locator("#side-3").get_by_label("number input for Steps").fill("2")
    page.click("#compare-go")
    expect(page.locator("#side-3 figcaption")).to_contain_text("2 steps, Heun")
    page.click("#compare-fewer")
    expect(page.locator(".side:visible")).to_have_count(2)


def test_the_handle_uncovers_the_second_picture(page):
    open_compare(page)
    handle = page.locator(".over input")
    width = handle.bounding_box()["width"]
    handle.click(position={"x": width * 0.2, "y": width * 0.4})
    at = page.locator(".over").evaluate("element => parseFloat(element.style.getPropertyValue('--at'))")
    assert 15 < at < 25


def test_an_empty_prompt_is_named_and_the_page_stays_alive(page):
    open_compare(page)
    page.fill(PROMPT, " ")
    page.click("#compare-go")
    settled(page)
    expect(page.locator(".toast-body")).to_contain_text("The prompt is empty")
    page.fill(PROMPT, '"><img src=x onerror="hacked=1">')
    page.click("#compare-go")
    settled(page)
    expect(page.locator(DONE)).to_have_count(2)
    assert page.evaluate("typeof hacked") == "undefined"


def test_a_picture_goes_from_tab_to_tab_with_its_settings(page):
    page.get_by_role("button", name="Tent").click()
    settled(page)
    expect(page.locator("#stage img")).to_have_attribute("alt", EXAMPLES[1][1])
    before = page.locator("#stage img").get_attribute("src")
    page.locator("#stage").get_by_role("button", name="Compare").click()
    expect(page.locator("#side-2 .done img")).to_be_visible()
    settled(page)
    expect(page.locator("#side-2 .done img")).to_have_attribute("alt", EXAMPLES[1][1])
    assert page.locator("#side-2 .done img").get_attribute("src") == before
    expect(page.locator("#compare-seed input")).to_have_value(str(EXAMPLES[1][2]))
    teacher = page.locator("#side-1 .done img")
    expect(teacher).to_have_attribute("alt", EXAMPLES[1][1])
    source = teacher.get_attribute("src")
    page.locator("#side-1").get_by_role("button", name="Open in Generate").click()
    settled(page)
    expect(page.locator("#stage img")).to_have_attribute("src", source)
    expect(page.locator("#model input")).to_have_value("Tiny Sd")
    expect(page.locator("#lock input")).to_be_checked()


def test_forged_settings_do_no_harm(page):
    for settings, message in (
        ({"prompt": "a lake", "model": "tiny-sd", "steps": 10_000}, "steps is 10000"),
        ({"prompt": ["a"], "model": "tiny-sd"}, "prompt is ['a']"),
        ({"prompt": "<img src=x onerror=hacked=1>", "model": "../../<b>etc", "solver": "x"}, "<b>etc"),
    ):
        page.evaluate(
            """(settings) => {
                const button = document.createElement("button");
                button.dataset.send = "generate";
                button.dataset.settings = settings;
                document.body.append(button);
                button.click();
            }""",
            json.dumps(settings),
        )
        settled(page)
        expect(page.locator(".toast-body", has_text=message)).to_be_visible()
        assert page.evaluate("typeof hacked") == "undefined"


def test_two_windows_do_not_mix(page, browser, url, hold):
    """Each has its own words, and Stop in one is nothing to the other."""
    with visiting(browser, url) as other:
        open_compare(page)
        open_compare(other)
        let_go = hold()
        for visitor, text in ((page, "a mountain"), (other, "a red tent")):
            visitor.fill(PROMPT, text)
            visitor.click("#compare-go")
            expect(visitor.locator("#sides")).to_contain_text("Waiting for its turn…")
        with answered(other):
            other.click("#compare-stop")
        let_go()
        expect(other.locator("#sides")).to_contain_text("Stopped")
        settled(page)
        for i in range(2):
            expect(page.locator(DONE).nth(i)).to_have_attribute("alt", "a mountain")
        other.click("#compare-go")
        settled(other)
        for i in range(2):
            expect(other.locator(DONE).nth(i)).to_have_attribute("alt", "a red tent")
            expect(page.locator(DONE).nth(i)).to_have_attribute("alt", "a mountain")


@pytest.fixture
def newcomer(app):
    """Call it, and there is one more model; gone afterwards."""
    folder = app.registry.folder("tiny-instaflow")
    new = folder.with_name("newcomer")

    def publish():
        hidden = folder.with_name(".newcomer")
        shutil.copytree(folder, hidden)
        card = (hidden / "README.md").read_text()
        (hidden / "README.md").write_text(card.replace("Tiny Instaflow", "The Newcomer"))
        hidden.rename(new)

    yield publish
    shutil.rmtree(new, ignore_errors=True)


def test_a_model_made_while_the_page_is_open_can_be_chosen_everywhere(page, newcomer):
    open_compare(page, "Path (trajectory)")
    newcomer()
    page.get_by_role("tab", name="Interpolate").click()
    page.locator("#between-model input").click()
    expect(page.get_by_role("option", name="The Newcomer")).to_be_visible()
    page.keyboard.press("Escape")
    open_compare(page, "Path (trajectory)")
    page.locator("#trajectory-models input").click()
    expect(page.get_by_role("option", name="The Newcomer")).to_be_visible()
    page.keyboard.press("Escape")
    page.get_by_role("tab", name="Quality and cost").click()
    page.locator("#quality-model input").click()
    expect(page.get_by_role("option", name="The Newcomer")).to_be_visible()


def test_nothing_sticks_out_on_any_screen(page):
    def fits():
        for width in (1440, 390):
            page.set_viewport_size({"width": width, "height": 844})
            settled(page)
            assert page.evaluate("document.documentElement.scrollWidth") <= width

    open_compare(page)
    fits()
    page.get_by_role("tab", name="Grid").click()
    page.get_by_role("button", name="What steps change").click()
    expect(page.locator(".cells figure img")).to_have_count(10)
    fits()
