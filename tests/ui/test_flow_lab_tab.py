"""The Flow lab as a person uses it, in headless Chromium, and its endpoint."""

import json

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError
from playwright.sync_api import expect

from rf_app.actions import flow_experiments
from rf_app.ui.flow_lab.tab import kept
from tests.settled import settled

ROWS = "#flow-shown tbody tr"


@pytest.fixture
def tiny(monkeypatch):
    """Too few steps to learn well, enough to see all that happens."""
    for name, steps in (("FIRST", 100), ("LATER", 50), ("PAIRS", 1024)):
        monkeypatch.setattr(flow_experiments, name, steps)


@pytest.mark.usefixtures("tiny")
def test_it_opens_with_an_example_and_what_is_drawn_is_rectified_saved_and_opened_again(page, tmp_path):
    errors = []
    page.on("pageerror", lambda error: errors.append(error))
    page.click("#flow-lab-tab-button")
    expect(page.locator(ROWS)).to_have_count(4)
    settled(page)
    pairs = kept()[1]
    expect(page.locator(ROWS).first).to_contain_text(f"Random pairs{pairs.crossings:.2%}")
    page.locator("#flow-stage input").fill("0.5")
    expect(page.locator("#flow-stage output")).to_have_text("τ = 0.50")

    page.click("[data-end=target] [data-toy=drawn]")
    page.click("[data-run=reflow]")
    expect(page.locator("#flow-wish .problem")).to_contain_text("Nothing is drawn yet")
    board = page.locator("[data-end=target] canvas")
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 200, steps=5)
    page.mouse.up()
    page.fill("[name=seed]", "7")
    page.click("[data-run=reflow]")
    settled(page)
    expect(page.locator("#flow-shown .lead")).to_contain_text("Seed 7.")
    expect(page.locator("#flow-stage .flows button")).to_have_count(4)
    said = page.inner_text("#flow-shown table")
    with page.expect_download() as saved:
        page.click("#flow-stage .save")
    saved.value.save_as(tmp_path / "flow-lab.json")
    wish = json.loads((tmp_path / "flow-lab.json").read_text())["wish"]
    assert (wish["seed"], wish["target"]) == (7, "drawn")
    assert all(x == pytest.approx(-y, abs=0.02) for x, y in wish["target_points"])  # down to the right

    page.click("text=Copy a link")
    link = page.url
    page.goto("about:blank")
    page.goto(link)
    expect(page.locator(ROWS)).to_have_count(4)
    settled(page)
    assert page.inner_text("#flow-shown table") == said
    page.set_input_files("#flow-wish input[type=file]", tmp_path / "flow-lab.json")
    settled(page)
    assert page.inner_text("#flow-shown table") == said
    assert errors == []


@pytest.mark.usefixtures("tiny")
def test_its_endpoint_answers_and_refuses(url):
    client = Client(url, verbose=False)
    found = client.predict(source_points=[[0, 1], [1, 0]], target="rings", rectified=1, api_name="/flow_lab")
    assert [each["title"] for each in found["couplings"]] == ["Random pairs", "1-rectified flow"]
    with pytest.raises(AppError, match="one lies in space"):
        client.predict(source="sphere", api_name="/flow_lab")
