"""Sample pictures of models, LoRAs and ControlNets: drawn once, kept, and drawn anew when the weights are."""

from rf_app.actions.collection import thing, things
from rf_app.actions.run import results
from rf_app.actions.samples import PROMPT, draw_sample, is_quick, opening_settings, sample_at_hand, thumbnail
from rf_app.pipeline.png import read_png_settings
from rf_app.registry.loras import LoraCard
from tests.plugins.lora_files import random_lora, write
from tests.tiny import tiny_unet


def drawn(app, key):
    (path,) = results(draw_sample(app, thing(app, key)))
    return path


def test_a_sample_is_drawn_once_and_anew_when_the_model_is(own_app):
    found = thing(own_app, "tiny-2rf")
    assert sample_at_hand(own_app, found) is None
    assert is_quick(own_app, found)
    path = drawn(own_app, "tiny-2rf")
    assert sample_at_hand(own_app, found) == path
    assert read_png_settings(path)["prompt"] == PROMPT
    assert opening_settings(own_app, found, path)["model"] == "tiny-2rf"
    assert thumbnail(path, 32).size == (32, 32)
    assert [card.id for card in own_app.registry.cards()] == ["tiny-2rf", "tiny-instaflow", "tiny-sd"]
    unet = found.folder / "unet"
    (unet / "config.json").rename(unet / "x")
    (unet / "x").rename(unet / "config.json")
    assert sample_at_hand(own_app, found) is None
    assert drawn(own_app, "tiny-2rf") != path
    assert len(list(path.parent.iterdir())) == 1


def test_without_a_sample_it_opens_with_what_that_would_have(own_app):
    wanted = opening_settings(own_app, thing(own_app, "tiny-sd"), None)
    assert (wanted["prompt"], wanted["model"], wanted["seed"]) == (PROMPT, "tiny-sd", 7)


def test_a_lora_s_sample_is_called_by_its_trigger_and_shows_it(own_app, tmp_path):
    file = write(tmp_path / "Ink.safetensors", random_lora(tiny_unet(5), seed=1, rank=2, size=0.5))
    own_app.loras.save(file, LoraCard("tiny-instaflow", "Ink", trigger="in ink"))  # as a model is called
    plain, styled = drawn(own_app, "tiny-instaflow"), drawn(own_app, "lora/tiny-instaflow")
    settings = read_png_settings(styled)
    assert settings["prompt"] == f"{PROMPT.rstrip('.')}, in ink"
    assert [each["id"] for each in settings["loras"]] == ["tiny-instaflow"]
    assert thumbnail(styled, 96).tobytes() != thumbnail(plain, 96).tobytes()
    assert sample_at_hand(own_app, thing(own_app, "tiny-instaflow")) == plain


def test_a_controlnet_s_sample_follows_a_drawing(own_app):
    settings = read_png_settings(drawn(own_app, "controlnet/tiny-canny"))
    assert [each["model"] for each in settings["control"]] == ["tiny-canny"]


def test_each_sample_has_a_place_of_its_own(own_app):
    every = things(own_app)
    paths = [drawn(own_app, each.key) for each in every]
    assert [sample_at_hand(own_app, each) for each in every] == paths
