"""Quality and cost: what cards carry, and a measurement that is what its parts are by hand."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from rf_app.actions.generate import Generate, generate
from rf_app.actions.measure import Figures, Measure, Measured, figures, in_words, measure
from rf_app.actions.progress import Progress
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.metrics import frechet
from rf_app.metrics.fidelity import fidelity
from rf_app.metrics.judge import Judge
from rf_app.metrics.sample import Sample
from rf_app.registry.card import read_card, write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.settings.picture import Lora, PictureSettings
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load, tiny_card
from trainers.evaluate import Row, measured

pytestmark = pytest.mark.usefixtures("tiny_pictures_are_judged")


def card(tmp_path, content):
    """A card of a model, written and read again."""
    folder = tmp_path / "any"
    folder.mkdir()
    write_card(folder, replace(tiny_card("any", "diffusion", 25, 3.0), measured=content))
    return read_card(folder)


def test_what_evaluate_writes_is_read(tmp_path):
    on = {"prompts": 2000}
    rows = [
        Row("any", steps, 3.0, fid, 9.0, 99.0, seconds, on, fidelity={"mean": mean, "land": 1.0})
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
        {"guidance": 1, "fid": "nan", "fidelity": {"mean": 1}, "seconds_per_image": "inf"},
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


def test_a_measurement_is_what_its_parts_are(app):
    *ways, found = (each for each in measure(app, Measure("tiny-instaflow", 32)) if each)
    assert [(each.done, each.of) for each in ways] == [(i, 32) for i in range(1, 33)]
    assert all(isinstance(each, Progress) for each in ways)
    assert isinstance(found, Measured)

    sample, judge = Sample.load(), Judge.load()
    wishes = [PictureSettings(each.prompt, "tiny-instaflow", seed=each.seed) for each in sample.prompts[:32]]
    pictures = [results(generate(app, Generate(each)))[0].drawn.image for each in wishes]
    pixels = torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2).float() / 127.5 - 1
    expected = fidelity(judge(pixels), [each.stated for each in sample.prompts[:32]], judge.kinds)
    assert found.fidelity == expected
    assert found.fid == pytest.approx(
        frechet.distance(frechet.fit(judge.features(pixels).numpy()), sample.drawings), rel=1e-3
    )
    assert (found.steps, found.guidance, found.prompts) == (1, 1.0, 32)
    assert found.drawings_fid == sample.drawings_fid[32] < found.fid
    assert found.seconds > 0


def test_a_style_is_measured_along_and_named(own_app):
    folder = own_app.loras.folders[-1] / "ink"
    write(folder / WEIGHTS, random_lora(load(own_app.registry, "tiny-sd").unet, size=0.5))
    write_card(folder, LoraCard("ink", "Ink"))
    plain, inked = (
        results(measure(own_app, Measure("tiny-instaflow", 32, loras=given)))[0]
        for given in ((), (Lora("ink", 0.5),))
    )
    assert (plain.title, inked.title) == ("Tiny Instaflow", "Tiny Instaflow, Ink 0.5")
    assert inked.fid != plain.fid


def test_it_stops_within_a_step(app):
    events = measure(app, Measure("tiny-sd", 32, steps=4))
    progress = (each for each in events if isinstance(each, Progress))
    assert [next(progress).done for _ in range(6)] == [0.25, 0.5, 0.75, 1, 1.25, 1.5]
    events.close()
    # The worker has gone on to the next wish.
    assert results(generate(app, Generate(PictureSettings("a lake", "tiny-instaflow"))))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompts": 0}, "prompts is 0; it must be one of 32, 64, 128, 256"),
        ({"prompts": 10_000}, "prompts is 10000"),
        ({"steps": 0}, "steps is 0"),
        ({"model": "no-such"}, "no model 'no-such'"),
    ],
)
def test_bad_input_is_named(app, values, message):
    wish = Measure(**{"model": "tiny-instaflow", "prompts": 32, "steps": 1} | values)
    with pytest.raises(UserError, match=message):
        results(measure(app, wish))


def test_a_model_of_another_world_is_refused(own_app):
    card = replace(own_app.registry.card("tiny-2rf"), resolution=512)
    write_card(own_app.registry.folder("tiny-2rf"), card)
    with pytest.raises(UserError, match="512×512"):
        results(measure(own_app, Measure("tiny-2rf", 32, 1)))


def test_the_words_follow_the_figures():
    slow = Figures("sd", "Pocket SD", 25, 3.0, 10.0, 0.981, 0.95, 2000)
    quick = Figures("one", "InstaFlow", 1, 1.0, 15.0, 0.962, 0.038, 2000)
    assert in_words([quick, slow]) == (
        "Pocket SD at 25 steps shows 98.1% of what the prompt states, in 950 ms. "
        "InstaFlow at one step shows 96.2%, 25.0 times quicker: 38 ms."
    )
    assert in_words([quick]) == "InstaFlow at one step shows 96.2% of what the prompt states, in 38 ms."
    assert in_words([]) == ""
