"""The worker on tiny real models: same seed same pixels, one thread, and nothing that kills it."""

from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from threading import Event

import numpy as np
import pytest
import torch
from transformers import CLIPTokenizer

from rf_app.errors import UserError
from rf_app.pipeline.decoding import BLOCKS
from rf_app.pipeline.turns import Step, result_of
from rf_app.pipeline.worker import Worker
from rf_app.registry import loading
from rf_app.registry.card import write_card
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import solvers
from rf_app.settings.picture import PictureSettings
from tests.tiny import load, tiny_card, tiny_flow, tiny_tokenizer, tiny_unet

MODELS = ["tiny-sd", "tiny-2rf", "tiny-instaflow"]
KIND = {"tiny-sd": "diffusion", "tiny-2rf": "rectified-flow", "tiny-instaflow": "one-step"}


def turn(worker, **values):
    return worker.draw(PictureSettings(**({"prompt": "a lake", "model": "tiny-instaflow"} | values)))


def ask(worker, **values):
    return result_of(turn(worker, **values))


def pixels(worker, **values):
    return np.asarray(ask(worker, **values).image)


@pytest.mark.parametrize("model", MODELS)
def test_a_result_says_what_was_done(worker, model):
    result = ask(worker, model=model, seed=5, prompt=" a dragon near a lake ")
    card = worker.registry.card(model)
    assert (result.image.size, result.image.mode) == ((96, 96), "RGB")
    assert (result.settings.prompt, result.settings.seed) == ("a dragon near a lake", 5)
    assert (result.settings.steps, result.settings.guidance) == (card.steps, card.guidance)
    assert result.way is None
    assert result.unknown_words == ("dragon",)
    assert result.unread == ""
    times = result.timings
    assert min(times.text, times.unet, times.decode) > 0
    assert times.total >= times.text + times.unet + times.decode


def test_the_end_of_a_long_prompt_is_named(worker):
    """The tiny tokenizer has 30 places, one a letter; the stock pipeline cuts at the same one."""
    letters = "abcdefghijklmnopqrstuvwxyz1234"
    result = ask(worker, prompt=f"{letters}5 À la fin")
    assert result.unread == "5 À la fin"
    assert ask(worker, prompt=letters).unread == ""
    assert np.array_equal(np.asarray(result.image), pixels(worker, prompt=letters))


@pytest.mark.parametrize(
    ("model", "size"), [*((model, {}) for model in MODELS), ("tiny-sd", {"width": 64, "height": 120})]
)
def test_the_stock_pipeline_gives_the_same_picture(worker, model, size):
    values = {"seed": 11, "steps": 3, "guidance": 2.0, "negative_prompt": "night"}
    found = pixels(worker, model=model, **values, **size)
    stock = load(worker.registry, model)
    expected = stock(
        "a lake",
        negative_prompt="night",
        num_inference_steps=3,
        guidance_scale=2.0,
        generator=torch.Generator("cpu").manual_seed(11),
        **size,
    ).images[0]
    # The worker's memory layout rounds differently in the last bits.
    assert np.abs(found.astype(int) - np.asarray(expected).astype(int)).max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_same_pixels(worker, model):
    alone = pixels(worker, model=model, seed=3)
    assert alone.std() > 1  # not one flat colour
    for other in MODELS:
        ask(worker, model=other, seed=8, steps=2, guidance=3.0, prompt="another", negative_prompt="thing")
    assert np.array_equal(pixels(worker, model=model, seed=3), alone)
    assert not np.array_equal(pixels(worker, model=model, seed=2), alone)


def test_prompt_guidance_and_negative_prompt_matter(worker):
    base = {"model": "tiny-2rf", "seed": 1}
    pictures = [
        pixels(worker, **base, **change)
        for change in (
            {"guidance": 1.0},
            {"guidance": 1.0, "prompt": "zzz"},
            {"guidance": 8.0},
            {"guidance": 8.0, "negative_prompt": "zzz"},
        )
    ]
    for i, first in enumerate(pictures):
        assert not any(np.array_equal(first, other) for other in pictures[i + 1 :])


def test_any_unicode_prompt(worker):
    for prompt in ("山と湖", "озеро", "🌄", "a\0\x07", "x" * 2000, "<b>'\";--"):
        assert ask(worker, prompt=prompt).image


def test_many_threads_at_once_give_what_each_gives_alone(worker):
    requests = [{"model": MODELS[i % 3], "seed": i, "prompt": f"lake {i}"} for i in range(6)]
    alone = [pixels(worker, **request) for request in requests]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda request: pixels(worker, **request), requests))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_user_errors_pass_through_and_the_worker_lives(worker):
    with pytest.raises(UserError, match="prompt is empty"):
        ask(worker, prompt=" ")
    with pytest.raises(UserError, match="no model 'nothing'"):
        ask(worker, model="nothing")
    with pytest.raises(UserError, match="use 1 to 64"):
        ask(worker, model="../../etc")
    assert ask(worker).image


def test_a_crash_in_a_picture_does_not_kill_the_worker(worker):
    expected = pixels(worker, model="tiny-2rf")

    def crash(moment):
        if moment.done:
            raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        result_of(worker.draw(PictureSettings("a lake", "tiny-2rf"), observe=crash))
    assert np.array_equal(pixels(worker, model="tiny-2rf"), expected)


@pytest.mark.parametrize(("solver", "calls"), [("euler", 3), ("heun", 6)])
def test_steps_are_calls_of_the_unet(worker, solver, calls):
    heard = [step for step in turn(worker, model="tiny-2rf", steps=3, solver=solver) if step]
    assert heard == [Step(i, calls) for i in range(1, calls + 1)]


def test_who_leaves_ends_the_picture_within_a_step(worker):
    calls = []
    unet = worker._turns.wait_for(lambda: worker._models.get("tiny-2rf")).pipeline.unet
    unet.register_forward_hook(lambda *_: calls.append(1))
    drawing = turn(worker, model="tiny-2rf", steps=100)
    while next(drawing) is None:
        pass
    drawing.close()
    so_far = len(calls)
    ask(worker)  # which comes after what was left
    assert so_far <= len(calls) <= so_far + 1 < 100


def test_who_leaves_ends_the_picture_within_the_decoder_too(worker):
    vae = worker._turns.wait_for(lambda: worker._models.get("tiny-instaflow")).pipeline.vae
    blocks = [each for each in vae.decoder.modules() if isinstance(each, BLOCKS)]
    passed, left = [], Event()

    def hold(*_):
        passed.append(1)
        left.wait(60)

    for block in blocks:
        block.register_forward_pre_hook(hold)
    drawing = turn(worker)
    while not passed:
        next(drawing)
    drawing.close()
    left.set()
    ask(worker)  # which comes after what was left
    assert len(passed) == 1 + len(blocks)


def test_models_share_what_they_take_from_their_base(worker):
    for model in MODELS:
        ask(worker, model=model)
    sd, rf, instaflow = (worker._models.get(model).pipeline for model in MODELS)
    assert sd.vae is rf.vae is instaflow.vae
    assert sd.text_encoder is rf.text_encoder is instaflow.text_encoder
    assert len({id(pipeline.unet) for pipeline in (sd, rf, instaflow)}) == 3


def test_a_model_published_anew_is_loaded_anew(worker):
    registry = worker.registry
    before = pixels(worker)

    def build(folder):
        tiny_unet(99).save_pretrained(folder / "unet")
        RectifiedFlowScheduler().save_pretrained(folder / "scheduler")

    registry.publish("tiny-instaflow", build, registry.card("tiny-instaflow"), overwrite=True)
    assert not np.array_equal(pixels(worker), before)


def test_a_model_that_is_replaced_while_it_is_loaded_is_loaded_again(worker, monkeypatch):
    registry, loaded = worker.registry, []

    def load_and_be_late(pieces, *rest):
        pipeline = loading.load(pieces, *rest)
        if not loaded:
            id = "tiny-instaflow"
            registry.publish(id, tiny_flow(9), registry.card(id), overwrite=True)
        loaded.append(pieces)
        return pipeline

    monkeypatch.setattr("rf_app.pipeline.models.load", load_and_be_late)
    image = ask(worker, seed=1).image
    assert len(loaded) == 2
    fresh = Worker(registry, device="cpu")
    assert ask(fresh, seed=1).image.tobytes() == image.tobytes()
    fresh.close()


def test_a_card_written_anew_is_read_anew(worker):
    assert ask(worker).settings.steps == 1
    write_card(
        worker.registry.folder("tiny-instaflow"), tiny_card("tiny-instaflow", "one-step", 2, 1.0, "tiny-2rf")
    )
    assert ask(worker).settings.steps == 2


def test_a_broken_model_is_named_and_the_others_work(worker):
    weights = worker.registry.folder("tiny-2rf") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a complete safetensors file"):
        ask(worker, model="tiny-2rf")
    weights.unlink()
    weights.symlink_to("gone")
    with pytest.raises(UserError, match="is a link to gone, which is gone"):
        ask(worker, model="tiny-2rf")
    weights.with_name("config.json").write_text("{")
    with pytest.raises(UserError, match=r"config\.json: not valid JSON"):
        ask(worker, model="tiny-2rf")
    assert ask(worker).image


def test_models_of_one_text_encoder_and_two_tokenizers_read_a_prompt_each_in_its_way(worker):
    registry, other = worker.registry, tiny_tokenizer()
    words = other.get_vocab()
    turned = dict(zip(words, reversed(words.values()), strict=True))

    def build(folder):
        tiny_flow(5)(folder)
        CLIPTokenizer(turned, [], model_max_length=32).save_pretrained(folder / "tokenizer")

    registry.publish("mine", build, tiny_card("mine", "one-step", 1, 1.0, "tiny-2rf"))
    after = pixels(worker, model="tiny-instaflow"), pixels(worker, model="mine")
    assert not np.array_equal(*after)


SOLVERS = [(model, solver) for model in MODELS for solver in solvers(KIND[model])]


def test_every_solver_gives_its_own_pixels_whatever_ran_before(worker):
    """A scheduler keeps the state of a run, and one that is left leaves half of one."""

    def draw(model, solver):
        return pixels(worker, model=model, solver=solver, seed=3, steps=4)

    alone = {each: draw(*each) for each in SOLVERS}
    left = turn(worker, prompt="a tent", model="tiny-sd", steps=100)
    while next(left) is None:
        pass
    left.close()
    mixed = {each: draw(*each) for each in reversed(SOLVERS)}
    assert all(np.array_equal(mixed[each], alone[each]) for each in SOLVERS)
    for model in MODELS:
        own = [alone[model, solver] for solver in solvers(KIND[model])]
        assert not any(np.array_equal(one, other) for one, other in combinations(own, 2))
        assert np.array_equal(draw(model, None), own[0])
