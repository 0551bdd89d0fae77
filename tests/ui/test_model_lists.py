"""Lists of models that follow the registry, on a page of their own."""

import shutil

from playwright.sync_api import expect

from rf_app.actions.application import Application
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.registry.models import Registry
from rf_app.ui.parts.model_lists import state_of
from tests.plugins.lora_files import random_lora, write
from tests.settled import settled
from tests.tiny import publish_translation, tiny_card, tiny_flow, tiny_unet


def test_a_model_that_comes_and_goes_is_seen_without_a_reload(own_page, tiny_registry: Registry):
    tiny_registry.publish("newcomer", tiny_flow(6), tiny_card("newcomer", "one-step", 1, 1.0, "tiny-sd"))
    own_page.click("#model input")
    own_page.get_by_role("option", name="Newcomer").click()
    expect(own_page.locator("#model input")).to_have_value("Newcomer")
    settled(own_page)
    own_page.fill("#prompt textarea", "a lake")
    settled(own_page)
    expect(own_page.locator("#stage img")).to_have_attribute("alt", "a lake")
    # A tab that is opened for the first time has it, too.
    own_page.click("#interpolate-tab-button")
    own_page.click("#between-model input")
    expect(own_page.get_by_role("option", name="Newcomer")).to_be_visible()
    own_page.click("#generate-tab-button")
    shutil.rmtree(tiny_registry.folder("newcomer"))
    expect(own_page.locator("#model input")).to_have_value("Tiny Instaflow")
    own_page.click("#model input")
    expect(own_page.get_by_role("option")).to_have_count(3)


def test_a_style_and_a_translation_are_news_for_the_gallery_too(own_app: Application):
    seen = [state_of(own_app)]
    folder = own_app.loras.folders[-1] / "ink"
    write(folder / WEIGHTS, random_lora(tiny_unet(0)))
    write_card(folder, LoraCard("ink", "Ink"))
    seen.append(state_of(own_app))
    publish_translation(own_app.translations)
    seen.append(state_of(own_app))
    assert len(set(seen)) == 3
