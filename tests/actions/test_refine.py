"""A picture refined to twice its side as the stock pipeline does it, where there is a whole refiner."""

import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLImg2ImgPipeline
from PIL import Image

from rf_app.actions.generate import Generate, generate
from rf_app.actions.progress import Progress
from rf_app.actions.refine import Refine, answer, refine
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.errors import HeldBack, UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry.refiner import refiner_folder
from rf_app.settings.picture import PictureSettings
from tests.tiny import save_tiny_refiner, save_tiny_safety_checker

WISH = PictureSettings("a lake", "tiny-2rf", seed=5, negative_prompt="tent")


@pytest.fixture
def refiner(own_app):
    """The folder of a tiny refiner, at its place."""
    save_tiny_refiner(refiner_folder())
    return refiner_folder()


def pixels(image):
    return np.asarray(image, int)


@pytest.mark.parametrize("variant", [None, "fp16"])
def test_it_is_the_stock_pipeline_s_picture_and_restores_the_one_it_was_made_from(own_app, tmp_path, variant):
    save_tiny_refiner(refiner_folder(), variant)
    (drawn,) = results(generate(own_app, Generate(WISH)))
    (picture,) = results(refine(own_app, Refine(WISH)))
    stock = StableDiffusionXLImg2ImgPipeline.from_pretrained(
        refiner_folder(), variant=variant, dtype=torch.float32
    )
    enlarged = drawn.drawn.image.resize((192, 192), Image.Resampling.LANCZOS)
    (expected,) = stock(
        prompt=WISH.prompt,
        negative_prompt=WISH.negative_prompt,
        image=enlarged,
        strength=0.3,
        num_inference_steps=25,
        generator=torch.Generator().manual_seed(5),
    ).images
    assert np.abs(pixels(picture.drawn.image) - pixels(expected)).max() <= 1
    assert np.abs(pixels(picture.drawn.image) - pixels(enlarged)).mean() > 5

    path = tmp_path / picture.name
    path.write_bytes(picture.png)
    assert path.name == "instaflow-a-lake-5-refined.png"
    assert read_png_settings(path) == drawn.settings | {"refined": {"strength": 0.3, "steps": 25}}
    restored = restore(own_app, path).settings
    assert restored == drawn.drawn.settings
    file, said = answer(own_app, [picture])
    assert file.content == picture.png
    assert said["refined"] == {"strength": 0.3, "steps": 25}
    assert said["seconds"]["total"] > drawn.drawn.timings.unet


def test_its_steps_are_told_and_leaving_ends_it_between_two(own_app, refiner):
    wish = Refine(WISH, strength=0.5, refiner_steps=8)
    heard = [each for each in refine(own_app, wish) if isinstance(each, Progress)]
    told = [(each.done, each.of) for each in heard if each.text == "Refining"]
    assert told == [(1, 10), *((1 + 9 * done / 4, 10) for done in (1, 2, 3, 4))]

    steps = []
    events = refine(own_app, Refine(WISH, strength=1, refiner_steps=100))
    for event in events:
        if isinstance(event, Progress) and event.done > 1:
            own_app.worker._residence.get("refiner").unet.register_forward_hook(lambda *_: steps.append(1))
            break
    events.close()
    results(generate(own_app, Generate(WISH)))
    assert len(steps) < 50


def test_the_models_make_room_for_it_and_it_for_them(own_app, refiner):
    residence = own_app.worker._residence
    residence.budget = 1  # bytes: only what is in use stays
    first = results(refine(own_app, Refine(WISH)))
    assert list(residence) == ["refiner"]
    results(generate(own_app, Generate(WISH)))
    assert list(residence) == [("model", WISH.model)]
    assert [each.png for each in results(refine(own_app, Refine(WISH)))] == [each.png for each in first]


def test_without_one_it_says_where_it_belongs(own_app):
    with pytest.raises(UserError, match=r"refiner: there is no refiner\. Put the folder of stabilityai/"):
        results(refine(own_app, Refine(WISH)))


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("model_index.json", {"_class_name": "StableDiffusionXLPipeline"}, "is that of another model"),
        ("unet/diffusion_pytorch_model.safetensors", None, "unet.*: this file is missing"),
        ("text_encoder_2/model.safetensors", None, "text_encoder_2.*: this file is missing"),
        ("tokenizer_2/tokenizer.json", None, "tokenizer_2.*: this file is missing"),
        ("scheduler/scheduler_config.json", None, "scheduler.*: this file is missing"),
        ("vae/config.json", {"latent_channels": 99}, "vae.*latent_channels is 99"),
    ],
)
def test_one_that_is_not_whole_is_refused_by_name(own_app, refiner, path, content, said):
    (refiner / path).unlink()
    if content:
        (refiner / path).write_text(json.dumps(content))
    with pytest.raises(UserError, match=said):
        results(refine(own_app, Refine(WISH)))


def test_pieces_that_do_not_belong_together_are_refused(own_app, refiner):
    config = refiner / "tokenizer_2" / "tokenizer_config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"model_max_length": 33}))
    with pytest.raises(UserError, match="tokenizer_2: model_max_length is 33; expected up to 32, the places"):
        results(refine(own_app, Refine(WISH)))


def test_the_model_s_own_safety_checker_sees_it_too(own_app, refiner):
    checker = own_app.registry.folder("tiny-sd") / "safety_checker"
    save_tiny_safety_checker(checker, 1)
    worker = Worker(own_app.registry, "cpu", safety_checker=True)
    drawn = result_of(worker.draw(WISH))
    assert result_of(worker.refine(drawn, 0.3, 25)).image.size == (192, 192)
    save_tiny_safety_checker(checker, -1)
    worker._residence.drop(("model", WISH.model))
    with pytest.raises(HeldBack):
        result_of(worker.refine(drawn, 0.3, 25))
    worker.close()


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"strength": 1.5}, "strength is 1.5; it must be in 0..1"),
        ({"strength": 0.01}, "strength is 0.01 of 25 refiner_steps, which leaves none"),
        ({"refiner_steps": 0}, "refiner_steps is 0; it must be"),
    ],
)
def test_values_out_of_range_are_named(own_app, refiner, how, said):
    with pytest.raises(UserError, match=said):
        results(refine(own_app, Refine(WISH, **how)))
