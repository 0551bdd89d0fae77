"""Long prompts and weights: of models that have no vocabulary of their own, as Stable Diffusion's."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from rf_app.pipeline.prompts import MAX_CHUNKS, STRONGEST, chunks, embed, stretches
from rf_app.pipeline.turns import result_of
from rf_app.pipeline.worker import Worker
from rf_app.plugins.picture import encode_map
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS
from rf_app.settings.picture import Control, Lora, PictureSettings
from rf_app.settings.way import KeyFrame, Way
from tests.actions.test_restore import BAR
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load

LONG = "a mountain near a lake at sunset, a red tent"


@pytest.fixture
def worker(tiny_registry):
    # It was made for the other encoder.
    of_any = replace(tiny_registry.card("tiny-2rf"), base_weights="")
    write_card(tiny_registry.folder("tiny-2rf"), of_any)
    folder = tiny_registry.folder("tiny-sd")
    (folder / "vocabulary.json").unlink()
    encoder = load(tiny_registry, "tiny-sd").text_encoder
    torch.nn.init.normal_(
        encoder.get_parameter("final_layer_norm.bias")
    )  # a fresh one's mean is 0, a trained one's is not
    encoder.save_pretrained(folder / "text_encoder")
    worker = Worker(tiny_registry, device="cpu")
    yield worker
    worker.close()


def drawn(worker, prompt, between=None, **values):
    settings = PictureSettings(prompt, **{"model": "tiny-sd", "seed": 3, "steps": 2} | values)
    return result_of(worker.draw(settings, between=between))


def pixels(worker, prompt, **values):
    return np.asarray(drawn(worker, prompt, **values).image).astype(int)


@pytest.mark.parametrize(
    ("prompt", "read"),
    [
        ("a (cat:1.3) b", [("a ", 1), ("cat", 1.3), (" b", 1)]),
        ("((a)) [b]", [("a", 1.21), (" ", 1), ("b", 1 / 1.1)]),
        ("(a (b:2) c", [("a ", 1.1), ("b", 2.2), (" c", 1.1)]),  # never closed: to the end
        ("a) b: c] 3:30 <3", [("a) b: c] 3:30 <3", 1)]),
        ("\\(a\\) \\b", [("(a", 1), (") \\b", 1)]),
        ("(a: .5 ) b", [("a", 0.5), (" b", 1)]),
        ("(a:1.2.3)", [("a:1.2.3", 1.1)]),
        ("a <lora:b:1> (c)", [("a ", 1), (" ", 1), ("c", 1.1)]),
        ("(a:1e9)", [("a:1e9", 1.1)]),
        (f"(a:{'9' * 400})((b:9):9)", [("a", STRONGEST), ("b", STRONGEST)]),
        ("(((", []),
        ("", []),
    ],
)
def test_weights_as_people_share_them(prompt, read):
    found = [(prompt[start:end], pytest.approx(weight)) for start, end, weight in stretches(prompt)]
    assert read == found


@pytest.mark.parametrize("prompt", ["", "a lake", "A  lake: 3:30, \n(\\(", "x" * 30, "湖🏔"])
def test_one_chunk_without_weights_is_what_the_library_makes_of_it(worker, prompt):
    pipeline = load(worker.registry, "tiny-sd")
    prompt = prompt.replace("(\\(", "\\(")
    with torch.inference_mode():
        stock, _ = pipeline.encode_prompt(prompt.replace("\\(", "("), "cpu", 1, False)
        assert torch.equal(embed(pipeline, prompt, weighted=True), stock)
        stock, _ = pipeline.encode_prompt(f"({prompt}) {LONG}", "cpu", 1, False)
        assert torch.equal(embed(pipeline, f"({prompt}) {LONG}", weighted=False), stock)


def test_a_weight_scales_its_tokens_and_keeps_the_mean(worker):
    pipeline = load(worker.registry, "tiny-sd")
    with torch.inference_mode():
        plain, scaled = (embed(pipeline, text, weighted=True) for text in ("a lake", "a (lake:1.5)"))
    assert torch.allclose(scaled.mean(), plain.mean(), rtol=1e-4)
    ratio = (scaled / plain)[0, :, 0]
    expected = torch.ones(32)
    expected[2:6] = 1.5  # after the beginning and "a"
    assert torch.allclose(ratio / ratio[0], expected, rtol=1e-4)


def test_a_long_prompt_is_read_in_chunks(worker):
    pipeline = load(worker.registry, "tiny-sd")
    read, rest = chunks(pipeline.tokenizer, "x" * 200, weighted=True)
    assert [len(chunk) for chunk in read] == [30] * MAX_CHUNKS
    assert rest[0].start == 30 * MAX_CHUNKS
    with torch.inference_mode():
        both = embed(pipeline, "x" * 30 + "y" * 4, weighted=True)
        parts = [embed(pipeline, text, weighted=True) for text in ("x" * 30, "y" * 4)]
    # The last letter of a word is another token than one within.
    assert both.shape == (1, 64, 32)
    assert torch.equal(both[:, 32:], parts[1])


@pytest.mark.parametrize("guidance", [1.0, 2.0])
def test_all_of_a_prompt_shows_and_so_do_weights(worker, guidance):
    plain = pixels(worker, LONG, guidance=guidance)
    assert (plain != pixels(worker, f"{LONG}s", guidance=guidance)).any()
    assert (plain != pixels(worker, LONG.replace("red", "(red:1.4)"), guidance=guidance)).any()
    assert (plain == pixels(worker, f"<lora:ink:1>{LONG}", guidance=guidance)).all()
    assert (plain == pixels(worker, LONG, guidance=guidance)).all()
    assert drawn(worker, LONG).unread == ""
    assert drawn(worker, f"{'x' * 120}, and more").unread == ", and more"


def test_both_sides_of_guidance_may_be_long(worker):
    short = pixels(worker, "a lake", guidance=2.0)
    long = pixels(worker, "a lake", guidance=2.0, negative_prompt=LONG)
    assert (short != long).any()
    assert (long != pixels(worker, "a lake", guidance=2.0, negative_prompt=LONG[:-4])).any()


def test_a_model_with_a_vocabulary_reads_the_text_as_it_stands(worker, tiny_models):
    long = drawn(worker, LONG, model="tiny-2rf")
    vocabulary = (tiny_models / "tiny-sd" / "vocabulary.json").read_bytes()
    own = worker.registry.folder("tiny-2rf")
    again = worker.registry.folder("tiny-sd")
    assert long.unread == ""
    (own / "vocabulary.json").write_bytes(vocabulary)
    again.touch()
    own.touch()
    pocket = drawn(worker, LONG, model="tiny-2rf")  # the same text encoder: nothing is taken from before
    assert pocket.unread == "d tent"
    assert pocket.image.tobytes() != long.image.tobytes()
    assert (
        drawn(worker, "a (lake:1.5)", model="tiny-2rf").image.tobytes()
        != drawn(worker, "a lake", model="tiny-2rf").image.tobytes()
    )


def test_between_prompts_of_unequal_length_the_way_is_smooth_and_ends_in_their_pictures(worker):
    keys = (KeyFrame("a lake", 3), KeyFrame(LONG, 3), KeyFrame("a tent", 4))
    settings = PictureSettings("a lake", "tiny-sd", 2, 2.0, seed=3)

    def at(position):
        return drawn(worker, "", between=Way(keys, (position,), settings)).image.tobytes()

    assert at(0.0) == drawn(worker, "a lake", guidance=2.0).image.tobytes()
    assert at(0.5) == drawn(worker, LONG, guidance=2.0).image.tobytes()
    assert len({at(position) for position in (0.0, 0.2, 0.4, 0.6)}) == 4


def test_loras_and_controlnets_go_with_long_prompts(worker):
    stock = load(worker.registry, "tiny-sd")
    write(worker.loras.folders[-1] / "ink" / WEIGHTS, random_lora(None, stock.text_encoder, size=0.5))
    plain = pixels(worker, LONG)
    assert (plain != pixels(worker, LONG, loras=(Lora("ink"),))).any()
    assert (plain != pixels(worker, LONG, control=(Control("tiny-canny", encode_map(BAR), "none"),))).any()
    assert (plain == pixels(worker, LONG)).all()
