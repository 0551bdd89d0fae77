"""Trajectory as a person uses it, in headless Chromium, and its endpoint."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from rf_app.pipeline.png import read_png_settings
from tests.settled import answered, settled
from tests.ui.conftest import refusal

STRIPS = "#trajectory .strips section"
WAY = "#trajectory-way"


def steps(page):
    """The number field of the steps."""
    return page.locator("#trajectory-steps input[type=number]")


@pytest.fixture
def panel(page):
    """The panel, opened, with its example followed through."""
    page.get_by_role("tab", name="Compare").click()
    page.get_by_role("tab", name="Path (trajectory)").click()
    expect(page.locator(STRIPS)).to_have_count(3)
    settled(page)
    return page


def run(page, **values):
    """Ask for something else."""
    if "prompt" in values:
        page.fill("#trajectory-prompt textarea", values["prompt"])
    if "steps" in values:
        steps(page).fill(str(values["steps"]))
        steps(page).blur()
    page.get_by_role("button", name="Follow the path").click()


def test_it_opens_with_an_example_of_each_kind(panel):
    titles = panel.locator(f"{STRIPS} h4")
    expect(titles).to_contain_text(
        [
            "Tiny Sd25 steps, straightness S = ",
            "Tiny 2Rf25 steps, straightness S = ",
            "Tiny Instaflow1 step, straightness S = 0",
        ]
    )
    many = [f"step {step}, τ = {tau}" for step, tau in ((1, "0"), (6, 0.2), (11, 0.4), (16, 0.6), (21, 0.8))]
    for strip, words in ((0, many), (2, ["step 1, τ = 0"])):
        captions = panel.locator(STRIPS).nth(strip).locator("figcaption")
        expect(captions).to_have_text(["noise, before the first step", *words, "the picture, τ = 1"])
    expect(panel.locator(f"{STRIPS} img").first).to_have_js_property("naturalWidth", 96)
    expect(panel.locator("#trajectory .lead")).to_contain_text("Tiny Instaflow takes a single step")


def test_the_charts_follow_the_path_point_by_point(panel):
    curves, paths = panel.locator("#trajectory .chart").all()
    for chart in (curves, paths):
        counts = [group.locator("circle").count() for group in chart.locator("svg > g:not(.grid)").all()]
        assert counts == [26, 26, 2]
    first, last = (
        [float(part) for part in point.split(",")]
        for point in re.findall(r"[\d.]+,[\d.]+", paths.locator("polyline").last.get_attribute("points"))
    )
    assert first[1] == pytest.approx(last[1], abs=0.2)  # one step goes straight
    assert last[0] > first[0]
    panel.locator("#trajectory circle").last.dispatch_event("pointerover", {"bubbles": True})
    expect(panel.locator("#tip")).to_contain_text("Tiny Instaflow, τ = 1.00: ")


def test_other_wishes_are_followed_too(panel):
    run(panel, prompt="a red tent", steps=3)
    settled(panel)
    expect(panel.locator(f"{STRIPS} h4").first).to_contain_text("3 steps")
    before = panel.locator(f"{STRIPS} img").first.get_attribute("src")
    panel.get_by_role("button", name="Red sailboat").click()
    expect(panel.locator("#trajectory-prompt textarea")).to_have_value("a red sailboat on the sea at sunset")
    expect(panel.locator("#trajectory-seed input")).to_have_value("20")
    settled(panel)
    expect(panel.locator(STRIPS)).to_have_count(3)
    expect(panel.locator(f"{STRIPS} img").first).not_to_have_attribute("src", before)


def test_a_strip_is_saved_with_its_settings(panel, tmp_path):
    with panel.expect_download() as download:
        panel.get_by_role("link", name="Save strip").nth(1).click()
    assert download.value.suggested_filename == "trajectory-tiny-2rf-7.png"
    download.value.save_as(tmp_path / "strip.png")
    found = read_png_settings(tmp_path / "strip.png")
    assert (found["model"], found["steps"], found["seed"], found["guidance"]) == ("tiny-2rf", 25, 7, 1.5)


def test_a_strips_picture_goes_to_another_tab(panel):
    sections = panel.locator(STRIPS)
    expect(sections.nth(0).locator("h4")).to_contain_text("its own solver draws it")
    expect(sections.nth(1).locator("h4")).not_to_contain_text("its own solver")
    sections.nth(1).get_by_role("button", name="Interpolate").click()
    expect(panel.locator("#key-a input[type=number]")).to_have_value("7")
    expect(panel.locator("#between-steps input[type=number]")).to_have_value("25")


def test_stop_ends_it(panel, hold):
    """Held up before its turn, it is stopped, and what was there stays."""
    let_go = hold()
    run(panel, steps=4)
    expect(panel.locator(WAY)).to_contain_text("Waiting for its turn")
    with answered(panel):
        panel.locator("#trajectory-stop").click()
    let_go()
    expect(panel.locator(WAY)).to_contain_text("Stopped.")
    expect(panel.locator(f"{STRIPS} h4").first).to_contain_text("25 steps")


def test_a_bad_prompt_gets_its_message_and_the_panel_stays_alive(panel):
    for prompt, message in (("", "The prompt is empty"), ("a" * 3000, "3,000 characters")):
        run(panel, prompt=prompt)
        settled(panel)
        expect(panel.locator(".toast-body", has_text=message)).to_be_visible()
    run(panel, prompt="a lake", steps=2)
    expect(panel.locator(f"{STRIPS} h4").first).to_contain_text("2 steps")


def test_no_model_gets_its_message(panel):
    panel.locator("#trajectory-models").get_by_role("button", name="Clear").click()
    settled(panel)
    run(panel)
    expect(panel.locator(".toast-body")).to_contain_text("No model is chosen")


def test_nothing_sticks_out_on_any_screen(panel):
    for width in (1440, 390):
        panel.set_viewport_size({"width": width, "height": 844})
        settled(panel)
        assert panel.evaluate("document.documentElement.scrollWidth") <= width
        link = panel.get_by_role("link", name="Save strip").first.bounding_box()
        assert link["x"] + link["width"] <= width
        strip = panel.locator("#trajectory .strip").first.evaluate("e => [e.scrollWidth, e.clientWidth]")
        assert (strip[0] > strip[1]) == (width == 390), "only a phone's strips scroll"


def test_a_prompt_is_enough_for_the_endpoint(client):
    strips, found = client.predict("a lake", api_name="/trajectory")
    assert [Path(strip).name for strip in strips] == [
        "trajectory-tiny-sd-0.png",
        "trajectory-tiny-2rf-0.png",
        "trajectory-tiny-instaflow-0.png",
    ]
    sd, rf, one = found["models"]
    assert (sd["steps"], rf["steps"], one["steps"]) == (25, 25, 1)
    assert (len(rf["curve"]), len(rf["path"])) == (25, 26)
    assert rf["straightness"] == pytest.approx(sum(rf["curve"]) / 25)
    assert "Tiny Instaflow takes a single step" in found["summary"]


def test_the_endpoint_names_the_model_that_failed_and_goes_on(client):
    strips, found = client.predict("a lake", ["no-such", "tiny-2rf"], 2, 5, api_name="/trajectory")
    assert "no model 'no-such'" in found["models"][0]["error"]
    assert (found["models"][1]["seed"], len(strips)) == (5, 1)


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"models": []}, "No model is chosen"),
        ({"models": "tiny-sd"}, "must be a list of model ids"),
        ({"models": [3]}, "must be a list of model ids"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 10_000}, "steps is 10000"),
        ({"seed": -1}, "seed is -1"),
    ],
)
def test_a_bad_wish_is_answered_with_its_message(client, wish, message):
    with refusal(message):
        client.predict(**({"prompt": "a lake"} | wish), api_name="/trajectory")
