"""The Batch tab as a person uses it: a list, its pictures, a reload meanwhile, Stop and going on."""

import zipfile
from pathlib import Path

from gradio_client import Client
from playwright.sync_api import expect

from rf_app.actions.history import History, history
from rf_app.actions.run import results
from rf_app.pipeline.png import read_png_settings
from tests.settled import settled


def drawn(page):
    return page.locator("#batch-pictures img")


def test_a_list_is_drawn_while_the_page_is_loaded_anew_stopped_and_gone_on_with(own_page, own_app, gate_of):
    gate = gate_of(own_app, "tiny-sd")
    page = own_page
    page.click("#batch-tab-button")
    settled(page)
    page.fill("#batch-prompts textarea", '"><b>a {red|blue} boat\na lake')
    page.fill("#batch-seed input", "6")
    page.locator("#batch-model input").click()
    page.get_by_role("option", name="Tiny Sd").click()
    settled(page)
    page.fill("#batch-steps input[type=number]", "1")
    page.keyboard.press("Tab")
    settled(page)
    page.click("#batch-go")
    gate.let(1)  # of four pictures
    expect(drawn(page)).to_have_count(1)
    page.reload()
    page.click("#batch-tab-button")
    expect(drawn(page)).to_have_count(1)
    assert page.input_value("#batch-prompts textarea").endswith("boat\na lake")
    gate.let(1)
    expect(drawn(page)).to_have_count(2)
    page.click("#batch-stop")
    gate.let(1)
    expect(page.locator("#batch-way")).to_have_text("Stopped: 2 of 4 pictures.")
    gate.open()
    page.click("#batch-again")
    expect(page.locator("#batch-way")).to_have_text("4 of 4 pictures.")
    expect(drawn(page)).to_have_count(4)
    assert [drawn(page).nth(i).get_attribute("alt") for i in range(3)] == [
        '"><b>a red boat',
        '"><b>a blue boat',
        "a lake",
    ]
    with page.expect_download() as download:
        page.click("#batch-zip")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert len(archive.namelist()) == 6
    kept = results(history(own_app, History()))
    assert sorted(each.settings["seed"] for each in kept) == [6, 7, 8, 9]
    drawn(page).nth(1).click()
    page.keyboard.press("ArrowRight")
    expect(page.locator("#lightbox figcaption")).to_have_text("a lake")
    page.keyboard.press("Escape")
    page.fill("#batch-prompts textarea", "prompt,colour\na,b")
    page.click("#batch-go")
    expect(page.get_by_text("There is no column 'colour'")).to_be_visible()
    expect(drawn(page)).to_have_count(4)  # nothing is lost


def test_a_program_gives_a_text_and_gets_files(url, tmp_path):
    client = Client(url, verbose=False, download_files=str(tmp_path))
    files, told = client.predict("a lake\nprompt", count=2, api_name="/batch")
    assert [read_png_settings(Path(file))["seed"] for file in files] == [0, 1, 2, 3]
    assert told["pictures"][3]["settings"]["prompt"] == "prompt"
