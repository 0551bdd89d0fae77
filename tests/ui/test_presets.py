"""The presets of the Generate tab: picked, another one, none, saved, deleted."""

import json

from playwright.sync_api import expect

from rf_app.actions.presets import own
from tests.browser import arrived, served, visiting
from tests.settled import settled


def pick(page, name):
    page.locator("#preset-pick input").click()
    page.get_by_role("option", name=name, exact=True).click()
    settled(page)


def test_a_preset_is_picked_changed_for_another_and_ones_own_kept(own_page, own_app):
    page = own_page
    page.fill("#prompt textarea", "a lake")
    page.get_by_role("button", name="Presets").click()
    settled(page)
    pick(page, "Golden hour")
    assert page.input_value("#prompt textarea") == "a photograph of a lake at sunset"
    expect(page.locator("#stage img").first).to_have_attribute("alt", "a photograph of a lake at sunset")
    pick(page, "Clear day")
    assert page.input_value("#prompt textarea") == "a photograph of a lake under sunshine"
    pick(page, "None")
    assert page.input_value("#prompt textarea") == "a lake"
    page.fill("#preset-before textarea, #preset-before input", '"><b>a small')
    page.fill("#preset-name textarea, #preset-name input", "Mine")
    page.fill("#steps input[type=number]", "3")
    page.keyboard.press("Tab")
    settled(page)
    page.click("#preset-save")
    settled(page)
    assert [(each.name, each.before, each.settings.steps) for each in own()] == [("Mine", '"><b>a small', 3)]
    page.reload()
    arrived(page)
    page.get_by_role("button", name="Presets").click()
    settled(page)
    pick(page, "Mine")
    pick(page, "None")
    pick(page, "Mine")
    assert page.input_value("#prompt textarea") == '"><b>a small a lake'
    with page.expect_download() as download:
        page.click("#preset-export")
    assert json.loads(download.value.path().read_text())[0]["name"] == "Mine"
    page.click("#preset-delete")
    page.click("#preset-yes")
    settled(page)
    assert own() == []


def test_a_spoiled_file_is_named_and_costs_nothing_but_the_list(own_app, browser, tmp_path):
    (tmp_path / "home").mkdir(exist_ok=True)
    (tmp_path / "home" / "presets.json").write_text('[{"name": 7}]', encoding="utf-8")
    with served(own_app, tmp_path / "no-examples") as address, visiting(browser, address) as page:
        expect(page.get_by_text("A preset's name is 7")).to_be_visible()
        expect(page.locator("#stage img").first).to_be_visible()
