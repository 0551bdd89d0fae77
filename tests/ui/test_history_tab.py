"""The History tab as a person uses it, and who may not."""

from dataclasses import replace

import pytest
from playwright.sync_api import expect

from rf_app.actions.history import History, answer, history, keep
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.history import History as Pictures
from rf_app.registry.permission import Permission
from tests.browser import arrived
from tests.settled import settled

HOSTILE = '"><img src=x onerror="hacked=1"><b>a boat'


def thumbnails(page):
    return page.locator("#history-pictures .small")


def drawn(page, prompt):
    page.fill("#prompt textarea", prompt)
    page.click("#go")
    settled(page)


def test_what_was_asked_for_is_found_starred_used_again_and_deleted(own_page, own_app):
    drawn(own_page, HOSTILE)
    drawn(own_page, "a red tent")
    own_page.click("#history-tab-button")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_count(2)  # not what opening the page has drawn, nor the typing
    own_page.fill("#history-search textarea, #history-search input", "boat")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_count(1)
    thumbnails(own_page).click()
    settled(own_page)
    expect(own_page.locator("#kept-full figure + p")).to_have_text(HOSTILE)
    expect(own_page.locator("#kept-full dd").first).to_have_text("Tiny Instaflow")  # its title, not its id
    assert own_page.evaluate("typeof hacked") == "undefined"
    own_page.click("#kept-star")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_class("small chosen starred")
    own_page.get_by_role("button", name="Use again").click()
    settled(own_page)
    assert own_page.locator("#prompt textarea").input_value() == HOSTILE
    own_page.reload()
    arrived(own_page)
    own_page.click("#history-tab-button")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_count(2)
    thumbnails(own_page).filter(has=own_page.get_by_alt_text("a red tent")).click()
    settled(own_page)
    own_page.click("#kept-delete")
    own_page.click("#kept-yes")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_count(1)
    expect(own_page.locator("#kept-side")).to_be_hidden()
    found = results(history(own_app, History(starred=True)))
    assert [each.settings["prompt"] for each in found] == [HOSTILE]
    assert answer(own_app, found)[0]["file"].endswith(".png")


def carry(page, tab, to):
    """Drag the only small picture over a tab, which opens, and drop it there."""
    page.click("#history-tab-button")
    settled(page)
    thumbnails(page).hover()
    page.mouse.down()
    page.locator(f"#{tab}-tab-button").hover()
    page.locator(f"#{tab}-tab-button").hover()  # the first move begins the drag
    page.locator(to).hover()
    page.locator(to).hover()
    page.mouse.up()
    settled(page)


def test_a_picture_is_dragged_onto_another_tab(own_page):
    drawn(own_page, "a red tent")
    carry(own_page, "edit", "#easel .picture")
    own_page.wait_for_function("!studio.easelIsEmpty()")
    own_page.click("#generate-tab-button")
    drawn(own_page, "a lake")
    own_page.click("#history-tab-button")
    settled(own_page)
    own_page.fill("#history-search textarea, #history-search input", "tent")
    settled(own_page)
    expect(thumbnails(own_page)).to_have_count(1)
    carry(own_page, "generate", "#stage")
    expect(own_page.locator("#prompt textarea")).to_have_value("a red tent")
    own_page.click("#train-tab-button")
    settled(own_page)
    own_page.get_by_text("A style of your own").click()
    settled(own_page)
    carry(own_page, "train", "#train-pictures")
    expect(own_page.locator("#train-pictures .file-name, #train-pictures .filename")).to_contain_text(
        "a red tent"
    )


def test_the_best_is_kept_from_where_it_was_drawn_also_one_that_was_only_tried(own_page, own_app):
    drawn(own_page, "a boat")
    own_page.get_by_role("button", name="★ Keep").click()
    settled(own_page)
    own_page.fill("#prompt textarea", "a red tent")  # live: it is not kept by itself
    settled(own_page)
    own_page.get_by_role("button", name="★ Keep").click()
    settled(own_page)
    found = own_app.history.search(starred=True)[0]
    assert [each.settings["prompt"] for each in found] == ["a red tent", "a boat"]
    assert own_app.history.size()[0] == 2


def test_a_stranger_sees_nothing_and_leaves_nothing(app, monkeypatch, tmp_path):
    here = replace(
        app, permission=Permission(open_to_strangers=True), history=Pictures(tmp_path / "pictures")
    )
    with pytest.raises(UserError, match="is off on this public page"):
        results(history(here, History()))
    keep(here, b"a picture", {"prompt": "a boat"})
    assert not here.history.folder.exists()
