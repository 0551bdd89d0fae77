"""Pictures made from another one: what stays, what a picture carries, and what is refused."""

import base64
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rf_app.actions import edit as module
from rf_app.actions import invert as inversion
from rf_app.actions.asking import File, asking
from rf_app.actions.edit import Edit, advice, answer, edit, editing_model
from rf_app.actions.generate import Generate, generate
from rf_app.actions.progress import Progress
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline import start as start_module
from rf_app.pipeline.start import check_start
from rf_app.registry.permission import Permission
from rf_app.settings.picture import PictureSettings
from rf_app.settings.start import Start

SIDE = 96
RAMP = np.linspace(0, 255, SIDE).astype(np.uint8)
PHOTO = Image.fromarray(
    np.stack([np.tile(RAMP, (SIDE, 1)), np.tile(RAMP, (SIDE, 1)).T, np.full((SIDE, SIDE), 90, np.uint8)], 2)
)
LAKE = PictureSettings("a lake", "tiny-2rf", seed=5)


def text(image, form="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return base64.b64encode(buffer.getvalue()).decode()


def make(app, settings=LAKE, image=PHOTO, **start):
    [picture] = results(edit(app, Edit(settings, Start(text(image), **start))))
    return picture


def pixels(picture):
    return np.asarray(picture.drawn.image)


def right_half():
    mask = Image.new("L", (SIDE, SIDE))
    mask.paste(255, (SIDE // 2, 0, SIDE, SIDE))
    return mask


@pytest.mark.parametrize("model", ["tiny-2rf", "tiny-instaflow"])
def test_at_full_strength_nothing_of_it_is_left(app, model):
    settings = PictureSettings("a lake", model, seed=5)
    [plain] = results(generate(app, Generate(settings)))
    assert np.array_equal(pixels(make(app, settings, strength=1)), pixels(plain))


def test_little_strength_stays_near(app):
    near, far = (make(app, strength=strength) for strength in (0.1, 0.9))
    old = pixels(make(app, strength=0))
    distance = [np.abs(pixels(each).astype(float) - old).mean() for each in (near, far)]
    assert 0 < distance[0] < 0.8 * distance[1]


def test_every_pixel_outside_the_mask_stays(app):
    made = pixels(make(app, strength=1, mask=text(right_half())))
    assert np.array_equal(made[:, : SIDE // 2], np.asarray(PHOTO)[:, : SIDE // 2])
    assert not np.array_equal(made[:, SIDE // 2 :], np.asarray(PHOTO)[:, SIDE // 2 :])


def test_followed_back_under_its_own_words_it_comes_again(app):
    """But for what the autoencoder loses, which strength 0 loses, too."""
    settings = PictureSettings("a lake", "tiny-2rf", steps=25, guidance=1, seed=5)
    again, mixed = (make(app, settings, strength=0.6, shows=shows) for shows in ("a lake", None))
    old = pixels(make(app, settings, strength=0)).astype(float)
    assert np.abs(pixels(again) - old).mean() < 1 < np.abs(pixels(mixed) - old).mean()


def test_learned_noise_is_a_way_of_its_own_and_is_told_of(app, monkeypatch):
    monkeypatch.setattr(start_module, "ITERATIONS", 5)
    settings = PictureSettings("a lake", "tiny-2rf", steps=10, guidance=1, seed=5)
    start = Start(text(PHOTO), 0.9, "a lake", "learned")
    steps = [
        each for each in app.draw(app.prepared(settings), start=check_start(start, (SIDE, SIDE))) if each
    ]
    assert [each.done for each in steps] == list(range(1, 15))
    assert {each.of for each in steps} == {5 + 9}
    ways = ({"shows": "a lake", "inversion": "learned"}, {"shows": "a lake"}, {})
    found = [make(app, settings, strength=0.9, **way) for way in ways]
    assert len({each.png for each in found}) == 3
    assert found[0].drawn.start.inversion == "learned"


def test_strangers_learn_no_noise(app):
    strangers = replace(app, permission=Permission(open_to_strangers=True))
    with pytest.raises(UserError, match="Learned inversion is off on this public page"):
        make(strangers, shows="a lake", inversion="learned")


def test_learning_ends_when_who_asked_has_left(app, monkeypatch):
    monkeypatch.setattr(start_module, "ITERATIONS", 10**9)
    events = edit(app, Edit(LAKE, Start(text(PHOTO), 0.9, "a lake", "learned")))
    next(each for each in events if isinstance(each, Progress))
    events.close()
    assert make(app, strength=0.5).drawn.image.size == (SIDE, SIDE)  # the worker is free


def test_a_picture_comes_back_from_its_noise_nearer_in_more_steps(app, tmp_path):
    PHOTO.save(tmp_path / "photo.png")
    given = {"image": File("photo.png", tmp_path / "photo.png"), "prompt": "a lake", "model": "tiny-2rf"}
    psnr = []
    for steps in (1, 16):
        found = results(inversion.invert(app, asking(inversion).wish(given | {"steps": steps})))
        file, said = inversion.answer(app, found)
        psnr.append(said["psnr"] or math.inf)  # null where they are the same
        assert file.content == found[0].again.png
        assert (said["steps"], said["start"]["inversion"]) == (steps, "corrected")
    assert psnr[0] < psnr[1]


def test_it_carries_what_makes_it_again(app, tmp_path):
    made = make(app, strength=0.7, shows="a tent", mask=text(right_half()))
    path = tmp_path / made.name
    path.write_bytes(made.png)
    found = restore(app, path)
    [again] = results(edit(app, Edit(found.settings, found.start)))
    assert again.png == made.png
    file, said = answer(app, [made])
    assert file.content == made.png
    begun = said["start"]
    assert (begun["strength"], begun["shows"], len(begun["image"])) == (0.7, "a tent", 16)


def test_any_picture_is_cut_to_the_shape_of_the_new_one(app):
    wide = PictureSettings("a lake", "tiny-2rf", steps=1, width=128, height=64)
    made = make(app, wide, PHOTO.resize((40, 300)).convert("LA"), mask=text(Image.new("1", (7, 7), 1)))
    assert made.drawn.image.size == (128, 64)
    assert make(app, image=Image.new("RGBA", (9, 9), (255, 0, 0, 0)), strength=0.5).drawn.image.size == (
        SIDE,
        SIDE,
    )


def test_a_model_is_chosen_and_one_that_smears_is_named(app):
    assert (
        make(app, PictureSettings("a lake"), strength=0.5).drawn.settings.model
        == editing_model(app)
        == "tiny-2rf"
    )
    assert "smears" in advice(app, app.registry.card("tiny-instaflow"))
    assert advice(app, app.registry.card("tiny-sd")) == ""


def test_a_program_gives_files(app, tmp_path):
    PHOTO.save(tmp_path / "photo.png")
    photo = File("photo.png", tmp_path / "photo.png")
    given = {"image": photo, "prompt": "a lake", "strength": 0.5, "seed": 5}
    [made] = results(edit(app, asking(module).wish(given)))
    assert made.png == make(app, strength=0.5).png


@pytest.mark.parametrize(
    ("start", "message"),
    [
        ({"strength": 1.5}, "strength is 1.5"),
        ({"strength": float("nan")}, "strength is nan"),
        ({"mask": text(Image.new("L", (SIDE, SIDE)))}, "mask is empty"),
        ({"mask": "?"}, "not base64"),
        ({"shows": 7}, "must be text"),
        ({"inversion": "guessed"}, "one of corrected, learned"),
        ({"inversion": "learned"}, "shows must say"),
    ],
)
def test_bad_values_are_named(app, start, message):
    with pytest.raises(UserError, match=message):
        make(app, **start)


def test_what_is_no_picture_is_refused(app):
    with pytest.raises(UserError, match="cannot be read"):
        results(edit(app, Edit(LAKE, Start(base64.b64encode(b"no picture").decode()))))
