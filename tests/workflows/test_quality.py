"""Quality and cost: what cards carry, and a measurement that is what its parts are by hand."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from rf_app.errors import Cancelled, UserError
from rf_app.metrics import frechet
from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.judge import Judge
from rf_app.metrics.sample import Sample
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Worker
from rf_app.registry.card import read_card, write_card
from rf_app.workflows.background import Progress
from rf_app.workflows.quality import Figures, Measured, figures, in_words, measure
from tests.tiny import tiny_card
from trainers.evaluate import Row, measured

never = bool


def card(tmp_path, content):
    """A card of a model, written and read again."""
    folder = tmp_path / "any"
    folder.mkdir()
    write_card(folder, replace(tiny_card("any", "diffusion", 25, 3.0), measured=content))
    return read_card(folder)


def test_what_evaluate_writes_is_read(tmp_path):
    rows = [
        Row("any", steps, 3.0, fid, {"mean": mean, "land": 1.0}, 9.0, 99.0, seconds, {"prompts": 2000})
        for steps, fid, mean, seconds in ((25, 10.0, 0.9, 0.5), (1, 300.0, 0.2, 0.03))
    ]
    found = figures([card(tmp_path, measured(rows))])
    assert found == [
        Figures("any", "Any", 1, 3.0, 300.0, 0.2, 0.03, 2000),
        Figures("any", "Any", 25, 3.0, 10.0, 0.9, 0.5, 2000),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "no table",
        {},
        {"guidance": 1, "fid": "low", "fidelity": {"mean": 1}, "seconds_per_image": 1},
        {"guidance": 1, "fid": float("nan"), "fidelity": {"mean": 1}, "seconds_per_image": 1},
        {"guidance": 1, "fid": 1, "fidelity": 1, "seconds_per_image": 1},
        {"guidance": 1, "fid": 1, "fidelity": {"mean": 1}, "seconds_per_image": 0},
        {"guidance": None, "fid": 1, "fidelity": {"mean": 1}, "seconds_per_image": 1},
    ],
)
def test_a_row_of_another_form_is_left_out(tmp_path, row):
    good = {"guidance": 1, "fid": 1.5, "fidelity": {"mean": 1}, "seconds_per_image": 1}
    content = {"4 steps": row, "2 steps": good, "0 steps": deepcopy(good), "measured_on": {"prompts": 5}}
    assert [each.steps for each in figures([card(tmp_path, content)])] == [2]


def test_figures_without_a_sample_size_are_left_out(tmp_path):
    good = {"guidance": 1, "fid": 1.5, "fidelity": {"mean": 1}, "seconds_per_image": 1}
    assert figures([card(tmp_path, {"2 steps": good})]) == []


def test_a_measurement_is_what_its_parts_are(studio):
    heard = []
    measure(studio.worker, "tiny-instaflow", 32, None, heard.append, never)
    *ways, found = heard
    assert [(each.done, each.of) for each in ways] == [(i, 32) for i in range(1, 33)]
    assert all(isinstance(each, Progress) for each in ways)
    assert isinstance(found, Measured)

    sample, judge = Sample.load(), Judge.load()
    pictures = [
        studio.worker.generate(GenerateRequest(each.prompt, "tiny-instaflow", seed=each.seed)).images[0]
        for each in sample.prompts[:32]
    ]
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    expected = fidelity(judge.attributes(pixels), [each.stated for each in sample.prompts[:32]], judge.kinds)
    assert found.fidelity == expected
    assert found.fid == pytest.approx(
        frechet.distance(frechet.fit(judge.features(pixels).numpy()), sample.drawings), rel=1e-3
    )
    assert (found.steps, found.guidance, found.prompts) == (1, 1.0, 32)
    assert found.drawings_fid == sample.drawings_fid[32] < found.fid
    assert found.seconds > 0


def test_it_stops_within_a_step(studio):
    heard = []
    with pytest.raises(Cancelled):
        measure(studio.worker, "tiny-sd", 32, 2, heard.append, lambda: len(heard) >= 2)
    assert len(heard) == 2


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompts": 0}, "prompts is 0; it must be one of 32, 64, 128, 256"),
        ({"prompts": 10_000}, "prompts is 10000"),
        ({"steps": 0}, "steps is 0"),
        ({"model": "no-such"}, "no model 'no-such'"),
    ],
)
def test_bad_input_is_named(studio, values, message):
    wish = {"model": "tiny-instaflow", "prompts": 32, "steps": 1} | values
    with pytest.raises(UserError, match=message):
        measure(studio.worker, emit=print, cancelled=never, **wish)


def test_a_model_of_another_world_is_refused(tiny_registry):
    write_card(tiny_registry.folder("tiny-2rf"), replace(tiny_registry.card("tiny-2rf"), resolution=512))
    worker = Worker(tiny_registry, "cpu")
    with pytest.raises(UserError, match="512×512"):
        measure(worker, "tiny-2rf", 32, 1, print, never)
    worker.close()


def test_the_words_follow_the_figures():
    slow = Figures("sd", "Pocket SD", 25, 3.0, 10.0, 0.981, 0.95, 2000)
    quick = Figures("one", "InstaFlow", 1, 1.0, 15.0, 0.962, 0.038, 2000)
    assert in_words([quick, slow]) == (
        "Pocket SD at 25 steps shows 98.1% of what the prompt states, in 950 ms. "
        "InstaFlow at one step shows 96.2%, 25.0 times quicker: 38 ms."
    )
    assert in_words([quick]) == "InstaFlow at one step shows 96.2% of what the prompt states, in 38 ms."
    assert in_words([]) == ""
