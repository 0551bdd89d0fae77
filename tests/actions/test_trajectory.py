"""Several models from the same noise: all of them, in turn, whatever becomes of one; and the words."""

import shutil
from dataclasses import replace

import pytest
import torch
from PIL import Image

from rf_app.actions.attempt import Attempt
from rf_app.actions.progress import Progress
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.actions.trajectory import Followed, TrajectorySettings, in_words, trajectory
from rf_app.errors import UserError
from rf_app.pipeline.trajectory import Trajectory
from rf_app.plugins.picture import encode_map
from rf_app.registry.card import write_card
from rf_app.registry.loras import WEIGHTS, LoraCard
from rf_app.settings.picture import Control, Lora, PictureSettings
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load


@pytest.fixture
def ann(own_app):
    """A visitor of an application with a style and a LoRA for few steps."""
    unet = load(own_app.registry, "tiny-sd").unet
    for id, kind in (("ink", ""), ("quick", "consistency")):
        folder = own_app.loras.folders[-1] / id
        write(folder / WEIGHTS, random_lora(unet, size=0.4))
        write_card(folder, LoraCard(id, id, kind=kind))
    return own_app.seen_by("ann")


def wish(*models, **values):
    return TrajectorySettings(**{"prompt": "a lake", "models": models, "steps": 4, "seed": 3} | values)


def test_each_model_as_soon_as_it_is_there(app):
    heard = [each for each in trajectory(app, wish("tiny-sd", "tiny-instaflow")) if each]
    assert [type(each) for each in heard] == [Progress] * 4 + [Followed, Progress, Followed]
    assert [each.done for each in heard if isinstance(each, Progress)] == [2, 4, 6, 8, 9]
    assert {each.of for each in heard if isinstance(each, Progress)} == {9}  # guidance counts double
    sd, one = (each for each in heard if isinstance(each, Followed))
    assert (sd.title, sd.trajectory.steps, one.trajectory.steps) == ("Tiny Sd", 4, 1)
    assert sd.settings["seed"] == one.settings["seed"] == 3
    assert one.trajectory.straightness == pytest.approx(0, abs=1e-6)


def test_a_model_is_followed_once_however_often_it_is_named(app):
    assert len(results(trajectory(app, wish(*["tiny-2rf"] * 3)))) == 1


def test_one_of_each_kind_is_followed_unless_one_says_otherwise(app):
    found = results(trajectory(app, wish(models=None)))
    assert [each.settings["model"] for each in found] == ["tiny-sd", "tiny-2rf", "tiny-instaflow"]


def test_a_model_that_fails_says_why_and_the_others_go_on(own_app):
    shutil.rmtree(own_app.registry.folder("tiny-2rf") / "unet")
    missing, broken, good = results(trajectory(own_app, wish("no-such", "tiny-2rf", "tiny-instaflow")))
    assert "no model 'no-such'" in missing.attempt.error
    assert "missing" in broken.attempt.error
    assert good.trajectory


def test_a_model_that_cannot_draw_the_size_says_so_and_the_others_go_on(own_app):
    folder = own_app.registry.folder("tiny-2rf")
    write_card(folder, replace(own_app.registry.card("tiny-2rf"), largest_side=96))
    small, good = results(trajectory(own_app, wish("tiny-2rf", "tiny-instaflow", width=144)))
    assert "width is 144" in small.attempt.error
    assert good.trajectory


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"prompt": " "}, "prompt is empty"),
        ({"steps": 0}, "steps is 0"),
        ({"steps": 101}, "steps is 101"),
        ({"seed": -1}, "seed is -1"),
        ({"models": []}, "No model is chosen"),
    ],
)
def test_what_is_wrong_for_all_is_said_before_anything_is_done(app, values, message):
    with pytest.raises(UserError, match=message):
        next(trajectory(app, wish(**{"models": ("tiny-instaflow",)} | values)))


def test_it_stops_within_a_step(app):
    events = trajectory(app, wish("tiny-2rf", "tiny-sd", steps=50))
    progress = (each for each in events if isinstance(each, Progress))
    assert [next(progress).done for _ in range(3)] == [2, 4, 6]
    events.close()
    # The worker has gone on to the next wish.
    assert results(trajectory(app, wish("tiny-instaflow")))[0].trajectory


def test_loras_and_a_followed_picture_act_and_stand_in_the_strip(ann, tmp_path):
    control = Control("tiny-canny", encode_map(Image.effect_noise((96, 96), 90)), "canny")
    given = {"loras": (Lora("ink"), Lora("quick")), "control": (control,)}
    models = ("tiny-sd", "tiny-2rf", "tiny-instaflow")
    sd, *others = results(trajectory(ann, wish(*models, **given)))
    assert "With a few-step LoRA Tiny Sd jumps to the picture" in sd.attempt.error
    for each, plain in zip(others, results(trajectory(ann, wish(*models[1:]))), strict=True):
        path = tmp_path / "strip.png"
        path.write_bytes(each.strip.content)
        restored = restore(ann, path).settings
        assert restored.loras == (Lora("ink"),)
        assert restored == each.attempt.settings
        assert each.images[-1].tobytes() != plain.images[-1].tobytes()


def followed(title, straightness, miss, steps=25):
    way = Trajectory(torch.zeros(0), (), (straightness,) * steps, (), miss)
    return Followed(title, Attempt(PictureSettings("a lake", "any")), way)


def test_the_words_follow_the_figures():
    curved, straight, alike = (
        followed("Pocket SD", 812, 0.61),
        followed("2-RF", 58, 0.05),
        followed("Its twin", 800, 0.6),
    )
    one = followed("InstaFlow", 0, 0, steps=1)
    broken = replace(curved, title="Broken", trajectory=None)
    assert in_words([one, straight, broken, curved, alike]) == " ".join(
        (
            "Pocket SD bends (S = 812): one step would miss by 61% of the way, and its estimate goes on",
            "changing. Its twin is about as straight (S = 800): one step would miss by 60% of the way, and",
            "its estimate goes on changing.",
            "2-RF is 14 times straighter (S = 58): one step lands where 25 do, to within 5% of the way.",
            "InstaFlow takes a single step, a straight line by construction.",
        )
    )
    assert in_words([followed("2-RF", 5.8, 0.001, 8)]) == (
        "2-RF stays close to a straight line (S = 5.8): one step lands where 8 do, to within 1% of the way."
    )
    assert in_words([broken]) == ""


def test_a_defect_is_named_by_its_kind(own_app):
    own_app.worker.close()
    (found,) = results(trajectory(own_app, wish("tiny-2rf")))
    assert found.attempt.error == "tiny-2rf failed (RuntimeError)."
