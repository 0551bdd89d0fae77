"""The worker on tiny real models: same seed same pixels, one thread, and nothing that kills it."""

import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations

import numpy as np
import pytest
import torch

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Worker
from rf_app.registry import loading
from rf_app.registry.card import write_card
from rf_app.schedulers.rectified_flow import RectifiedFlowScheduler
from rf_app.schedulers.solvers import solvers
from tests.tiny import load, tiny_card, tiny_flow, tiny_unet

MODELS = ["tiny-sd", "tiny-2rf", "tiny-instaflow"]
KIND = {"tiny-sd": "diffusion", "tiny-2rf": "rectified-flow", "tiny-instaflow": "one-step"}


@pytest.fixture
def worker(tiny_registry):
    worker = Worker(tiny_registry, device="cpu")
    yield worker
    worker.close()


def pixels(result):
    return [np.asarray(image) for image in result.images]


def ask(worker, **values):
    return worker.generate(GenerateRequest(**({"prompt": "a lake", "model": "tiny-instaflow"} | values)))


@pytest.mark.parametrize("model", MODELS)
def test_a_result_says_what_was_done(worker, model):
    result = ask(worker, model=model, seed=5, count=2, prompt=" a dragon near a lake ")
    card = worker.registry.card(model)
    assert [image.size for image in result.images] == [(96, 96)] * 2
    assert all(image.mode == "RGB" for image in result.images)
    assert result.seeds == (5, 6)
    assert result.request.prompt == "a dragon near a lake"
    assert (result.request.steps, result.request.guidance) == (card.steps, card.guidance)
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
    assert np.array_equal(pixels(result), pixels(ask(worker, prompt=letters)))


@pytest.mark.parametrize("model", MODELS)
def test_the_stock_pipeline_gives_the_same_picture(worker, model):
    values = {"seed": 11, "steps": 3, "guidance": 2.0, "negative_prompt": "night"}
    found = pixels(ask(worker, model=model, **values))[0]
    stock = load(worker.registry, model)
    expected = stock(
        "a lake",
        negative_prompt="night",
        num_inference_steps=3,
        guidance_scale=2.0,
        generator=torch.Generator("cpu").manual_seed(11),
    ).images[0]
    # The worker's memory layout rounds differently in the last bits.
    assert np.abs(found.astype(int) - np.asarray(expected).astype(int)).max() <= 1


@pytest.mark.parametrize("model", MODELS)
def test_same_seed_same_pixels(worker, model):
    alone = pixels(ask(worker, model=model, seed=3))[0]
    assert alone.std() > 1  # not one flat colour
    for other in MODELS:
        ask(worker, model=other, seed=8, steps=2, guidance=3.0, prompt="another", negative_prompt="thing")
    among = pixels(ask(worker, model=model, seed=1, count=4))
    assert np.array_equal(among[2], alone)
    assert not np.array_equal(among[1], alone)


def test_seeds_wrap_around(worker):
    result = ask(worker, seed=2**32 - 1, count=2)
    assert result.seeds == (2**32 - 1, 0)
    assert np.array_equal(pixels(result)[1], pixels(ask(worker, seed=0))[0])


def test_prompt_guidance_and_negative_prompt_matter(worker):
    base = {"model": "tiny-2rf", "seed": 1}
    pictures = [
        pixels(ask(worker, **base, **change))[0]
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
    for prompt in ("山と湖", "озеро", "🌄", "\0\x07", "x" * 2000, "<b>'\";--"):
        assert len(ask(worker, prompt=prompt).images) == 1


def test_many_threads_at_once_give_what_each_gives_alone(worker):
    requests = [{"model": MODELS[i % 3], "seed": i, "prompt": f"lake {i}"} for i in range(6)]
    alone = [pixels(ask(worker, **request))[0] for request in requests]
    with ThreadPoolExecutor(6) as threads:
        together = list(threads.map(lambda request: pixels(ask(worker, **request))[0], requests))
    assert all(np.array_equal(a, b) for a, b in zip(alone, together, strict=True))


def test_user_errors_pass_through_and_the_worker_lives(worker):
    with pytest.raises(UserError, match="prompt is empty"):
        ask(worker, prompt=" ")
    with pytest.raises(UserError, match="no model 'nothing'"):
        ask(worker, model="nothing")
    with pytest.raises(UserError, match="use 1 to 64"):
        ask(worker, model="../../etc")
    assert ask(worker).images


def test_a_crash_in_a_request_does_not_kill_the_worker(worker):
    expected = pixels(ask(worker, model="tiny-2rf"))[0]

    def crash(done, total):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory"):
        worker.generate(GenerateRequest("a lake", "tiny-2rf"), progress=crash)
    assert np.array_equal(pixels(ask(worker, model="tiny-2rf"))[0], expected)


def test_progress_counts_the_steps_of_all_images(worker):
    seen = []
    request = GenerateRequest("a lake", "tiny-2rf", steps=3, count=2)
    worker.generate(request, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(i, 6) for i in range(1, 7)]


def test_cancelling_between_steps_and_before_the_turn(worker):
    steps = []
    with pytest.raises(Cancelled):
        worker.generate(
            GenerateRequest("a lake", "tiny-2rf", steps=50),
            progress=lambda done, total: steps.append(done),
            cancelled=lambda: len(steps) >= 2,
        )
    assert steps == [1, 2]
    with pytest.raises(Cancelled):
        worker.generate(GenerateRequest("a lake", "nothing"), cancelled=lambda: True)


def test_a_stale_request_is_dropped_when_its_turn_comes(worker):
    """While one request runs, another waits, and is given up before it starts."""
    started, release, stale = threading.Event(), threading.Event(), threading.Event()

    def wait(done, total):
        started.set()
        release.wait(60)

    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(worker.generate, GenerateRequest("a lake", "tiny-instaflow"), wait)
        assert started.wait(60)
        second = threads.submit(worker.generate, GenerateRequest("a", "tiny-instaflow"), None, stale.is_set)
        stale.set()
        release.set()
        assert first.result().images
        with pytest.raises(Cancelled):
            second.result()


def test_models_share_what_they_take_from_their_base(worker):
    for model in MODELS:
        ask(worker, model=model)
    sd, rf, instaflow = (worker._models[model].pipeline for model in MODELS)
    assert sd.vae is rf.vae is instaflow.vae
    assert sd.text_encoder is rf.text_encoder is instaflow.text_encoder
    assert len({id(pipeline.unet) for pipeline in (sd, rf, instaflow)}) == 3


def test_least_recently_used_models_make_room(tiny_registry):
    worker = Worker(tiny_registry, device="cpu", resident=2)
    for model in ("tiny-sd", "tiny-2rf", "tiny-sd", "tiny-instaflow"):
        ask(worker, model=model)
    assert list(worker._models) == ["tiny-sd", "tiny-instaflow"]
    worker.close()


def test_a_model_published_anew_is_loaded_anew(worker):
    registry = worker.registry
    before = pixels(ask(worker))[0]

    def build(folder):
        tiny_unet(99).save_pretrained(folder / "unet")
        RectifiedFlowScheduler().save_pretrained(folder / "scheduler")

    registry.publish("tiny-instaflow", build, registry.card("tiny-instaflow"), overwrite=True)
    assert not np.array_equal(pixels(ask(worker))[0], before)


def test_a_model_that_is_replaced_while_it_is_loaded_is_loaded_again(worker, monkeypatch):
    registry, loaded = worker.registry, []

    def load_and_be_late(pieces, kind, *rest):
        pipeline, id = loading.load(pieces, kind, *rest), pieces["unet"].parent.name
        if not loaded:
            registry.publish(id, tiny_flow(9), registry.card(id), overwrite=True)
        loaded.append(id)
        return pipeline

    monkeypatch.setattr("rf_app.pipeline.worker.load", load_and_be_late)
    request = GenerateRequest("a lake", "tiny-instaflow", seed=1)
    image = worker.generate(request).images[0]
    assert loaded == ["tiny-instaflow"] * 2
    fresh = Worker(registry, device="cpu")
    assert fresh.generate(request).images[0].tobytes() == image.tobytes()
    fresh.close()


def test_a_card_written_anew_is_read_anew(worker):
    assert ask(worker).request.steps == 1
    write_card(
        worker.registry.folder("tiny-instaflow"), tiny_card("tiny-instaflow", "one-step", 2, 1.0, "tiny-2rf")
    )
    assert ask(worker).request.steps == 2


def test_a_broken_model_is_named_and_the_others_work(worker):
    weights = worker.registry.folder("tiny-2rf") / "unet" / "diffusion_pytorch_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(UserError, match="not a complete safetensors file"):
        ask(worker, model="tiny-2rf")
    assert ask(worker).images


SOLVERS = [(model, solver) for model in MODELS for solver in solvers(KIND[model])]


def test_every_solver_gives_its_own_pixels_whatever_ran_before(worker):
    """A scheduler keeps the state of a run, and a cancelled run leaves half of one."""

    def draw(model, solver):
        return pixels(ask(worker, model=model, solver=solver, seed=3, steps=4))[0]

    alone = {each: draw(*each) for each in SOLVERS}
    with pytest.raises(Cancelled):
        worker.generate(
            GenerateRequest("a tent", "tiny-sd", steps=4), cancelled=iter([False, False, True]).__next__
        )
    mixed = {each: draw(*each) for each in reversed(SOLVERS)}
    assert all(np.array_equal(mixed[each], alone[each]) for each in SOLVERS)
    for model in MODELS:
        own = [alone[model, solver] for solver in solvers(KIND[model])]
        assert not any(np.array_equal(one, other) for one, other in combinations(own, 2))
        assert np.array_equal(draw(model, None), own[0])


def test_progress_counts_the_calls_of_the_unet(worker):
    seen = []
    request = GenerateRequest("a lake", "tiny-2rf", steps=2, count=2, solver="heun")
    worker.generate(request, lambda done, of: seen.append((done, of)))
    assert seen == [(i, 8) for i in range(1, 9)]
