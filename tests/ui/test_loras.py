"""LoRAs on the page, in headless Chromium: uploaded, seen, kept, taken off again."""

import base64
import re
from io import BytesIO

import pytest
from PIL import Image
from playwright.sync_api import expect

from rf_app.pipeline.png import read_png_settings
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from tests.browser import arrived, visiting
from tests.plugins.lora_files import as_kohya, random_lora, write
from tests.settled import answered, settled, until
from tests.tiny import load
from tests.ui.generate_tab import IMAGE, PROMPT, ask, choose, download, shows

HOSTILE = "<img src=x onerror=alert(1)>"


@pytest.fixture(scope="module")
def files(app, tmp_path_factory):
    """Two LoRAs to upload, and a pickle that only has the name."""
    folder = tmp_path_factory.mktemp("files")
    unet = load(app.registry, "tiny-sd").unet
    said = {"modelspec.trigger_phrase": f"woodcut style {HOSTILE}"}
    write(folder / "Woodcut.safetensors", random_lora(unet, size=0.5), said)
    write(folder / "Neon.safetensors", as_kohya(random_lora(unet, size=0.5, seed=1)))
    write(folder / "pytorch_lora_weights.safetensors", random_lora(unet, size=0.1, seed=4))
    (folder / "evil.safetensors").write_bytes(b"\x80\x04cos\nsystem\n")
    return folder


@pytest.fixture(scope="module", autouse=True)
def registered(app):
    """A LoRA that everybody has."""
    folder = app.loras.folders[-1] / "ink"
    write(folder / WEIGHTS, random_lora(load(app.registry, "tiny-sd").unet, size=0.5, seed=2))
    write_card(folder, LoraCard("ink", "Ink drawing", "Lines.", trigger="in ink"))
    folder = app.loras.folders[-1] / "quick"
    write(folder / WEIGHTS, random_lora(load(app.registry, "tiny-sd").unet, size=0.1, seed=3))
    write_card(folder, LoraCard("quick", "Quick", "Lines.", strength=0.8, kind="consistency", steps=2))


def picture(page):
    settled(page)
    return page.locator(IMAGE).get_attribute("src")


def pixels_change(page, before):
    now = picture(page)
    assert now != before
    return now


def row(page, title):
    return page.locator("#loras .lora").filter(has_text=title)


def expect_strengths(page, *values):
    numbers = page.locator("#loras input[type=number]")
    expect(numbers).to_have_count(len(values))
    for i, value in enumerate(values):
        expect(numbers.nth(i)).to_have_value(value)


def set_strength(page, title, value):
    row(page, title).locator("input[type=range]").evaluate(
        "(range, value) => { range.value = value; range.dispatchEvent(new Event('input')); }", value
    )


def drop_all(page, *paths):
    transfer = page.evaluate_handle(
        """(files) => {
            const transfer = new DataTransfer();
            for (const [name, content] of files)
                transfer.items.add(new File([Uint8Array.from(atob(content), (c) => c.charCodeAt(0))], name));
            return transfer;
        }""",
        [[path.name, base64.b64encode(path.read_bytes()).decode()] for path in paths],
    )
    page.dispatch_event("body", "drop", {"dataTransfer": transfer})


def test_upload_see_the_style_remove_see_the_original(page, files, tmp_path):
    ask(page, "a lake")
    shows(page, "a lake")
    page.get_by_label("Keep the seed").first.check()
    original = picture(page)
    page.set_input_files("#lora-box input[type=file]", files / "Woodcut.safetensors")
    expect(row(page, "Woodcut")).to_be_visible()
    style = pixels_change(page, original)
    _, saved = download(page)
    (tmp_path / "a.png").write_bytes(saved)
    (lora,) = read_png_settings(tmp_path / "a.png")["loras"]
    assert lora["id"].startswith("upload-")
    assert lora["strength"] == 1.0

    set_strength(page, "Woodcut", -0.5)
    other = pixels_change(page, style)
    row(page, "Woodcut").get_by_role("checkbox").uncheck()
    assert pixels_change(page, other) == original
    row(page, "Woodcut").get_by_role("checkbox").check()
    assert pixels_change(page, original) == other

    page.set_input_files("#restore-box input[type=file]", tmp_path / "a.png")
    assert pixels_change(page, other) == style
    page.get_by_label("Remove Woodcut").click()
    assert pixels_change(page, style) == original
    expect(row(page, "Woodcut")).to_have_count(0)


def test_several_are_dropped_at_once_and_a_pickle_is_refused(page, files):
    before = picture(page)
    drop_all(page, files / "Woodcut.safetensors", files / "evil.safetensors", files / "Neon.safetensors")
    settled(page)
    expect(page.locator("#loras .lora")).to_have_count(2)
    expect(page.get_by_text("evil.safetensors: This is a pickle")).to_be_visible()
    pixels_change(page, before)


def test_of_a_file_without_a_name_the_page_asks_what_it_is_made_for(page, files, tmp_path):
    choose(page, "Tiny Sd")
    page.get_by_label("Keep the seed").first.check()
    page.set_input_files("#lora-box input[type=file]", files / "pytorch_lora_weights.safetensors")
    settled(page)
    before = picture(page)
    made_for = page.get_by_label("What pytorch_lora_weights is made for")
    with answered(page):
        made_for.select_option("Consistency")
    now = pixels_change(page, before)
    expect(made_for).to_have_value("consistency")
    _, saved = download(page)
    (tmp_path / "a.png").write_bytes(saved)
    assert read_png_settings(tmp_path / "a.png")["solver"] == "lcm"
    with answered(page):
        made_for.select_option("a style")
    pixels_change(page, now)


def test_trigger_words_are_text_and_a_click_adds_them_to_the_prompt(page, files):
    page.on("dialog", lambda dialog: pytest.fail("HTML of a LoRA was run"))
    page.set_input_files("#lora-box input[type=file]", files / "Woodcut.safetensors")
    settled(page)
    words = f"woodcut style {HOSTILE}"
    row(page, "Woodcut").get_by_role("button", name="woodcut style").click()
    assert page.input_value(PROMPT).endswith(words)
    shows(page, page.input_value(PROMPT))
    assert page.locator(".loras img").count() == 0


def test_one_is_picked_from_the_list_and_sent_along(page):
    before = picture(page)
    page.get_by_label("Style (LoRA)", exact=True).click()
    settled(page)  # the list is asked for when it is opened
    page.get_by_role("option", name="Ink drawing").click()
    style = pixels_change(page, before)
    expect(row(page, "Ink drawing")).to_contain_text("in ink")
    page.locator("#stage .send[data-send=compare]").first.click()
    expect(page.locator("#compare-loras .lora")).to_contain_text("Ink drawing")
    page.get_by_role("tab", name="Generate").click()
    page.locator("#stage .send[data-send=interpolate]").first.click()
    between = page.locator("#interpolate-loras .lora")
    expect(between).to_contain_text("Ink drawing")
    # The same pixels, but for the settings that the file carries.
    assert pixels(page, "#scrubber img") == decoded(style)
    between.get_by_role("checkbox").uncheck()
    assert pixels(page, "#scrubber img") == decoded(before)


def test_one_that_brings_a_sampler_sets_the_form_and_gives_it_back_after_a_reload(page, app):
    choose(page, "Tiny Sd")
    before = page.input_value("#steps input[type=number]")
    for name in ("Ink drawing", "Quick"):
        page.get_by_label("Style (LoRA)", exact=True).click()
        settled(page)
        page.get_by_role("option", name=name).click()
        settled(page)
    expect(page.locator("#steps input[type=number]")).to_have_value("2")
    expect(row(page, "Quick").locator("input[type=range]")).to_have_value("0.8")
    set_strength(page, "Quick", 0.6)
    row(page, "Ink drawing").get_by_role("checkbox").uncheck()
    settled(page)
    page.reload()
    arrived(page)
    expect(page.locator("#loras .lora")).to_have_count(2)
    expect(row(page, "Ink drawing").get_by_role("checkbox")).not_to_be_checked()
    expect(row(page, "Quick").locator("input[type=range]")).to_have_value("0.6")
    expect(page.locator("#stage .made i")).to_have_text(["Quick 0.6"])
    expect(page.locator("#steps input[type=number]")).to_have_value("2")
    page.get_by_text("Advanced").first.click()
    expect(page.locator("#solver input")).to_have_value("LCM")
    page.get_by_label("Remove Quick").click()
    expect(page.locator("#steps input[type=number]")).to_have_value(before)
    expect(page.locator("#solver input")).to_have_value("DPM-Solver++")


def test_a_refused_file_draws_nothing(page, files):
    cue = page.locator("#cue textarea")
    before = cue.input_value()
    page.set_input_files("#lora-box input[type=file]", files / "evil.safetensors")
    settled(page)
    expect(page.get_by_text("evil.safetensors: ")).to_be_visible()
    assert cue.input_value() == before


def test_styles_share_a_budget_and_a_high_sum_is_said(page, files):
    page.get_by_label("Style (LoRA)", exact=True).click()
    settled(page)
    page.get_by_role("option", name="Ink drawing").click()
    settled(page)
    page.set_input_files("#lora-box input[type=file]", files / "Neon.safetensors")
    settled(page)
    budget = page.locator("#loras .budget")
    expect_strengths(page, "0.50", "0.50")
    expect(budget).to_be_hidden()
    set_strength(page, "Ink drawing", 0.7)
    expect(budget).to_have_text("Balance")
    set_strength(page, "Ink drawing", 1.5)
    expect(budget).to_contain_text("Strengths add up to 2.00: over about 1.3 pictures tend to fall apart.")
    row(page, "Neon").get_by_role("checkbox").uncheck()
    expect(budget).to_contain_text("add up to 1.50")
    row(page, "Neon").get_by_role("checkbox").check()
    before = picture(page)
    budget.get_by_role("button").click()
    expect_strengths(page, "0.75", "0.25")
    expect(budget).to_be_hidden()
    pixels_change(page, before)


def test_compare_has_a_panel_of_its_own_for_all_its_ways(page, files):
    side = "#side-2 .done img"
    page.get_by_role("tab", name="Compare").click()
    expect(page.locator(side)).to_be_visible()
    settled(page)
    before = pixels(page, side)
    page.locator("#compare-tab").get_by_text("Styles to draw with").click()
    page.locator("#compare-lora-pick input").click()
    settled(page)
    page.get_by_role("option", name="Ink drawing").click()
    assert pixels(page, side) != before
    expect(page.locator("#side-2 figcaption")).to_contain_text("Ink drawing 1")
    page.set_input_files("#compare-lora-box input[type=file]", files / "Neon.safetensors")
    settled(page)
    expect(page.locator("#side-2 figcaption")).to_contain_text("Ink drawing 0.5, Neon 0.5")

    page.get_by_role("tab", name="Grid").click()
    page.locator("#grid-rows input").click()
    settled(page)
    page.get_by_role("option", name="Ink drawing, strength").click()
    settled(page)
    expect(page.locator("#grid-rows-values textarea")).to_have_value("0, 0.25, 0.5, 0.75, 1")
    page.fill("#grid-rows-values textarea", "-0.5, 1")
    page.fill("#grid-columns-values textarea", "7")
    page.click("#grid-go")
    settled(page)
    expect(page.locator(".cells .left")).to_have_text(["Ink drawing -0.5", "Ink drawing 1"])
    cells = page.locator(".cells figure img")
    expect(cells).to_have_count(2)
    expect(cells.first).to_have_attribute("title", re.compile("seed 7, Neon 0.5: "))
    page.locator(".cells figure").first.hover()
    page.locator(".cells").get_by_role("button", name="Open in Generate").first.click()
    settled(page)
    expect_strengths(page, "-0.50", "0.50")  # the slider reaches below nothing for what is there
    expect(page.locator("#loras input[type=range]").first).to_have_value("-0.5")
    expect(page.locator("#loras input[type=range]").last).to_have_attribute("min", "0")


def test_interpolate_has_a_panel_of_its_own_and_one_that_brings_a_sampler_is_drawn_with_it(page):
    page.click("#interpolate-tab-button")
    page.locator("#between-model input").click()
    page.get_by_role("option", name="Tiny Sd").click()
    before = pixels(page, "#scrubber img")
    page.locator("#interpolate").get_by_text("Styles to draw with").click()
    for name in ("Ink drawing", "Quick"):
        page.locator("#interpolate-lora-pick input").click()
        settled(page)
        page.get_by_role("option", name=name).click()
        now = pixels(page, "#scrubber img")
        assert now != before
        before = now
        expect(page.locator("#scrubber .problem")).to_be_empty()
    page.locator("#scrubber").get_by_role("button", name="Open in Generate").click()
    settled(page)
    expect_strengths(page, "1.00", "0.80")
    expect(page.locator("#steps input[type=number]")).to_have_value("2")


def decoded(url):
    return Image.open(BytesIO(base64.b64decode(url.partition(",")[2]))).tobytes()


def pixels(page, selector):
    settled(page)
    return decoded(page.locator(selector).get_attribute("src"))


def test_what_is_kept_is_there_for_everybody(page, files, app, browser, url):
    page.set_input_files("#lora-box input[type=file]", files / "Neon.safetensors")
    settled(page)
    row(page, "Neon").get_by_role("button", name="Keep").click()
    expect(page.get_by_text("is in the list of LoRAs now")).to_be_visible()
    assert app.loras.card("neon").title == "Neon"
    with visiting(browser, url) as other:
        other.get_by_label("Style (LoRA)", exact=True).click()
        settled(other)
        expect(other.get_by_role("option", name="Neon", exact=True)).to_be_visible()
        expect(other.get_by_role("option", name="(uploaded)")).to_have_count(0)


def test_uploads_go_with_their_page(page, files, app, monkeypatch):
    page.set_input_files("#lora-box input[type=file]", files / "Woodcut.safetensors")
    expect(row(page, "Woodcut")).to_be_visible()
    uploads = app.worker.uploads
    session = [name for name, each in uploads._sessions.items() if each.end is None][-1]
    folder = uploads._sessions[session].folder
    assert [path.suffix for path in folder.iterdir()] == [".safetensors"]
    monkeypatch.setattr(uploads, "grace", 0.0)
    page.context.close()
    until(lambda: not folder.exists())
    assert session not in uploads._sessions
