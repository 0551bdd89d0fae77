"""ControlNets on the worker: the stock pipeline's pixels with one, the plain pixels without."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionControlNetPipeline
from PIL import Image, ImageDraw
from safetensors.torch import load_file, save_file

from rf_app.errors import UserError
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.picture import decode_map, encode_map
from rf_app.registry.checking import WEIGHTS
from rf_app.registry.models import Registry
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.settings.picture import Control, PictureSettings
from rf_app.settings.way import KeyFrame, Way
from tests.tiny import load, tiny_card, tiny_controlnet, tiny_unet

MODELS = ["tiny-sd", "tiny-2rf", "tiny-instaflow"]


def a_map(*line):
    """A condition map with a line through it."""
    image = Image.new("RGB", (96, 96))
    ImageDraw.Draw(image).line(line or (0, 60, 50, 20, 96, 70), fill="white")
    return encode_map(image)


LINE = Control("tiny-canny", a_map())
OTHER = Control("tiny-depth", a_map(0, 0, 96, 96), strength=0.7)


@pytest.fixture(scope="module")
def worker(tiny_models):
    worker = Worker(Registry([tiny_models]), device="cpu")
    yield worker
    worker.close()


def draw(worker, *control, model="tiny-instaflow", **values):
    settings = PictureSettings("a lake", model, control=control, **({"seed": 3} | values))
    return np.asarray(result_of(worker.draw(settings)).image).astype(int)


def acting(**values):
    """LINE with other numbers."""
    return replace(LINE, **values)


@pytest.mark.parametrize("model", MODELS)
def test_the_stock_pipeline_gives_the_same_picture(worker, model):
    found = draw(worker, LINE, OTHER, model=model, steps=3, guidance=2.0)
    stock = load(worker.registry, model)
    pipeline = StableDiffusionControlNetPipeline(
        **stock.components, controlnet=[tiny_controlnet(0), tiny_controlnet(1)], requires_safety_checker=False
    )
    expected = pipeline(
        "a lake",
        image=[decode_map(LINE.image), decode_map(OTHER.image)],
        controlnet_conditioning_scale=[1.0, 0.7],
        num_inference_steps=3,
        guidance_scale=2.0,
        generator=torch.Generator("cpu").manual_seed(3),
    ).images[0]
    # The worker's memory layout rounds differently in the last bits.
    assert np.abs(found - np.asarray(expected).astype(int)).max() <= 1
    assert np.abs(found - draw(worker, model=model, steps=3, guidance=2.0)).max() > 10


@pytest.mark.parametrize("model", MODELS)
def test_without_it_the_pixels_are_the_plain_ones(worker, model):
    plain = draw(worker, model=model)
    with_it = draw(worker, LINE, model=model)
    assert not np.array_equal(with_it, plain)
    assert np.array_equal(draw(worker, model=model), plain)
    assert np.array_equal(draw(worker, acting(strength=0), model=model), plain)
    assert np.array_equal(draw(worker, LINE, model=model), with_it)


def test_strength_map_and_number_of_controls_matter(worker):
    pictures = [
        draw(worker, LINE),
        draw(worker, acting(strength=0.5)),
        draw(worker, Control("tiny-canny", a_map(0, 0, 96, 96))),
        draw(worker, Control("tiny-depth", LINE.image)),
        draw(worker, LINE, OTHER),
        draw(worker, LINE, LINE),
    ]
    for i, one in enumerate(pictures):
        assert not any(np.array_equal(one, other) for other in pictures[i + 1 :])


def test_it_acts_between_start_and_end(worker):
    def part(start, end, model="tiny-2rf"):
        return draw(worker, acting(start=start, end=end), model=model)

    plain = draw(worker, model="tiny-2rf")  # four steps
    parts = [part(0, 1), part(0, 0.5), part(0.5, 1), part(0.25, 0.5), plain]
    for i, one in enumerate(parts):
        assert not any(np.array_equal(one, other) for other in parts[i + 1 :])
    # Where no whole step lies between the two, the one in their middle acts.
    assert np.array_equal(part(0.3, 0.45), part(0.25, 0.5))
    assert np.array_equal(part(0.9, 1), part(0.75, 1))
    for span in ((0, 0.95), (0.05, 1), (0.7, 0.8)):
        assert np.array_equal(part(*span, "tiny-instaflow"), part(0, 1, "tiny-instaflow"))


def test_it_sees_what_the_unet_sees(tiny_registry):
    """Also where the scheduler gives the U-Net a scaled sample and a timestep between the whole ones."""

    def build(folder):
        tiny_unet(6).save_pretrained(folder / "unet")
        RectifiedFlowScheduler(prediction_type="epsilon").save_pretrained(folder / "scheduler")

    tiny_registry.publish("matched", build, tiny_card("matched", "rectified-flow", 3, 2.0, "tiny-sd"))
    worker = Worker(tiny_registry, device="cpu")
    draw(worker, LINE, model="matched")
    seen = {"unet": [], "controlnet": []}
    (net,) = (worker._residence.get(key) for key in list(worker._residence) if key[0] == "controlnet")
    unet = worker._models.get("matched").pipeline.unet
    for name, module in (("unet", unet), ("controlnet", net)):
        module.register_forward_pre_hook(
            lambda _, args, kwargs, name=name: seen[name].append(
                (
                    kwargs.get("sample", args[0] if args else None),
                    args[1] if len(args) > 1 else kwargs["timestep"],
                )
            ),
            with_kwargs=True,
        )
    draw(worker, LINE, model="matched")
    assert len(seen["unet"]) == len(seen["controlnet"]) == 3
    for (sample, time), (same, moment) in zip(seen["unet"], seen["controlnet"], strict=True):
        assert torch.equal(sample, same)
        assert torch.equal(time, moment)
    assert any(time != time.round() for _, time in seen["unet"])
    worker.close()


def test_a_frame_follows_it_and_at_a_key_frame_it_is_the_picture(worker):
    keys = (KeyFrame("a lake", 3), KeyFrame("a mountain", 4))
    way = Way(keys, (0.0,), PictureSettings("a lake", "tiny-instaflow", control=(LINE,)))
    drawn = result_of(worker.draw(way.picture, between=way))
    assert np.array_equal(np.asarray(drawn.image), draw(worker, LINE))
    assert drawn.way.at_key_frame().control == (replace(LINE, preprocessor="none"),)


def test_a_map_of_another_size_is_fitted_to_the_picture(worker):
    wide = encode_map(Image.new("RGB", (300, 100), "white"))
    assert draw(worker, Control("tiny-canny", wide)).shape == (96, 96, 3)


def test_least_recently_used_ones_make_room(worker):
    draw(worker, LINE, OTHER)
    nets = [key for key in worker._residence if key[0] == "controlnet"]
    draw(worker, LINE, OTHER, model="tiny-sd")
    assert [key for key in worker._residence if key[0] == "controlnet"] == nets  # shared by the models


def test_one_that_becomes_another_where_it_lies_is_drawn_with(tiny_registry, tmp_path):
    weights = tiny_registry.folders[0].parent / "controlnets" / "tiny-canny" / WEIGHTS["controlnet"]
    away = weights.rename(tmp_path / "away.safetensors")
    weights.symlink_to(away)
    worker = Worker(tiny_registry, device="cpu")
    before = draw(worker, LINE)
    save_file({name: 2 * each for name, each in load_file(away).items()}, away)
    assert not np.array_equal(draw(worker, LINE), before)
    worker.close()


def test_a_wrong_one_is_refused_and_the_worker_lives(tiny_registry):
    worker = Worker(tiny_registry, device="cpu")
    plain = draw(worker)
    config = tiny_registry.folders[0].parent / "controlnets" / "tiny-canny" / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"cross_attention_dim": 2048}))
    with pytest.raises(UserError, match="made for SDXL, cross-attention width 2048; this model has 32"):
        draw(worker, LINE)
    with pytest.raises(UserError, match="no ControlNet 'nothing'"):
        draw(worker, Control("nothing", LINE.image))
    assert np.array_equal(draw(worker), plain)
    worker.close()


@pytest.mark.parametrize(
    ("control", "message"),
    [
        ((LINE,) * 3, "There are 3 controls; at most 2"),
        ((Control("../x", LINE.image),), "ControlNet id '../x'"),
        ((Control("tiny-canny", "nothing"),), "picture"),
        ((Control("tiny-canny", ""),), "picture cannot be read"),
        ((acting(strength=-0.1),), "ControlNet tiny-canny: strength is -0.1"),
        ((acting(strength=2.1),), "strength is 2.1"),
        ((acting(strength=float("nan")),), "strength is nan"),
        ((acting(start=-1),), "start is -1"),
        ((acting(start=0.5, end=0.5),), "start must be the smaller"),
        ((acting(end=1.5),), "end is 1.5"),
    ],
)
def test_values_out_of_range_are_named(worker, control, message):
    with pytest.raises(UserError, match=message):
        draw(worker, *control)
