"""The page as a person uses it, in headless Chromium."""

import base64
import json
import re
from io import BytesIO
from zipfile import ZipFile

import pytest
from gradio import Blocks
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect

from rf_app.actions import application
from rf_app.pipeline.checking import check
from rf_app.pipeline.pace import Pace
from rf_app.pipeline.png import read_png_settings
from rf_app.registry.refiner import refiner_folder
from rf_app.settings.picture import PictureSettings
from tests.browser import arrived, visiting
from tests.settled import settled, watch
from tests.tiny import save_tiny_refiner
from tests.ui.conftest import EXAMPLES
from tests.ui.generate_tab import (
    FIRST_PROMPT,
    FIRST_SEED,
    IMAGE,
    PROMPT,
    ask,
    choose,
    download,
    drop,
    number,
    shows,
)


def test_it_opens_with_a_picture_and_asks_nobody_else(browser, url):
    context = browser.new_context()
    watch(context)
    page = context.new_page()
    asked, failed = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: failed.append(error))
    page.goto(url)
    expect(page.locator(IMAGE)).to_have_js_property("naturalWidth", 96)
    expect(page.locator("#stage .total")).to_contain_text("ms", timeout=60_000)
    shows(page, FIRST_PROMPT)
    expect(number(page, "seed")).to_have_value(str(FIRST_SEED))
    assert [address for address in asked if not address.startswith((url, "data:", "blob:"))] == []
    assert failed == []
    context.close()


def test_enter_draws_a_new_seed_and_the_saved_picture_carries_its_settings(page, tmp_path):
    ask(page, "a red tent")
    shows(page, "a red tent")
    expect(page.locator("#stage .send", has_text="Refine")).to_have_count(0)  # there is no refiner
    seed = page.locator(IMAGE).get_attribute("data-seed")
    assert seed != str(FIRST_SEED)
    expect(number(page, "seed")).to_have_value(seed)
    name, content = download(page)
    assert name == f"instaflow-a-red-tent-{seed}.png"
    (tmp_path / name).write_bytes(content)
    assert read_png_settings(tmp_path / name) == {
        "prompt": "a red tent",
        "negative_prompt": "",
        "model": "tiny-instaflow",
        "steps": 1,
        "guidance": 1.0,
        "solver": "euler",
        "seed": int(seed),
    }


def test_a_picture_is_refined_where_a_refiner_is_at_hand(own_app, own_page):
    save_tiny_refiner(refiner_folder())
    ask(own_page, "a red tent")
    seed = own_page.locator(IMAGE).get_attribute("data-seed")
    own_page.get_by_role("button", name="Refine to 192").click()
    expect(own_page.locator(IMAGE)).to_have_js_property("naturalWidth", 192, timeout=60_000)
    assert download(own_page)[0] == f"instaflow-a-red-tent-{seed}-refined.png"
    expect(own_page.locator("#stage .send", has_text="Refine")).to_have_count(0)


def test_a_picture_is_made_larger_and_the_page_says_by_what(page):
    ask(page, "a red tent")
    shows(page, "a red tent")
    seed = page.locator(IMAGE).get_attribute("data-seed")
    page.get_by_role("button", name="Larger ×2").click()
    expect(page.locator(IMAGE)).to_have_js_property("naturalWidth", 192)
    expect(page.locator("#stage")).to_contain_text("enlarged by Lanczos")
    assert download(page)[0] == f"instaflow-a-red-tent-{seed}-x2.png"


def test_a_locked_seed_stays_and_the_dice_changes_it(page):
    page.get_by_label("Live").uncheck()
    page.get_by_label("Keep the seed").check()
    ask(page, "a mountain")
    shows(page, "a mountain")
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", str(FIRST_SEED))
    page.get_by_role("button", name="Another seed").click()
    settled(page)
    expect(number(page, "seed")).not_to_have_value(str(FIRST_SEED))
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", str(FIRST_SEED))  # not live: nothing drawn
    page.get_by_label("Live").check()
    settled(page)
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", number(page, "seed").input_value())


def test_a_reload_and_a_saved_picture_dropped_on_the_page_bring_everything_back(page):
    choose(page, "Tiny 2Rf")
    expect(number(page, "steps")).to_have_value("4")  # the model brings its own
    page.get_by_text("Advanced").click()
    settled(page)  # a field that just appeared is given its first value a moment later
    page.fill("#negative textarea", "sunset")
    number(page, "steps").fill("6")
    number(page, "guidance").fill("2.5")
    number(page, "seed").fill("123")
    page.get_by_label("Keep the seed").check()
    ask(page, "a lake")
    shows(page, "a lake")
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", "123")
    before = page.locator(IMAGE).get_attribute("src")
    name, content = download(page)

    def is_back():
        shows(page, "a lake")
        expect(page.locator(PROMPT)).to_have_value("a lake")
        expect(page.locator("#model input")).to_have_value("Tiny 2Rf")
        expect(number(page, "steps")).to_have_value("6")
        expect(number(page, "guidance")).to_have_value("2.5")
        expect(number(page, "seed")).to_have_value("123")
        expect(page.locator("#lock input")).to_be_checked()
        expect(page.locator(IMAGE)).to_have_attribute("src", before)  # the very same picture
        page.get_by_text("Advanced").click()
        expect(page.locator("#negative textarea")).to_have_value("sunset")

    other_tab = {"prompt": "a red tent", "model": "gone", "steps": 9, "seed": 5, "count": 99, "live": False}
    leave = "left => localStorage.setItem('instaflow-form', left)"
    page.evaluate(leave, json.dumps(other_tab | {"loras": [{"id": "gone"}]}))
    page.reload()
    arrived(page)
    is_back()  # each tab has its own

    page.evaluate("sessionStorage.clear()")
    page.evaluate(leave, json.dumps(other_tab | {"loras": [{"id": "gone"}]}))
    page.reload()  # as a new tab
    arrived(page)
    shows(page, "a red tent")
    expect(page.locator("#model input")).to_have_value("Tiny Instaflow")
    expect(page.locator("#live input")).not_to_be_checked()
    for field, value in (("steps", "1"), ("seed", "5"), ("count", "1")):
        expect(number(page, field)).to_have_value(value)
    expect(page.locator(".toast-body")).to_have_count(0)
    drop(page, name, content)
    is_back()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [("holiday.png", b"not a picture", "not a readable PNG"), ("x.png", b"", "not a readable PNG")],
)
def test_a_file_that_is_no_picture_changes_nothing_but_says_so(page, name, content, message):
    drop(page, name, content)
    settled(page)
    expect(page.locator(".toast-body")).to_contain_text(message)
    expect(page.locator(PROMPT)).to_have_value(FIRST_PROMPT)


def test_live_typing_ends_with_the_last_text_and_queues_nothing_stale(page, hold):
    """While the worker is held up, all of the typing comes down to two pictures, first and last."""
    asked = []
    page.on("request", lambda request: asked.append(request.post_data) if "queue/join" in request.url else 0)
    let_go = hold()
    with page.expect_request(lambda request: '"live:' in (request.post_data or "")):
        page.fill(PROMPT, "")
    page.locator(PROMPT).press_sequentially("a red tent near a lake")
    let_go()
    shows(page, "a red tent near a lake")
    expect(number(page, "seed")).to_have_value(str(FIRST_SEED))  # typing keeps the seed
    wishes = [body for body in asked if '"live:' in body]
    assert len(wishes) in (2, 3)  # the emptied text, the first letter (unless they were one), the last text
    assert "a red tent near a lake" in wishes[-1]


def test_nothing_is_settled_before_the_last_picture_is_there(page, hold):
    """What these tests wait for: two pictures were asked for, and the worker has not even begun."""
    let_go = hold()
    page.fill(PROMPT, "a red tent")
    page.press(PROMPT, "Enter")
    page.evaluate("() => { window.over = false; settled(60_000).then(() => (over = true)); }")
    page.evaluate("() => new Promise(resolve => setInterval(resolve, 1000))")
    assert not page.evaluate("over")
    let_go()
    page.wait_for_function("over")
    image = page.locator(IMAGE)
    assert image.get_attribute("alt") == "a red tent"
    assert image.get_attribute("data-seed") == number(page, "seed").input_value() != str(FIRST_SEED)


def test_what_the_server_keeps_of_a_session_does_not_grow_with_its_pictures(page):
    """Gradio kept a component and its value more for each picture, and for each tick of a timer; and a
    description of all of them.
    """
    with page.expect_request("**/queue/join*") as joined:
        ask(page, "a tent of mine")
    session = joined.value.post_data_json["session_hash"]
    (state,) = (
        server.state_holder.session_data[session]
        for server in Blocks.get_instances()
        if server.is_running and session in server.state_holder.session_data
    )
    before = len(state.blocks_config.blocks), len(state.config_values)
    for prompt in ("a lake", "a mountain", "a tent of mine"):
        ask(page, prompt)
    assert (len(state.blocks_config.blocks), len(state.config_values)) == before
    assert not any(state.config_values.values())


def test_a_model_presets_steps_guidance_and_live(page, app, monkeypatch):
    settled(page)
    pace = Pace()
    sd = check(PictureSettings("a lake", "tiny-sd"), app.registry.card("tiny-sd"))
    pace.note(sd, 96 * 96, 88.0, 2.0)
    monkeypatch.setattr(application, "LIVE", 60.0)
    monkeypatch.setattr(app.worker, "pace", pace)
    choose(page, "Tiny Sd")
    expect(page.locator("#live input")).not_to_be_checked()
    expect(page.locator("#about")).to_contain_text("A picture takes about 90.0 s here, too long to follow")
    expect(page.locator("#about")).to_contain_text("so Live is off: press Generate.")
    expect(number(page, "steps")).to_have_value("4")
    expect(number(page, "guidance")).to_have_value("3")
    expect(page.locator("#about")).to_contain_text("96×96, 4 steps")
    choose(page, "Tiny Instaflow")
    expect(number(page, "steps")).to_have_value("1")
    expect(number(page, "guidance")).to_have_value("1")
    expect(page.locator("#live input")).to_be_checked()
    expect(page.locator("#about")).not_to_contain_text("Live")
    monkeypatch.setattr(application, "LIVE", 0.0)
    page.fill("#prompt textarea", "a red tent")  # what is measured only now
    expect(page.locator("#live input")).not_to_be_checked()
    expect(page.locator("#about .slow")).to_be_visible()


def test_a_list_that_is_only_passed_through_changes_nothing(page):
    number(page, "steps").fill("6")
    settled(page)
    page.focus("#model input")
    page.keyboard.press("Tab")
    settled(page)
    expect(page.get_by_role("option")).to_have_count(0)
    expect(number(page, "steps")).to_have_value("6")

    page.focus("#model input")
    expect(page.get_by_role("option", selected=True)).to_have_class(re.compile("active"))
    page.keyboard.press("ArrowDown")
    expect(page.locator("[role=option].active")).not_to_have_attribute("aria-selected", "true")
    chosen = page.locator("[role=option].active").get_attribute("aria-label")
    page.keyboard.press("Enter")
    settled(page)
    expect(page.locator("#model input")).to_have_value(chosen)
    expect(number(page, "steps")).not_to_have_value("6")


def test_several_pictures_are_enlarged_saved_together_chosen_and_varied(page):
    number(page, "count").fill("3")
    page.get_by_label("Keep the seed").check()
    ask(page, "a lake")
    seeds = [str(FIRST_SEED + i) for i in range(3)]
    images = page.locator(IMAGE)
    assert [image.get_attribute("data-seed") for image in images.all()] == seeds
    expect(page.locator("#stage .made")).to_contain_text(
        f"Tiny Instaflow · 1 step · 96×96 · seeds {seeds[0]} to {seeds[2]} · "
    )

    with page.expect_download() as download:
        page.get_by_role("button", name="Download all").click()
    assert download.value.suggested_filename == f"instaflow-a-lake-{seeds[0]}.zip"
    with ZipFile(download.value.path()) as archive:
        assert archive.namelist() == [f"instaflow-a-lake-{seed}.png" for seed in seeds]
        pictures = [base64.b64encode(archive.read(name)).decode() for name in archive.namelist()]
    assert pictures == [image.get_attribute("src").partition(",")[2] for image in images.all()]

    images.nth(1).click()
    large = page.locator("#lightbox img")
    for key, seed in ((None, seeds[1]), ("ArrowRight", seeds[2]), ("ArrowRight", seeds[0])):
        if key:
            page.keyboard.press(key)
        expect(large).to_have_attribute("data-seed", seed)
    assert large.bounding_box()["width"] == 8 * 96  # what fits a window of 900
    page.keyboard.press("Escape")
    expect(large).to_be_hidden()
    expect(page.locator("#stage .enlarge").first).to_be_focused()  # of the one seen last
    page.keyboard.press("Enter")
    page.keyboard.press("ArrowLeft")
    page.locator("#lightbox").get_by_role("button", name="Use this seed").click()
    settled(page)
    expect(large).to_be_hidden()
    expect(number(page, "seed")).to_have_value(seeds[2])
    expect(images.first).to_have_attribute("data-seed", seeds[2])

    images.first.click()
    page.locator("#lightbox").get_by_role("button", name="Vary").click()
    settled(page)
    next_seeds = [str(FIRST_SEED + 3 + i) for i in range(4)]
    assert [image.get_attribute("data-seed") for image in images.all()] == next_seeds
    expect(images.first).to_have_attribute("alt", "a lake")


def test_an_example_is_one_click(page):
    page.get_by_role("button", name="Tent").click()
    shows(page, EXAMPLES[1][1])
    expect(page.locator(PROMPT)).to_have_value(EXAMPLES[1][1])
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", str(EXAMPLES[1][2]))


def test_another_program_s_picture_dropped_on_the_page_brings_back_what_it_can(page):
    text = PngInfo()
    text.add_text("parameters", "a red tent\nSteps: 5, Seed: 9, Size: 512x768, Model: <i>deliberate</i>")
    content = BytesIO()
    Image.new("RGB", (8, 8)).save(content, "PNG", pnginfo=text)
    drop(page, "forge.png", content.getvalue())
    shows(page, "a red tent")
    expect(page.locator("#model input")).to_have_value("Tiny Sd")
    expect(number(page, "steps")).to_have_value("5")
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", "9")
    said = "Left out: model <i>deliberate</i>, size 512×768."
    expect(page.locator(".toast-body")).to_contain_text(said)


def test_a_bad_prompt_gets_its_message_and_the_page_stays_alive(page):
    page.get_by_label("Live").uncheck()
    for text, message in (("   ", "The prompt is empty"), ("a" * 10_000, "10,000 characters")):
        ask(page, text)
        expect(page.locator(".toast-body", has_text=message)).to_be_visible()
        shows(page, FIRST_PROMPT)
    ask(page, "a lake")
    shows(page, "a lake")


def test_a_seed_out_of_range_gets_its_message(page):
    page.get_by_label("Keep the seed").check()
    number(page, "seed").fill("-1")
    expect(page.locator(".toast-body").first).to_contain_text("seed is -1; it must be a whole number in 0..")
    number(page, "seed").fill("5")
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", "5")


def test_any_text_is_a_prompt_and_none_is_markup(page):
    for text in ("湖と山の写真", "зимнее озеро", "🏔️🏞️", '"><img src=x onerror="hacked=1">&amp;'):
        ask(page, text)
        shows(page, text)
        expect(page.locator(IMAGE)).to_have_count(1)
        assert page.evaluate("typeof hacked") == "undefined"


def test_nothing_sticks_out_on_any_screen(page):
    for width in (1440, 768, 390):
        page.set_viewport_size({"width": width, "height": 844})
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator(IMAGE).bounding_box()
        assert box["y"] + box["height"] < 844, "the first picture is on the first screen"
        assert box["width"] == pytest.approx(box["height"], abs=1)
        save, *others = (
            each.bounding_box() for each in page.locator("#stage :is(.save, .send):visible").all()
        )
        for other in others:
            apart = (
                other["x"] + other["width"] <= save["x"]
                or save["x"] + save["width"] <= other["x"]
                or save["y"] + save["height"] <= other["y"]
            )
            assert apart, "no button covers another"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(browser, url, scheme):
    """WCAG's contrast of 4.5 for the quiet text, in both schemes."""
    with visiting(browser, url, color_scheme=scheme) as page:
        text = page.locator("#masthead p").evaluate("element => getComputedStyle(element).color")
        ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    light, dark = sorted((luminance(text), luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) > 4.5
    assert (luminance(ground) < 0.2) == (scheme == "dark")


def luminance(colour):
    """Relative luminance of a CSS "rgb(…)" colour (WCAG 2)."""
    channels = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return sum(weight * c for weight, c in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
