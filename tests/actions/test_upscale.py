"""Larger pictures: by Lanczos, and by an upscaler where there is one and what it takes."""

import io

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file

from rf_app.actions.asking import File
from rf_app.actions.generate import Generate, generate
from rf_app.actions.restore import restore
from rf_app.actions.run import results
from rf_app.actions.upscale import Upscale, answer, upscale
from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.plugins.upscaler import installed
from rf_app.settings.home import home
from rf_app.settings.picture import PictureSettings

NOISE = Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 200, 3), dtype=np.uint8))


def file(image, form="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, form)
    return File("photo.bmp", buffer.getvalue())


@pytest.fixture
def upscaler(own_app):
    """Tensors as a small Real-ESRGAN's that doubles; the file at its place."""
    torch.manual_seed(0)
    shapes = {0: (8, 3, 3, 3), 2: (8, 8, 3, 3), 4: (12, 8, 3, 3)}
    tensors = {f"body.{i}.weight": 0.2 * torch.randn(shape) for i, shape in shapes.items()}
    tensors |= {f"body.{i}.bias": torch.zeros(shape[0]) for i, shape in shapes.items()}
    tensors |= {f"body.{i}.weight": torch.full((8,), 0.1) for i in (1, 3)}
    path = home() / "upscaler" / "2x-tiny.safetensors"
    path.parent.mkdir(parents=True)
    save_file(tensors, path)
    return path


def test_a_saved_picture_is_larger_and_keeps_its_settings(own_app, tmp_path):
    [drawn] = results(generate(own_app, Generate(PictureSettings("a lake", "tiny-2rf", seed=5))))
    [made] = results(upscale(own_app, Upscale(File("x.png", drawn.png), 4)))
    expected = drawn.drawn.image.resize((384, 384), Image.Resampling.LANCZOS)
    assert np.array_equal(made.image, expected)
    content, said = answer(own_app, [made])
    assert content.name == "instaflow-a-lake-5-x4.png"
    assert (said["width"], said["by"]) == (384, "Lanczos")
    assert "upscaler" in said["note"]
    path = tmp_path / content.name
    path.write_bytes(content.content)
    assert read_png_settings(path) == drawn.settings | {"upscaled": {"factor": 4, "by": "Lanczos"}}
    assert restore(own_app, path).settings == drawn.drawn.settings


def test_any_picture_is_taken(own_app, tmp_path):
    [made] = results(upscale(own_app, Upscale(file(NOISE, "BMP"))))
    assert made.image.size == (400, 600)
    path = tmp_path / made.name
    path.write_bytes(made.png)
    assert (path.name, read_png_settings(path)) == ("photo-x2.png", None)


@pytest.mark.skipif(installed(), reason="spandrel is installed")
def test_it_says_what_to_install_for_a_file_that_is_there(own_app, upscaler):
    [made] = results(upscale(own_app, Upscale(file(NOISE))))
    assert made.by == "Lanczos"
    assert made.note.startswith("2x-tiny.safetensors is not used")
    assert "pip install" in made.note


@pytest.mark.skipif(not installed(), reason="spandrel is not installed")
def test_an_upscaler_draws_the_same_in_tiles_as_at_once(own_app, upscaler):
    from spandrel import ModelLoader

    [made] = results(upscale(own_app, Upscale(file(NOISE))))
    pixels = torch.from_numpy(np.array(NOISE)).permute(2, 0, 1)[None] / 255
    expected = ModelLoader().load_from_file(upscaler)(pixels)[0].permute(1, 2, 0).mul(255).round().numpy()
    assert (made.by, made.note) == ("2x-tiny", "")
    assert np.abs(np.asarray(made.image, float) - expected).max() <= 1
    [twice] = results(upscale(own_app, Upscale(file(NOISE), 3)))
    assert twice.image.size == (600, 900)
    upscaler.write_bytes(b"\x80\x02 a pickle")
    with pytest.raises(UserError, match=r"2x-tiny\.safetensors: This is a pickle"):
        results(upscale(own_app, Upscale(file(NOISE))))


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Upscale(file(NOISE), 5), "factor is 5; it must be"),
        (Upscale(File("x.png", b"no picture")), "cannot be read"),
        (Upscale(file(Image.new("1", (7000, 7000))), 2), "more than the 64 million"),
    ],
)
def test_bad_values_are_named(own_app, wish, said):
    with pytest.raises(UserError, match=said):
        results(upscale(own_app, wish))


def test_one_picture_at_a_time_is_enlarged(own_app):
    events = upscale(own_app, Upscale(File("not-read-yet.png", b"no picture"), 2))
    with own_app.enlarging:
        assert next(events) is None
    with pytest.raises(UserError, match="cannot be read"):
        next(events)
    assert not own_app.enlarging.locked()
