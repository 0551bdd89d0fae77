"""The page by keyboard alone: keys and their list, and arrows among pictures."""

from playwright.sync_api import expect

from tests.settled import settled
from tests.ui.generate_tab import IMAGE, PROMPT, ask, number

FOCUSED = "document.activeElement.matches(':focus-visible') && getComputedStyle(document.activeElement)"


def test_keys_do_what_their_list_says_and_letters_only_where_nobody_types(page):
    keys = page.keyboard
    seed = number(page, "seed")
    before = seed.input_value()
    expect(page.locator(PROMPT)).to_be_focused()
    page.fill(PROMPT, "")
    keys.type("r1l/?")  # they are typed
    settled(page)
    expect(page.locator(PROMPT)).to_have_value("r1l/?")
    expect(seed).to_have_value(before)

    page.locator(PROMPT).blur()
    keys.press("r")
    settled(page)
    assert seed.input_value() != before
    keys.press("l")
    expect(page.locator("#live input")).not_to_be_checked()
    keys.press("2")
    expect(page.get_by_role("tab", name="Compare")).to_have_attribute("aria-selected", "true")
    keys.press("1")
    expect(page.get_by_role("tab", name="Generate")).to_have_attribute("aria-selected", "true")
    for key in ("/", "Control+k"):
        page.evaluate("document.activeElement.blur()")
        keys.press(key)
        expect(page.locator(PROMPT)).to_be_focused()
    keys.type("a lake")
    keys.press("Control+Enter")
    settled(page)
    expect(page.locator(IMAGE)).to_have_attribute("alt", "a lake")

    page.locator(PROMPT).blur()
    keys.press("?")
    dialog = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(dialog).to_be_visible()
    keys.press("2")  # the page beneath hears nothing
    expect(page.get_by_role("tab", name="Generate")).to_have_attribute("aria-selected", "true")
    dialog.get_by_label("Single letters and digits work").uncheck()
    keys.press("Escape")
    expect(dialog).to_be_hidden()
    kept = seed.input_value()
    keys.press("r")
    keys.press("Control+k")  # this one goes on working
    settled(page)
    expect(seed).to_have_value(kept)
    expect(page.locator(PROMPT)).to_be_focused()


def test_arrows_choose_among_round_choices(page):
    page.get_by_role("tab", name="Interpolate").click()
    settled(page)
    choices = page.locator("#between-noise input")
    choices.first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowDown", 0), ("ArrowUp", 1)):
        page.keyboard.press(key)
        expect(choices.nth(at)).to_be_focused()
        expect(choices.nth(at)).to_be_checked()


def test_escape_stops_and_arrows_go_from_picture_to_picture(page):
    number(page, "count").fill("4")
    ask(page, "a lake")
    small = page.locator("#stage .enlarge")
    small.first.focus()
    for key, at in (("ArrowRight", 1), ("ArrowDown", 3), ("ArrowLeft", 2), ("ArrowUp", 0), ("End", 3)):
        page.keyboard.press(key)
        expect(small.nth(at)).to_be_focused()
    assert page.evaluate(f"({FOCUSED}).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    expect(page.locator("#lightbox img")).to_be_visible()
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Escape")
    expect(small.nth(2)).to_be_focused()


SEEN = """() => {
  const own = document.activeElement;
  const shown = (each) => {
    const { outlineStyle, outlineWidth } = getComputedStyle(each);
    return outlineStyle !== "none" && parseFloat(outlineWidth) > 1;
  };
  const chosen = "[type=range], [type=checkbox], [type=radio]";
  const typed = own.matches(`textarea, input:not(${chosen})`); // its border changes
  const name = own.id || own.closest("[id]")?.id || own.className;
  return [name, typed || shown(own) || Boolean(own.closest("label") && shown(own.closest("label")))];
}"""


def test_tab_reaches_everything_in_order_and_is_seen_wherever_it_is(page):
    slider = page.locator("#steps")
    info = slider.locator(".info-text")
    assert info.bounding_box()["height"] <= 1
    slider.locator("input[type=number]").focus()
    assert info.bounding_box()["height"] > 10
    at_the_top = "document.body.tabIndex = -1; document.body.focus()"
    page.evaluate(at_the_top)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # on "Skip to the prompt"
    expect(page.locator(PROMPT)).to_be_focused()
    page.evaluate(at_the_top)
    names = []
    while not names or names[-1]:  # at the end of the page nothing has the focus
        page.keyboard.press("Tab")
        name, seen = page.evaluate(SEEN)
        assert seen or not name, name
        names.append(name)
    order = ("generate-tab-button", "prompt", "go", "live", "model", "steps", "guidance")
    order += ("seed", "dice", "lock", "count", "lora-pick", "lora-upload", "restore", "about-studio")
    found = [names.index(each) for each in order]
    assert found == sorted(found), names
