"""Tiny decoders: brought in from a folder or a file, for the latents they read, and named by pictures."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import AutoencoderTiny
from safetensors.torch import load_file, save_file

from rf_app.actions import application
from rf_app.actions.caption import caption
from rf_app.actions.generate import Generate, generate
from rf_app.actions.import_model import ImportModel, import_model
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.registry.card import write_card
from rf_app.registry.decoders import SD, DecoderCard, latents_of
from rf_app.registry.file_recognition import DECODER
from rf_app.registry.store import ASSETS
from rf_app.settings.picture import PictureSettings
from tests.tiny import load

WISH = PictureSettings("a lake", "tiny-instaflow", seed=3)


@pytest.fixture
def taesd(tmp_path):
    """A folder of TAESD's layout and size, with random weights."""
    AutoencoderTiny().save_pretrained(tmp_path / "taesd")
    return tmp_path / "taesd"


def bring_in(app, source, id=""):
    (arrived,) = results(import_model(app, ImportModel(str(source), id)))
    return arrived


def decoder_for(app, model="tiny-sd", id="small"):
    """One that reads the latents of a tiny model."""
    channels = load(app.registry, model).vae.config.latent_channels
    folder = app.decoders.folders[-1] / id
    AutoencoderTiny(latent_channels=channels).save_pretrained(folder)
    write_card(folder, DecoderCard(id, "Small one", base_model=model))


def test_a_folder_and_a_file_in_both_their_layouts_become_the_same_decoder(own_app, taesd, tmp_path):
    arrived = bring_in(own_app, taesd)
    assert arrived.what == DECODER
    assert own_app.decoders.card("taesd") == DecoderCard(
        "taesd", "taesd", "Imported from `taesd`.", base_model=SD
    )
    weights = load_file(taesd / "diffusion_pytorch_model.safetensors")
    own = {name: each for name, each in weights.items() if name.startswith("decoder.")}
    numbered = {}
    for name, each in own.items():  # as https://github.com/madebyollin/taesd names them
        _, _, number, rest = name.split(".", 3)
        numbered[f"{int(number) + 1}.{rest}"] = each
    numbered |= {name: torch.zeros(1) for name in ("12", "1a.weight")}  # nobody's
    for name, tensors in (("named", own), ("numbered", numbered)):
        save_file(tensors, tmp_path / f"{name}.safetensors")
        folder = bring_in(own_app, tmp_path / f"{name}.safetensors").folder
        found = load_file(folder / "diffusion_pytorch_model.safetensors")
        assert found.keys() == own.keys()
        assert all(torch.equal(found[key], own[key]) for key in own)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("taesdxl", "taesdxl: is a tiny autoencoder for Stable Diffusion XL"),
        ("broken", "does not fit"),
        ("encoder.safetensors", "is the encoder of a tiny autoencoder"),
        ("nan", "holds values that are not finite"),
    ],
)
def test_what_is_none_is_refused_and_nothing_is_left(own_app, taesd, tmp_path, name, message):
    weights = load_file(taesd / "diffusion_pytorch_model.safetensors")
    source = tmp_path / name
    if name.endswith(".safetensors"):
        save_file(
            {"0.weight": torch.zeros(64, 3, 3, 3), "1.conv.0.weight": torch.zeros(64, 64, 3, 3)}, source
        )
    else:
        taesd.rename(source)
        if name == "broken":
            del weights["decoder.layers.0.weight"]
        if name == "nan":
            weights["decoder.layers.0.weight"][0, 0, 0, 0] = torch.nan
        save_file(weights, source / "diffusion_pytorch_model.safetensors")
    with pytest.raises(UserError, match=message):
        bring_in(own_app, source)
    assert own_app.decoders.cards() == []


def test_it_makes_the_pixels_and_the_picture_says_so_wherever_it_goes(own_app, tmp_path):
    decoder_for(own_app)
    assert own_app.preset("tiny-instaflow").decoders == (
        ("Small one", "small"),
    )  # which borrows that autoencoder
    (plain,) = results(generate(own_app, Generate(WISH)))
    (made,) = results(generate(own_app, Generate(replace(WISH, decoder="small"))))
    latents = []
    result_of(own_app.worker.draw(WISH, observe=lambda moment: latents.append(moment.latents)))
    tiny = AutoencoderTiny.from_pretrained(own_app.decoders.folder("small"))
    expected = tiny.decode(latents[-1]).sample[0].mul(127.5).add(127.5).round().clamp(0, 255).permute(1, 2, 0)
    found = np.asarray(made.drawn.image, int)
    assert np.abs(found - expected.detach().numpy()).max() <= 1
    assert made.settings["decoder"] == "small"
    assert "decoder" not in plain.settings
    assert "pixels by Small one" in caption(own_app, [made]).made
    path = tmp_path / "made.png"
    path.write_bytes(made.png)
    assert restore(own_app, path).settings == made.drawn.settings
    own_app.decoders.delete("small")
    restored = restore(own_app, path)
    assert restored.settings == plain.drawn.settings
    assert "Its pixels were made by “small”, which is not here for this model" in restored.note


def test_it_is_refused_for_other_latents(own_app):
    decoder_for(own_app)
    card = own_app.decoders.card("small")
    write_card(own_app.decoders.folder("small"), replace(card, base_model=SD))
    assert own_app.preset("tiny-instaflow").decoders == ()
    wish = Generate(replace(WISH, decoder="small"))
    with pytest.raises(UserError, match="small is for latents of stable-diffusion; this model has tiny-sd"):
        results(generate(own_app, wish))
    assert latents_of(ASSETS / "stable-diffusion-1" / "vae") == SD
    with pytest.raises(UserError, match="There is no decoder 'gone'"):
        results(generate(own_app, Generate(replace(WISH, decoder="gone"))))


def test_what_is_typed_has_its_pixels_from_one_where_the_model_s_own_takes_too_long(own_app, monkeypatch):
    decoder_for(own_app)
    assert own_app.typed(WISH) == WISH  # it is quick
    monkeypatch.setattr(application, "LIVE", 0.0)
    assert own_app.typed(WISH).decoder == "small"
    assert own_app.slow(WISH) == ""  # small, and not yet known
    results(generate(own_app, Generate(own_app.typed(WISH))))
    assert own_app.slow(WISH).startswith("A picture takes about ")
    assert own_app.preset("tiny-instaflow").slow == own_app.slow(WISH)
    assert own_app.typed(replace(WISH, model="tiny-sd", decoder="another")).decoder == "another"
