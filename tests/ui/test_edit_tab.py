"""The Edit tab as a person uses it: a picture of Generate, strokes, a mask, and what is kept."""

from PIL import Image
from playwright.sync_api import expect

from rf_app.ui.edit.examples import EXAMPLES
from rf_app.ui.edit.translation import TRIES
from tests.settled import settled
from tests.tiny import publish_translation

RESULT = "#easel .result img"


def stroke(page, *points):
    box = page.locator("#easel .picture").bounding_box()
    at = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*at[0])
    page.mouse.down()
    for point in at[1:]:
        page.mouse.move(*point)
    page.mouse.up()
    settled(page)


def source(page):
    return page.locator(RESULT).get_attribute("src")


def test_a_picture_is_painted_over_partly_drawn_anew_kept_and_gone_on_from(own_page):
    page = own_page
    page.fill("#prompt textarea", "a lake")
    settled(page)
    page.locator("#stage").get_by_role("button", name="Edit").click()
    settled(page)
    expect(page.locator("#edit-prompt textarea")).to_have_value("a lake")
    expect(page.locator("#edit-shows textarea")).to_have_value("a lake")
    expect(page.locator("#edit-model input")).to_have_value("Tiny 2Rf")  # one step would smear
    expect(page.locator(RESULT)).to_have_attribute("alt", "a lake")
    first = source(page)

    page.get_by_role("button", name="Sun", exact=True).click()
    stroke(page, (0.2, 0.2), (0.8, 0.2))
    assert source(page) != first  # live

    page.locator("#edit-live input").uncheck()
    page.get_by_role("button", name="Only here").click()
    stroke(page, (0.9, 0.1), (0.9, 0.9))
    painted = source(page)
    page.click("#edit-go")
    settled(page)
    assert source(page) != painted
    page.set_viewport_size({"width": 390, "height": 844})
    page.click("#edit-go")  # on a phone below the board: what it makes is scrolled to
    expect(page.locator(RESULT)).to_be_in_viewport()
    settled(page)
    page.set_viewport_size({"width": 1440, "height": 900})
    page.get_by_role("button", name="Go on from this").click()
    settled(page)

    page.click("#history-tab-button")
    settled(page)
    expect(page.locator("[data-kept]")).to_have_count(2)  # what was asked for
    page.locator("[data-kept]").last.click()
    settled(page)
    latest = source(page)
    page.get_by_role("button", name="Use again").click()
    settled(page)
    expect(page.locator("#edit-tab-button")).to_have_attribute("aria-selected", "true")
    assert source(page) == latest  # Live is off
    expect(page.locator("#edit-prompt textarea")).to_have_value("a lake")


def test_a_picture_is_translated_once_there_is_a_translation(own_page, own_app, tmp_path):
    page, examples = own_page, tmp_path / "no-examples"
    examples.mkdir()
    for name in {*(each.picture for each in EXAMPLES.values()), *TRIES.values()}:
        Image.new("RGB", (96, 96), "teal").save(examples / f"{name}.png")
    page.click("#edit-tab-button")
    settled(page)
    page.get_by_text("By a translation").click()
    settled(page)
    expect(page.locator("#edit-translation-about")).to_contain_text("There is none here yet")
    expect(page.locator("#edit-strength")).to_be_hidden()
    page.get_by_role("button", name="Open the Train tab").click()
    settled(page)
    expect(page.locator('#train-recipe input[value="translate"]')).to_be_checked()
    expect(page.locator("#train-translate-source input")).to_have_value("day")
    publish_translation(own_app.translations)

    page.click("#edit-tab-button")
    settled(page)
    expect(page.locator("#edit-translation input")).to_have_value("Day to night")
    page.locator("#edit-live input").uncheck()
    page.locator("#edit-live input").check()
    settled(page)
    expect(page.locator(RESULT)).to_have_attribute("alt", "Day to night")
    expect(page.locator("#easel .passage figure")).to_have_count(6)
    live = source(page)
    page.click("#edit-go")
    settled(page)
    assert source(page) == live

    page.get_by_text("With words or strokes").click()
    settled(page)
    page.click("#history-tab-button")
    settled(page)
    page.locator("[data-kept]").click()
    settled(page)
    page.get_by_role("button", name="Use again").click()
    settled(page)
    expect(page.locator("#edit-translation")).to_be_visible()
    expect(page.locator(RESULT)).to_have_attribute("alt", "Day to night")


def test_an_empty_board_is_named(page):
    page.click("#edit-tab-button")
    settled(page)
    page.get_by_role("button", name="Clear").click()
    page.click("#edit-go")
    expect(page.locator(".toast-body")).to_contain_text("The board is empty")
