"""Anyone can use it: WCAG 2.2 A and AA as axe-core checks them, on every tab, light and dark, wide, narrow.

And the page's foot: what runs here, and how it is installed.
"""

import json
import urllib.request
from dataclasses import replace

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect

from rf_app.registry.permission import Permission
from tests.browser import served, visiting
from tests.settled import settled

RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"], "resultTypes": ["violations"]}
TABS = {
    "Generate": (),
    "Compare": ("Side by side", "Grid", "Path (trajectory)", "Quality and cost"),
    "Edit": (),
    "Interpolate": (),
    "Batch": (),
    "Train": (),
    "Flow lab": (),
    "Models": ("Gallery", "Import", "Merge"),
    "History": (),
}
GRADIOS: dict[str, str] = {}
"""By rule, a selector of what is Gradio's own and cannot be mended from here, each with its reason."""
WIDE, PHONE = (1440, 900), (390, 844)


def faults(page) -> list[str]:
    """What axe finds on the page as it is, and what of it scrolls sideways."""
    found = []
    for violation in Axe().run(page, options=RULES).response["violations"]:
        for node in violation["nodes"]:
            target = " ".join(map(str, node["target"]))
            own = GRADIOS.get(violation["id"])
            if own is None or not page.locator(target).first.evaluate("(e, own) => e.matches(own)", own):
                found.append(f"{violation['id']}: {target}: {node['html'][:200]}")
    return found


def each_size(page):
    """The page with all of it opened at each width; at 360 pixels nothing scrolls sideways."""
    closed = page.locator(".contain button.label-wrap:not(.open):visible")
    while closed.count():
        closed.first.click()
        settled(page)
    for width, height in (WIDE, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        settled(page)
        yield width
    page.set_viewport_size({"width": 360, "height": 780})
    settled(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 360


def test_the_first_tab_is_for_anyone_and_the_foot_says_what_runs_here(browser, url):
    with visiting(browser, url, permissions=["clipboard-read", "clipboard-write"]) as page:
        page.get_by_text("About this studio").click()
        foot = page.locator("#about-studio dl")
        expect(foot).to_contain_text("tiny-instaflow")
        page.get_by_role("button", name="Copy as text").click()
        copied = page.evaluate("navigator.clipboard.readText()").splitlines()
        assert {"Device: cpu", "Engine: PyTorch in float32"} <= {*copied}
        assert len(copied) == foot.locator("dt").count()
        for _ in each_size(page):
            assert faults(page) == []


@pytest.mark.slow
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_tab_is_for_anyone(browser, url, scheme):
    with visiting(browser, url, color_scheme=scheme) as page:
        for tab, panels in TABS.items():
            page.get_by_role("tab", name=tab, exact=True).first.click()
            for panel in panels or ("",):
                if panel:
                    page.get_by_role("tab", name=panel, exact=True).click()
                settled(page)
                for width in each_size(page):
                    assert faults(page) == [], (tab, panel, width)
                page.set_viewport_size(dict(zip(("width", "height"), WIDE, strict=True)))


def test_it_can_be_installed_behind_a_password_and_a_root_path_too(own_app, tmp_path):
    strangers = replace(own_app, permission=Permission(open_to_strangers=True))
    with served(strangers, tmp_path, auth=("me", "secret"), root_path="/studio") as address:
        with urllib.request.urlopen(f"{address}manifest.json") as answer:
            found = json.load(answer)
            assert answer.headers["Content-Type"] == "application/manifest+json"
        assert (found["name"], found["start_url"]) == ("InstaFlow Studio", "./")
        (icon,) = found["icons"]
        assert not icon["src"].startswith(("/", "http"))  # beside the page, wherever that is
        with urllib.request.urlopen(address + icon["src"]) as answer:
            assert b"<svg" in answer.read()
