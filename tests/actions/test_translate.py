"""Pictures carried over from one kind to another: by which U-Net, what they carry, and what is refused."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from rf_app.actions import translate as module
from rf_app.actions.application import Application
from rf_app.actions.asking import File, asking
from rf_app.actions.collection import things
from rf_app.actions.delete import Delete, delete
from rf_app.actions.export import SINGLE_FILE, Export, export
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.actions.samples import draw_sample, is_quick, opening_settings
from rf_app.actions.translate import Made, Translate, answer, translate
from rf_app.errors import UserError
from rf_app.pipeline.start import encode
from tests.tiny import publish_translation, tiny_unet
from trainers.common.models import decode, load_frozen
from trainers.common.models import encode as embedded

RAMP = np.linspace(0, 255, 96).astype(np.uint8)
PHOTO = Image.fromarray(
    np.stack([np.tile(RAMP, (96, 1)), np.tile(RAMP, (96, 1)).T, np.full((96, 96), 90, np.uint8)], 2)
)


def file(image: Image.Image = PHOTO) -> File:
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return File("photo.png", buffer.getvalue())


@pytest.fixture
def app_with_one(own_app: Application) -> Application:
    """The application with a translation."""
    publish_translation(own_app.translations)
    return own_app


def made(app: Application, **wish: object) -> Made:
    [found] = results(translate(app, Translate(**{"image": file()} | wish)))
    return found


def test_one_step_is_the_distilled_one_and_more_follow_the_flow(app_with_one: Application) -> None:
    one, four = made(app_with_one), made(app_with_one, steps=4)
    pipeline = load_frozen(app_with_one.registry, "tiny-sd")
    with torch.no_grad():
        x, null = encode(pipeline.vae, PHOTO), embedded(pipeline, [""])
        pipeline.unet = tiny_unet(6)
        velocity = pipeline.unet(x, 1000.0, null).sample
    for found, latents in ((one, x + velocity), (four, x)):
        expected = decode(pipeline, latents).detach()[0].permute(1, 2, 0).clamp(-1, 1) * 127.5 + 127.5
        assert np.abs(np.asarray(found.image, float) - expected.numpy()).max() < 1.5
        assert len(found.way) == 6
        assert np.array_equal(found.way[-1], found.image)
    assert np.array_equal(one.way[0], four.way[0])


def test_it_stands_on_its_shelf_with_a_sample_and_can_be_taken_along(
    app_with_one: Application, tmp_path: Path
) -> None:
    [found] = things(app_with_one, "night", "translation")
    assert is_quick(app_with_one, found)
    assert opening_settings(app_with_one, found, None)["translated"]["image"] == ""
    [sample] = results(draw_sample(app_with_one, found))
    settings = opening_settings(app_with_one, found, sample)
    assert settings["translated"]["translation"] == "day-to-night"
    [taken] = results(export(app_with_one, Export(found.key, tmp_path)))
    assert sorted(path.name for path in taken.iterdir() if path.is_dir()) == ["flow", "unet"]
    with pytest.raises(UserError, match="a translation is taken along as it is"):
        results(export(app_with_one, Export(found.key, tmp_path / "other", layout=SINGLE_FILE)))


def test_it_carries_what_makes_it_again(app_with_one: Application, tmp_path: Path) -> None:
    wide = made(app_with_one, image=file(PHOTO.resize((300, 60)).convert("LA")), frames=0)
    assert (wide.image.size, wide.way) == ((96, 96), ())
    path = tmp_path / wide.name
    path.write_bytes(wide.png)
    found = restore(app_with_one, path).translated
    again = made(
        app_with_one,
        image=File("x.png", base64.b64decode(found.image)),
        translation=found.translation,
        steps=found.steps,
    )
    assert again.png == wide.png
    files, said = answer(app_with_one, [again])
    assert [each.name for each in files] == [again.name, f"way-{again.name}"]
    assert (said["translation"], said["source"], said["target"]) == ("day-to-night", "day", "night")
    assert json.dumps(said)


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"translation": "nobody"}, "no translation 'nobody'. Translations at hand: day-to-night"),
        ({"translation": "../x"}, "Translation id"),
        ({"steps": 0}, "steps is 0"),
        ({"frames": 1}, "frames is 1; it must be a whole number in 2..16"),
        ({"image": File("x.png", b"no picture")}, "cannot be read"),
    ],
)
def test_bad_values_are_named(app_with_one: Application, wish: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        made(app_with_one, **wish)


def test_what_is_missing_is_named(app_with_one: Application, app: Application) -> None:
    with pytest.raises(UserError, match="no translation yet: make one"):
        made(app)
    folder = app_with_one.translations.folder("day-to-night")
    card = folder / "README.md"
    card.write_text(card.read_text().replace("tiny-sd", "tiny-gone"))
    with pytest.raises(UserError, match="in the latents of 'tiny-gone', a model that is not here"):
        made(app_with_one)
    results(delete(app_with_one, Delete("translation/day-to-night")))
    assert app_with_one.translations.cards() == []
    assert asking(module).wish({"image": file(), "translation": "x"}).steps == 1
