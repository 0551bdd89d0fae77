"""The grid of the Compare tab as a person uses it, in headless Chromium."""

import gc
import io
import json
import re
import zipfile
from types import GeneratorType

from PIL import Image
from playwright.sync_api import expect

from rf_app.actions.grid import grid
from tests.settled import settled, until
from tests.ui.compare_tab import open_compare


def open_grid(page):
    """Open the grid with the axes of the N-step figure."""
    open_compare(page, "Grid")
    page.get_by_role("button", name="What steps change").click()
    settled(page)


def under_way(action):
    """The runs of an action that have not ended."""
    runs = [each for each in gc.get_objects() if isinstance(each, GeneratorType)]
    return [each for each in runs if each.gi_code is action.__code__ and each.gi_frame]


def test_the_n_step_figure_is_one_click_and_comes_as_sheet_and_zip(page):
    open_compare(page, "Grid")
    page.get_by_role("button", name="What steps change").click()
    expect(page.locator(".cells figure img")).to_have_count(10)
    tops = page.locator(".cells .top")
    expect(tops).to_have_text(["1 step", "2 steps", "4 steps", "8 steps", "25 steps"])
    expect(page.locator(".cells .left")).to_have_text(["Tiny Sd", "Tiny 2Rf"])
    expect(page.locator(".cells img").first).to_have_js_property("naturalWidth", 96)
    with page.expect_download() as download:
        page.click("#grid-sheet")
    with Image.open(download.value.path()) as sheet:
        assert sheet.format == "PNG"
        assert sheet.width > 5 * 192
    with page.expect_download() as download:
        page.click("#grid-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len([name for name in archive.namelist() if name.startswith("page1-")]) == 10
        cell = json.loads(archive.read("grid.json"))["cells"][0]
        with Image.open(io.BytesIO(archive.read(cell["file"]))) as picture:
            assert json.loads(picture.info["instaflow"])["steps"] == cell["settings"]["steps"] == 1


def test_a_grid_stopped_in_the_middle_keeps_what_is_done(page, app):
    open_grid(page)
    page.fill("#grid-columns-values textarea", "1, 51-100")
    page.click("#grid-go")
    expect(page.locator(".cells .top").nth(1)).to_have_text("51 steps")
    expect(page.locator(".cells figure img")).not_to_have_count(0)
    page.click("#grid-stop")
    expect(page.locator("#grid-way")).to_contain_text(re.compile(r"Stopped: \d+ of 102 pictures"))
    kept = int(re.search(r"\d+", page.locator("#grid-way").inner_text())[0])
    assert 1 <= kept < 102
    expect(page.locator(".cells figure img")).to_have_count(kept)
    expect(page.locator("#grid-stop")).to_be_hidden()
    with page.expect_download() as download:
        page.click("#grid-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len([name for name in archive.namelist() if name.startswith("page1-")]) == kept


def test_axes_of_every_kind_and_a_cell_that_fails(page):
    open_grid(page)
    page.click("#grid-rows input")
    page.locator("#grid-rows").get_by_role("option", name="Prompt").click()
    settled(page)
    page.fill("#grid-rows-values textarea", "a lake\na red tent")
    page.fill("#grid-columns-values textarea", "1, 500")
    page.click("#grid-pages input")
    page.locator("#grid-pages").get_by_role("option", name="Seed").click()
    settled(page)
    expect(page.locator("#grid-pages-values textarea")).to_have_value("1, 2, 3, 4")
    page.fill("#grid-pages-values textarea", "5-6")
    page.click("#grid-go")
    settled(page)
    expect(page.locator(".cells figure img")).to_have_count(4)
    expect(page.locator(".cells .failed")).to_have_count(4)
    expect(page.locator(".cells .failed").first).to_contain_text("steps is 500")
    expect(page.locator("#grid-way")).to_have_text("4 of 8 pictures.")
    expect(page.locator(".cells h4")).to_have_text(["seed 5", "seed 6"])
    page.locator(".cells figure").nth(1).hover()
    page.locator(".cells").get_by_role("button", name="Open in Generate").first.click()
    expect(page.locator("#stage img")).to_have_attribute("alt", "a lake")
    page.get_by_role("tab", name="Compare").click()
    page.locator(".cells figure").nth(1).hover()
    page.locator(".cells").get_by_role("button", name="Interpolate").first.click()
    expect(page.locator("#key-a textarea")).to_have_value("a lake")


def test_values_that_make_no_grid_are_named(page):
    open_grid(page)
    for text, message in (
        ("", "There are no values for steps"),
        ("1-100000", "at most 200"),
        ("one", "'one' is no value for steps"),
    ):
        page.fill("#grid-columns-values textarea", text)
        page.click("#grid-go")
        expect(page.locator(".toast-body", has_text=message)).to_be_visible()


def test_closing_the_page_ends_its_work(page, hold):
    """A grid of minutes, whose first picture waits for the worker when the page is closed."""
    open_grid(page)
    let_go = hold()
    page.fill("#grid-columns-values textarea", "1-100")
    page.click("#grid-go")
    expect(page.locator("#grid-way")).to_contain_text("Waiting")
    until(lambda: under_way(grid))
    page.context.close()
    let_go()
    until(lambda: not under_way(grid))
