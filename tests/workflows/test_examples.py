"""The example pictures: the folder is the list."""

from PIL import Image

from rf_app.pipeline.png import save_png
from rf_app.workflows.examples import EXAMPLES, FOLDER, examples


def test_examples_come_in_order_with_what_makes_them(tmp_path):
    for name, prompt, seed in (("2-red-tent", "a red tent", 5), ("1-a-lake", "a lake", 6)):
        save_png(Image.new("RGB", (8, 8)), tmp_path / f"{name}.png", {"prompt": prompt, "seed": seed})
    Image.new("RGB", (8, 8)).save(tmp_path / "0-foreign.png")
    found = [(example.title, example.prompt, example.seed) for example in examples(tmp_path)]
    assert found == [("A lake", "a lake", 6), ("Red tent", "a red tent", 5)]


def test_the_bundled_pictures_are_the_listed_ones():
    found = [(example.path.stem, example.prompt, example.seed) for example in examples(FOLDER)]
    assert found == list(EXAMPLES)
