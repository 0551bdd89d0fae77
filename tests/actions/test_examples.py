"""The example pictures: the folder is the list."""

import numpy as np
import pytest
from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.examples import DRAWINGS, EXAMPLES, FOLDER, draw_lines, examples
from rf_app.pipeline.png import as_png
from rf_app.pipeline.turns import result_of
from rf_app.registry.models import BUNDLED, Registry
from rf_app.settings.picture import PictureSettings


def test_examples_come_in_order_with_what_makes_them(tmp_path):
    for name, prompt, seed in (("2-red-tent", "a red tent", 5), ("1-a-lake", "a lake", 6)):
        (tmp_path / f"{name}.png").write_bytes(
            as_png(Image.new("RGB", (8, 8)), {"prompt": prompt, "seed": seed})
        )
    Image.new("RGB", (8, 8)).save(tmp_path / "0-foreign.png")
    found = [(example.title, example.prompt, example.seed) for example in examples(tmp_path)]
    assert found == [("A lake", "a lake", 6), ("Red tent", "a red tent", 5)]


def test_the_bundled_drawings_are_those_that_are_drawn(tmp_path):
    draw_lines(tmp_path)
    for drawn, bundled in zip(examples(tmp_path), examples(DRAWINGS), strict=True):
        assert (drawn.title, drawn.prompt, drawn.seed) == (bundled.title, bundled.prompt, bundled.seed)
        with Image.open(drawn.path) as one, Image.open(bundled.path) as other:
            assert np.abs(np.asarray(one, float) - np.asarray(other, float)).mean() < 1


@pytest.mark.skipif(not BUNDLED.is_dir(), reason="no bundled model is here")
def test_the_bundled_pictures_are_those_the_bundled_model_draws():
    """Redraw them after training anew: python -m rf_app.actions.examples."""
    app = Application.on(Registry([BUNDLED]), "cpu")
    model = app.first_model()
    found = examples(FOLDER)
    assert [(example.path.stem, example.prompt, example.seed) for example in found] == list(EXAMPLES)
    for example in found:
        settings = PictureSettings(example.prompt, model, seed=example.seed)
        drawn = result_of(app.worker.draw(settings)).image
        with Image.open(example.path) as image:
            difference = np.abs(np.asarray(image, float) - np.asarray(drawn, float)).mean()
        assert difference < 3, f"{example.path.name} differs by {difference:.1f} of 255 levels"
    app.worker.close()
