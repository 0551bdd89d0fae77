"""The page in German: a word for everything it is laid out with, and what a German browser shows."""

import json
import re
from html.parser import HTMLParser

from playwright.sync_api import expect

from rf_app.actions.examples import FOLDER
from rf_app.settings.bundled import ASSETS
from rf_app.ui.page import TITLE, build
from rf_app.ui.translation import tables
from tests.browser import visiting
from tests.settled import settled

SAME = {TITLE, "FID", "LoRA", "ControlNet", "MP4", "python -m trainers.controlnet", "controlnets/"}
EXAMPLES = {"trajectory-prompt", "train-prompts"}


class Texts(HTMLParser):
    """What a piece of HTML says, but for what goes into an English prompt."""

    def __init__(self, html):
        super().__init__()
        self.found, self._left = [], False
        self.feed(html)

    def handle_starttag(self, tag, attributes):
        self._left = bool({"data-add", "translate"} & set(dict(attributes)))
        names = ("placeholder", "title", "aria-label", "data-tip")
        self.found += [value for name, value in attributes if name in names]

    def handle_data(self, data):
        if not self._left:
            self.found += data.split("·")
        self._left = False


def said(component):
    """The texts of a part of the page."""
    kind, props = component["type"], component["props"]
    if kind in ("api", "state", "timer"):
        return
    yield from (props.get(name) for name in ("label", "info") if name in props)
    if props.get("elem_id") not in EXAMPLES:
        yield props.get("placeholder")
    if "button" in kind:
        yield props.get("value")
    if kind == "radio":
        yield from (title for title, _ in props["choices"])
    if kind == "html":
        for name in ("value", "html_template"):
            yield from Texts(props[name]).found if isinstance(props.get(name), str) else ()


def shape(english):
    """What a key of the table stands for, as words.js reads it."""
    return re.escape(english).replace(r"\{\#\}", r"[\d.,]+").replace(r"\{\}", ".+")


def test_every_text_that_the_page_is_laid_out_with_has_its_german(app):
    table = json.loads(tables()["de"])
    known = re.compile("|".join(map(shape, table)))
    components = build(app, FOLDER).get_config_file()["components"]
    texts = {" ".join(str(text).split()) for each in components for text in said(each) if text}
    titles = {title for title, _ in app.models()}
    missing = {
        text
        for text in texts - SAME - titles
        if re.search("[a-z]{2}", text) and text != "${value}" and not known.fullmatch(text)
    }
    assert not missing
    in_style = set(re.findall(r"var\((--words-[\w-]+)", (ASSETS / "style.css").read_text()))
    assert in_style == {name for name in table if name.startswith("--")}
    for english, german in table.items():
        assert len(re.findall(r"\{#?\}", english)) == german.count("{}"), english


def test_a_german_browser_shows_german_and_leaves_what_people_write(browser, url):
    with visiting(browser, url, locale="de-DE") as page:
        expect(page.get_by_role("tab").first).to_have_text("Zeichnen")
        expect(page.locator("#stage .made p")).to_contain_text("1 Schritt · 96×96 · Startwert 11")
        page.fill("#prompt textarea", "Stop")
        settled(page)
        expect(page.locator("#prompt textarea")).to_have_value("Stop")
        expect(page.locator("#prompt textarea")).to_have_attribute("placeholder", "Beschreibe ein Bild …")
        expect(page.locator("#reading p").first).to_contain_text("von 30 Wortteilen")
        expect(page.locator("#stop")).to_have_text("Anhalten")
        page.evaluate("document.documentElement.lang = 'en'")  # as Gradio's settings do it
        expect(page.locator("#stop")).to_have_text("Stop")
        expect(page.get_by_role("tab").first).to_have_text("Generate")
