"""Pictures of a prompt: each carries what makes it again, and a program gets everything as JSON."""

import json
from dataclasses import replace

import pytest

from rf_app.actions.generate import Generate, answer, generate
from rf_app.actions.progress import Progress
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.png import read_png_settings
from rf_app.pipeline.turns import result_of
from rf_app.plugins.picture import digest
from rf_app.settings.picture import Control, PictureSettings
from tests.actions.test_restore import CONTROL

PROMPT = "a mountain near a lake"


def draw(app, *settings, count=1, **named):
    return results(generate(app, Generate(PictureSettings(*settings, **named), count)))


def test_each_picture_carries_what_makes_it_again_alone(app, tmp_path):
    pictures = draw(app, PROMPT, "tiny-2rf", seed=40, count=3, negative_prompt="tent")
    for i, picture in enumerate(pictures):
        path = tmp_path / picture.name
        path.write_bytes(picture.png)
        settings = read_png_settings(path)
        assert settings == {
            "prompt": PROMPT,
            "negative_prompt": "tent",
            "model": "tiny-2rf",
            "steps": 4,
            "guidance": 1.5,
            "solver": "euler",
            "seed": 40 + i,
        }
        assert [each.png for each in draw(app, **settings)] == [picture.png]
    assert len({picture.drawn.image.tobytes() for picture in pictures}) == 3


def test_seeds_wrap_around(app):
    pictures = draw(app, "a lake", seed=2**32 - 1, count=2)
    assert [picture.drawn.settings.seed for picture in pictures] == [2**32 - 1, 0]
    assert pictures[1].png == draw(app, "a lake", seed=0)[0].png


def test_without_a_model_it_is_the_one_the_page_opens_with(app):
    assert draw(app, "a lake")[0].drawn.settings.model == "tiny-instaflow"


def test_progress_counts_pictures_and_others_have_their_turn_between_them(app):
    heard = list(generate(app, Generate(PictureSettings("a lake", "tiny-2rf", 2), count=2)))
    steps = [(each.done, each.of, each.text) for each in heard if isinstance(each, Progress)]
    assert steps == [
        (0.5, 2, "Picture 1 of 2"),
        (1, 2, "Picture 1 of 2"),
        (1.5, 2, "Picture 2 of 2"),
        (2, 2, "Picture 2 of 2"),
    ]
    wish = generate(app, Generate(PictureSettings("a lake"), count=2))
    first = next(each for each in wish if each is not None and not isinstance(each, Progress))
    assert result_of(app.worker.draw(PictureSettings("a tent", "tiny-instaflow"))).image
    assert [first, *results(wish)][1].drawn.settings.seed == 1


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        (Generate(PictureSettings("a"), 0), "count is 0"),
        (Generate(PictureSettings("a"), 17), r"count is 17; it must be a whole number in 1\.\.16"),
        (Generate(PictureSettings("a", seed=-1)), "seed is -1"),
        (Generate(PictureSettings("a", seed="1")), "seed is '1'"),
        (Generate(PictureSettings(" ")), "prompt is empty"),
        (Generate(PictureSettings("a", "no-such")), "no model 'no-such'"),
        (Generate(PictureSettings("a", control=CONTROL * 2)), "There are 4 controls; at most 2"),
    ],
)
def test_a_bad_wish_is_named(app, wish, message):
    with pytest.raises(UserError, match=message):
        results(generate(app, wish))


def test_a_picture_to_follow_becomes_a_map(app):
    """By the ControlNet's own way where nothing else is said; what the picture carries is the map."""
    bar = CONTROL[0].image
    edges = draw(app, PROMPT, control=(Control("tiny-canny", bar),))[0]
    said = draw(app, PROMPT, control=(Control("tiny-canny", bar, "canny", 100, 200),))[0]
    as_it_is = draw(app, PROMPT, control=(Control("tiny-canny", bar, "none"),))[0]
    assert edges.png == said.png
    (carried,) = edges.drawn.settings.control
    assert carried.preprocessor == "none"
    assert digest(carried.image) != digest(bar)
    assert as_it_is.drawn.settings.control[0] == Control("tiny-canny", bar, "none")
    assert edges.drawn.image.tobytes() != as_it_is.drawn.image.tobytes()
    again = draw(app, PROMPT, control=(replace(carried),))[0]
    assert again.png == edges.png


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        (PROMPT, "instaflow-a-mountain-near-a-lake-3.png"),
        ("../../etc/passwd", "instaflow-etc-passwd-3.png"),
        ("湖の写真", "instaflow-3.png"),
        ("a" * 500, f"instaflow-{'a' * 40}-3.png"),
    ],
)
def test_file_names_say_what_is_in_them(app, prompt, name):
    assert draw(app, prompt, seed=3)[0].name == name


def test_a_program_gets_everything_as_json(app):
    pictures = draw(app, "a zebra", seed=2**32 - 1, count=2)
    files, found = answer(app, pictures)
    found = json.loads(json.dumps(found))
    assert [file.content for file in files] == [picture.png for picture in pictures]
    assert found["seeds"] == [2**32 - 1, 0]
    assert found["unknown_words"] == ["zebra"]
    assert set(found["seconds"]) == {"text", "unet", "decode", "total"}
    assert 0 < found["seconds"]["unet"] < found["seconds"]["total"]
    assert (found["loras"], found["control"]) == ([], [])
    assert "seed" not in found


def test_a_program_hears_of_controls_without_the_maps(app):
    _, found = answer(app, draw(app, "a lake", "tiny-2rf", control=CONTROL))
    assert [set(each) for each in found["control"]] == [{"model", "strength", "start", "end", "map"}] * 2
    assert found["control"][0]["map"] == digest(CONTROL[0].image)


def test_of_alternatives_the_seed_chooses_and_the_picture_says_which(app):
    wish = Generate(PictureSettings("a {red|blue} tent", "tiny-instaflow", seed=4), count=3)
    drawn = [picture.settings for picture in results(generate(app, wish))]
    assert [each["prompt"] for each in drawn] == ["a red tent", "a blue tent", "a red tent"]
