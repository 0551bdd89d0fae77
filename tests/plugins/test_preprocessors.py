"""Condition maps: canny at the model's own size, thin lines of drawings, detectors without their weights."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from rf_app.errors import UserError
from rf_app.metrics.edges import canny
from rf_app.plugins.preprocessors import condition_map


def drawing(size=(512, 512), ground="black", pen="white", width=8):
    """A roof: two strokes that meet at the top."""
    image = Image.new("RGB", size, ground)
    ImageDraw.Draw(image).line(
        [0, 0.8 * size[1], size[0] / 2, 0.2 * size[1], size[0], 0.8 * size[1]], pen, width
    )
    return image


def lines(image):
    found = np.asarray(image)
    assert found.shape == (96, 96, 3)
    assert set(np.unique(found)) <= {0, 255}
    return found[..., 0] > 0


def test_canny_shows_the_edges_of_the_picture_at_the_models_size():
    picture = drawing(size=(96, 96), width=20)
    assert np.array_equal(lines(condition_map(picture, "canny", (96, 96))), canny(np.asarray(picture)))


def test_thresholds_decide_which_edges():
    shades = Image.fromarray(
        np.repeat(np.repeat([[0, 20, 120, 255]], 24, 1), 96, 0).astype(np.uint8)
    ).convert("RGB")
    counts = [
        lines(condition_map(shades, "canny", (96, 96), *limits)).sum()
        for limits in ((0, 30), (100, 200), (490, 500))
    ]
    assert counts[0] > counts[1] > counts[2]
    assert lines(condition_map(shades, "canny", (96, 96), 500, 500)).sum() < counts[1]


def test_canny_is_controlnet_auxs():
    """Where that can be had: at multiples of 64 pixels."""
    detector = pytest.importorskip("controlnet_aux").CannyDetector()
    picture = drawing(size=(128, 128), width=20)
    found = detector(picture, 100, 200, detect_resolution=128, image_resolution=128)
    assert np.array_equal(np.asarray(condition_map(picture, "canny", (128, 128))), np.asarray(found))


@pytest.mark.parametrize("width", [5, 8, 30])
@pytest.mark.parametrize(("ground", "pen"), [("black", "white"), ("white", "black"), ("navy", "yellow")])
def test_a_drawing_becomes_lines_of_one_pixel_where_it_was_drawn(width, ground, pen):
    found = lines(condition_map(drawing(ground=ground, pen=pen, width=width), "scribble", (96, 96)))
    assert found[:, 5:43].sum(0).max() <= 3  # the roof rises 1.2 pixels a pixel
    middle = [np.flatnonzero(column).mean() for column in found.T[5:43] if column.any()]
    expected = 96 * 0.8 - 1.2 * np.arange(5, 43)
    assert len(middle) > 35
    assert np.abs(np.array(middle) - expected[: len(middle)]).max() < 3


def test_none_leaves_a_map_as_it_is():
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 255, (96, 96, 3), np.uint8))
    assert np.array_equal(np.asarray(condition_map(picture, "none", (96, 96))), np.asarray(picture))


@pytest.mark.parametrize("size", [(1, 1), (1, 700), (700, 1), (3000, 40), (97, 95)])
@pytest.mark.parametrize("preprocessor", ["canny", "scribble", "none"])
def test_any_shape_becomes_the_square_in_its_middle(size, preprocessor):
    assert condition_map(drawing(size=size), preprocessor, (96, 96)).size == (96, 96)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("sobel", (96, 96)), "preprocessor is 'sobel'; it must be one of canny, depth"),
        (("canny", (96, 96), -1, 200), "low threshold is -1; it must be in 0..500"),
        (("canny", (96, 96), 100, 501), "high threshold is 501"),
        (("canny", (96, 96), float("nan"), 200), "low threshold is nan"),
        (("canny", (96, 96), None, 200), "low threshold is None"),
        (("canny", (96, 96), 300, 200), "low threshold, 300, is above the high one, 200"),
    ],
)
def test_bad_values_are_named(values, message):
    with pytest.raises(UserError, match=message):
        condition_map(drawing(), *values)


@pytest.mark.parametrize(
    ("preprocessor", "file"), [("depth", "dpt_hybrid-midas-501f0c75.pt"), ("openpose", "body_pose_model.pth")]
)
def test_a_detector_without_its_weights_says_where_to_get_them(monkeypatch, tmp_path, preprocessor, file):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(
        UserError, match=rf"not on this computer. Fetch them with `hf download .* {file}"
    ) as caught:
        condition_map(drawing(), preprocessor, (96, 96))
    assert "canny, which needs none" in str(caught.value)
