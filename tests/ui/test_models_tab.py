"""The Models tab as a person uses it: find, rename, delete, export and bring in."""

import shutil
import time
import zipfile
from dataclasses import replace

import psutil
import pytest
from playwright.sync_api import expect

from rf_app.actions.collection import thing, things
from rf_app.actions.import_model import KIND
from rf_app.jobs.database import Database
from rf_app.registry.card import write_card
from rf_app.registry.loras import LoraCard, Loras
from rf_app.ui.page import build
from tests.browser import arrived
from tests.jobs.queues import add, execute
from tests.plugins.lora_files import random_lora, write
from tests.settled import settled, until
from tests.single_file import save_single_file
from tests.tiny import tiny_card, tiny_flow, tiny_unet

HOSTILE = '"><img src=x onerror="hacked=1"><b>bold'


def cards(page):
    return page.locator("#models-shelf .model")


def opened(page, title):
    """Open a card of the shelf in full; a shelf that is just being filled anew would swallow the click."""
    settled(page)
    cards(page).get_by_role("button", name=title, exact=True).click()
    settled(page)
    expect(page.locator("#model-full h3")).to_have_text(title)


def test_files_without_a_folder_are_named_where_they_are_looked_for(own_page, tiny_registry):
    home = tiny_registry.folders[-1].parent
    (home / "loras").mkdir()
    for kind, locator in (("loras", "#lora-problems"), ("models", "#models-problems")):
        expect(own_page.locator(locator)).not_to_be_attached()
        (home / kind / "My <b>.safetensors").write_bytes(b"weights")
    own_page.reload()
    arrived(own_page)
    expect(own_page.locator("#lora-problems li")).to_have_text(
        f"My <b>.safetensors: a file by itself is not read; expected a folder with {Loras.CONTENT}."
    )
    own_page.click("#models-tab-button")
    said = own_page.locator("#models-problems")
    expect(said.locator("code")).to_have_text(["models/", "loras/"])
    expect(said.locator("li")).to_have_count(2)


def test_find_rename_and_delete(own_page, tiny_registry):
    tiny_registry.publish("mine", tiny_flow(6), tiny_card("mine", "one-step", 1, 1.0, "tiny-2rf"))
    folder = tiny_registry.folder("mine")
    write_card(folder, replace(tiny_registry.card("mine"), title=HOSTILE, license="<i>x"))
    own_page.click("#models-tab-button")
    expect(cards(own_page)).to_have_count(6)
    expect(own_page.locator("#models-shelf img")).to_have_count(6)  # samples, drawn by themselves
    settled(own_page)
    assert own_page.evaluate("typeof hacked") == "undefined"

    own_page.fill("#models-search input, #models-search textarea", "tiny instaflow")
    expect(cards(own_page)).to_have_count(1)
    own_page.fill("#models-search input, #models-search textarea", "zebra")
    expect(own_page.locator("#models-shelf")).to_contain_text("Nothing here has all of these words")
    own_page.fill("#models-search input, #models-search textarea", "")
    expect(own_page.locator("#models-kind label", has_text="Turbo")).to_have_count(0)  # there is none
    own_page.locator("#models-kind label", has_text="Rectified flow").click()
    expect(cards(own_page)).to_have_count(1)
    own_page.locator("#models-kind label", has_text="All").click()
    expect(cards(own_page)).to_have_count(6)

    # The family goes from the teacher down, and its members are one click away.
    opened(own_page, "Tiny 2Rf")
    family = own_page.locator("#model-full .family")
    assert family.inner_text().split("\n")[0].startswith("Tiny Sd")
    family.get_by_role("button", name=HOSTILE).click()
    settled(own_page)
    expect(own_page.locator("#model-full h3")).to_have_text(HOSTILE)

    own_page.fill("#model-title input, #model-title textarea", "  My  model ")
    own_page.click("#model-rename")
    settled(own_page)
    expect(own_page.locator("#model-full h3")).to_have_text("My model")
    assert tiny_registry.card("mine").title == "My model"

    # One that others need stays.
    opened(own_page, "Tiny 2Rf")
    own_page.click("#model-delete")
    expect(own_page.locator(".toast-body")).to_contain_text("mine, tiny-instaflow take pieces from it")
    assert tiny_registry.folder("tiny-2rf").is_dir()
    opened(own_page, "My model")
    own_page.click("#model-delete")
    expect(own_page.locator("#model-sure")).to_contain_text("Delete My model")
    own_page.click("#model-no")
    settled(own_page)
    expect(own_page.locator("#model-sure")).to_be_hidden()
    own_page.click("#model-delete")
    own_page.click("#model-yes")
    settled(own_page)
    expect(cards(own_page)).to_have_count(5)
    assert not folder.exists()
    assert sorted(path.name for path in folder.parent.iterdir() if path.name[0] != ".") == [
        "tiny-2rf",
        "tiny-instaflow",
        "tiny-sd",
    ]

    own_page.set_viewport_size({"width": 390, "height": 844})
    settled(own_page)
    assert own_page.evaluate("document.documentElement.scrollWidth") <= 390
    cards(own_page).nth(2).get_by_role("button", name="Use in Generate").click()
    settled(own_page)
    expect(own_page.locator("#model input")).to_have_value("Tiny Sd")
    expect(own_page.locator("#stage .total")).to_be_visible()


def events_of(page, id):
    """What changes or is begun by the part of this id."""
    parts = {part._id for part in page.blocks.values() if getattr(part, "elem_id", "") == id}
    return [
        event
        for event in page.fns.values()
        if parts & {target for target, _ in event.targets} or parts & {part._id for part in event.outputs}
    ]


def test_what_is_deleted_is_what_the_question_named(own_app, tiny_registry, tmp_path):
    """Though another one was opened before it was asked."""
    tiny_registry.publish("mine", tiny_flow(6), tiny_card("mine", "one-step", 1, 1.0, "tiny-2rf"))
    page = build(own_app, tmp_path)
    (ask,), (yes,) = (
        [each for each in events_of(page, id) if each.fn.__name__ in ("ask", "deleted")]
        for id in ("model-delete", "model-yes")
    )
    (asked,) = yes.inputs
    assert ask.fn("mine")[asked] == "mine"


def test_an_import_that_was_cleared_away_in_another_window_is_not_shown(app, tmp_path):
    jobs = Database(tmp_path / "jobs")
    add(jobs, kind=KIND)
    execute(jobs, "UPDATE job SET state = 'done', stage = 1, ended = ?", time.time())
    look, *_ = events_of(build(replace(app, jobs=jobs), tmp_path), "imports")
    assert "" in look.fn().values()


@pytest.mark.parametrize(("key", "title"), [("lora/ink", "Ink"), ("controlnet/tiny-canny", "Tiny canny")])
def test_a_plug_in_has_a_sample_a_name_an_export_and_goes(own_page, own_app, tmp_path, key, title):
    file = write(tmp_path / "Ink.safetensors", random_lora(tiny_unet(3), seed=1, rank=2, size=0.1))
    own_app.loras.save(file, LoraCard("ink", "Ink", base_model="tiny-instaflow"))
    kind = "LoRA" if key == "lora/ink" else "ControlNet"
    own_page.click("#models-tab-button")
    settled(own_page)
    own_page.locator("#models-kind label", has_text=kind).click()
    expect(cards(own_page)).to_have_count(1 if kind == "LoRA" else 2)
    opened(own_page, title)
    expect(own_page.locator("#model-full .badge")).to_have_text(kind)
    expect(own_page.locator("#model-full img")).to_be_visible()
    expect(own_page.locator("#model-full .family")).to_have_count(0)

    own_page.click("#model-export")
    with own_page.expect_download() as download:
        own_page.click("#model-file")
    assert download.value.suggested_filename == f"{key.partition('/')[2]}.zip"

    own_page.fill("#model-title input, #model-title textarea", HOSTILE)
    own_page.click("#model-rename")
    expect(own_page.locator("#model-full h3")).to_have_text(HOSTILE)
    assert thing(own_app, key).card.title == HOSTILE
    assert own_page.evaluate("typeof hacked") == "undefined"

    own_page.click("#model-delete")
    own_page.click("#model-yes")
    expect(cards(own_page)).to_have_count(0 if kind == "LoRA" else 1)
    assert key not in [each.key for each in things(own_app)]


def test_export_and_bring_in(own_page, tiny_registry, tmp_path):
    own_page.click("#models-tab-button")
    opened(own_page, "Tiny 2Rf")
    own_page.click("#model-export")
    with own_page.expect_download() as download:
        own_page.click("#model-file")
    assert download.value.suggested_filename == "tiny-2rf.zip"
    with zipfile.ZipFile(download.value.path()) as archive:
        archive.extractall(tmp_path)
    assert (tmp_path / "tiny-2rf" / "vae" / "diffusion_pytorch_model.safetensors").is_file()

    own_page.click("#model-layout input")
    own_page.get_by_role("option", name="For ComfyUI, Forge, A1111 (one file)").click()
    expect(own_page.locator("#model-file")).to_be_hidden()
    own_page.click("#model-export")
    with own_page.expect_download() as download:
        own_page.click("#model-file")
    with zipfile.ZipFile(download.value.path()) as archive:
        assert "tiny-2rf/tiny-2rf.safetensors" in archive.namelist()

    save_single_file(tiny_registry.pieces("tiny-sd"), tmp_path / "One.safetensors")
    own_page.get_by_role("tab", name="Import").click()
    settled(own_page)  # a field that just appeared is given its first value a moment later
    for source, id, made in (
        (tmp_path / "tiny-2rf", "again", "again"),
        (tmp_path / "One.safetensors", "", "one"),
    ):
        own_page.fill("#import-source input, #import-source textarea", str(source))
        own_page.fill("#import-id input, #import-id textarea", id)
        own_page.click("#import-start")
        until(lambda made=made: made in {card.id for card in tiny_registry.cards()})
        expect(own_page.locator(f"[data-import={made}].done")).to_contain_text("here now", timeout=240_000)
    assert tiny_registry.card("again").kind == "rectified-flow"
    shutil.copytree(tmp_path / "tiny-2rf", tmp_path / "other", ignore=shutil.ignore_patterns("unet"))
    own_page.fill("#import-source input, #import-source textarea", str(tmp_path / "other"))
    own_page.fill("#import-id input, #import-id textarea", "broken")
    own_page.click("#import-start")
    expect(own_page.locator(".import.failed")).to_contain_text("is no diffusers model", timeout=240_000)
    own_page.get_by_role("button", name="Drop").click()
    expect(own_page.locator(".import")).to_have_count(2)
    own_page.locator("[data-import=one]").get_by_role("button", name="Clear").click()
    expect(own_page.locator(".import")).to_have_count(1)
    own_page.locator("[data-import=again]").get_by_role("button", name="Draw with it").click()
    settled(own_page)
    expect(own_page.locator("#model input")).to_have_value("Tiny 2Rf (again)")
    own_page.click("#models-tab-button")
    # What cannot be had says why.
    expect(own_page.locator("[data-entry=lcm-lora-sd-1-5].off")).to_contain_text("cannot be reached")
    own_page.get_by_role("tab", name="Gallery").click()
    expect(cards(own_page)).to_have_count(7)


def test_a_lora_becomes_part_of_a_model(own_page, tiny_registry, tmp_path):
    file = write(tmp_path / "Ink.safetensors", random_lora(tiny_unet(3), seed=1, rank=2, size=0.1))
    Loras.beside(tiny_registry).save(file, LoraCard("ink", "Ink"))
    own_page.click("#models-tab-button")
    own_page.get_by_role("tab", name="Merge").click()
    settled(own_page)
    own_page.locator("#merge-lora input").click()
    own_page.get_by_role("option", name="Ink").click()
    own_page.fill("#merge-name input, #merge-name textarea", "tiny SD")
    own_page.click("#merge-go")
    settled(own_page)
    expect(own_page.locator(".toast-body")).to_contain_text("There is already a model 'tiny-sd'")
    own_page.fill("#merge-name input, #merge-name textarea", HOSTILE)
    own_page.click("#merge-go")
    expect(own_page.locator("#merge-way")).to_contain_text(f"{HOSTILE} is in every list now", timeout=240_000)
    (made,) = [card for card in tiny_registry.cards() if card.title == HOSTILE]
    assert (made.kind, made.lineage[-1]) == ("one-step", "tiny-instaflow")
    own_page.get_by_role("tab", name="Gallery").click()
    expect(own_page.locator("#model-full h3")).to_have_text(HOSTILE)
    assert own_page.evaluate("typeof hacked") == "undefined"


def test_a_merge_is_stopped(own_page, own_app):
    """While its process waits; what it has begun is not seen."""
    own_page.click("#models-tab-button")
    own_page.get_by_role("tab", name="Merge").click()
    settled(own_page)
    own_page.locator("#merge-what label", has_text="A fine-tuned model").click()
    settled(own_page)
    own_page.fill("#merge-fine input, #merge-fine textarea", "tiny-sd")
    own_page.fill("#merge-base input, #merge-base textarea", "tiny-sd")
    own_page.fill("#merge-name input, #merge-name textarea", "Mine")
    own_page.click("#merge-go")
    expect(own_page.locator("#merge-way .way")).to_be_visible()
    until(lambda: own_app.jobs.jobs() and own_app.jobs.jobs()[0].pid)
    process = psutil.Process(own_app.jobs.jobs()[0].pid)
    process.suspend()
    own_page.click("#merge-stop")
    until(lambda: own_app.jobs.jobs()[0].stop)
    process.resume()
    expect(own_page.locator("#merge-way")).to_have_text("Stopped.", timeout=240_000)
    assert "mine" not in [card.id for card in own_app.registry.cards()]
