"""What the page says of a prompt while it is typed: marks in it, and offers under it."""

from playwright.sync_api import expect

from tests.settled import settled
from tests.ui.generate_tab import PROMPT, shows


def test_unknown_words_are_marked_in_the_prompt_and_known_ones_offered_under_it(page):
    page.fill(PROMPT, "🌄 a zebra near a lkae")
    settled(page)
    marks, reading = page.locator("#prompt mark"), page.locator("#reading")
    expect(marks).to_have_text(["zebra", "lkae"])
    expect(reading.locator("b")).to_have_text(["zebra", "lkae"])
    expect(reading).to_contain_text("Emoji are not read by this model")
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        settled(page)
        prompt, under = (page.locator(each).bounding_box() for each in (PROMPT, "#reading p"))
        assert prompt["y"] + prompt["height"] <= under["y"] + 1 < 400
    reading.get_by_role("button", name="lake").click()
    shows(page, "🌄 a zebra near a lake")
    expect(marks).to_have_text(["zebra"])
    reading.get_by_text("What it knows").click()
    reading.get_by_role("button", name="red tent").click()
    shows(page, "🌄 a zebra near a lake red tent")
    page.fill(PROMPT, "a red tent near a zebra")
    settled(page)
    reading.get_by_role("button", name="red tent").click()  # is still unfolded
    shows(page, "red tent near a zebra")
    page.evaluate("document.querySelector('#prompt textarea').value = 'a lake'")  # typed, and not read yet
    reading.get_by_role("button", name="red tent").click()
    expect(page.locator(PROMPT)).to_have_value("a lake")


def test_the_marks_stay_on_their_words(page):
    page.fill(PROMPT, "a lake, " * 40 + "a zebra")
    settled(page)
    typed = """text => {
        const box = document.querySelector("#prompt textarea");
        box.setRangeText(text, 0, 0);
        box.dispatchEvent(new Event("input", { bubbles: true }));
        return [...document.querySelectorAll("#prompt mark")].map((mark) => mark.textContent);
    }"""
    before = page.locator("#prompt mark").all_text_contents()
    assert before[-1].endswith("a zebra"), "the end is not read"
    assert page.evaluate(typed, "a big red tent, ") == before  # before the server has answered
    settled(page)
    boxes = page.evaluate(
        """() => {
            const box = document.querySelector("#prompt textarea");
            box.scrollTop = 1e6;
            return new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => done(
                [box, document.querySelector("#prompt .marks")].map((each) =>
                    [each.scrollTop, each.scrollHeight, each.clientWidth, each.offsetLeft + each.clientLeft])
            ))));
        }"""
    )
    assert boxes[0] == boxes[1]
    assert boxes[0][0] > 0
