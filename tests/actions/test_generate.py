"""The Generate workflow without a browser."""

import io
import json

import pytest
from PIL import Image

from rf_app.errors import UserError
from rf_app.pipeline.png import read_settings, save_png
from rf_app.pipeline.requests import GenerateRequest
from rf_app.pipeline.worker import Worker
from rf_app.registry.folders import Registry
from rf_app.workflows.generate import Studio

PROMPT = "a mountain near a lake"


def saved(tmp_path, settings):
    """A PNG with the given settings, as an upload would be."""
    path = tmp_path / "upload.png"
    save_png(Image.new("RGB", (8, 8)), path, settings)
    return path


def test_each_picture_carries_what_makes_it_again_alone(studio, tmp_path):
    shown = studio.generate(GenerateRequest(PROMPT, "tiny-2rf", seed=40, count=3, negative_prompt="tent"))
    for i, picture in enumerate(shown.pictures):
        path = tmp_path / picture.name
        path.write_bytes(picture.png)
        settings = read_settings(path)
        assert settings == {
            "prompt": PROMPT,
            "negative_prompt": "tent",
            "model": "tiny-2rf",
            "steps": 4,
            "guidance": 1.5,
            "solver": "euler",
            "seed": 40 + i,
        }
        again = studio.generate(GenerateRequest(**settings)).pictures[0]
        with Image.open(io.BytesIO(picture.png)) as image:
            assert image.tobytes() == again.image.tobytes()


def test_models_come_quickest_first_and_the_first_is_opened(studio):
    assert [id for _, id in studio.models()] == ["tiny-instaflow", "tiny-2rf", "tiny-sd"]
    assert studio.first_model() == "tiny-instaflow"


def test_presets_are_the_cards_and_only_quick_models_follow_the_typing(studio):
    quick, slow = studio.preset("tiny-instaflow"), studio.preset("tiny-sd")
    assert (quick.steps, quick.guidance, quick.live) == (1, 1.0, True)
    assert (slow.steps, slow.guidance) == (4, 3.0)
    assert "96×96, one step" in quick.about


def test_equal_titles_are_told_apart(tiny_registry):
    twin = tiny_registry.folder("tiny-2rf")
    twin.joinpath("README.md").write_text(
        twin.joinpath("README.md").read_text().replace("Tiny 2Rf", "Tiny Instaflow")
    )
    titles = [title for title, _ in Studio(tiny_registry, Worker(tiny_registry)).models()]
    assert titles[:2] == ["Tiny Instaflow (tiny-instaflow)", "Tiny Instaflow (tiny-2rf)"]


def test_no_model_at_all_names_the_problems(tmp_path):
    (tmp_path / "half").mkdir()
    registry = Registry([tmp_path])
    with pytest.raises(UserError, match=r"No usable model(.|\n)*half"):
        Studio(registry, Worker(registry)).first_model()


def test_unknown_words_are_named_with_what_is_known(studio):
    hint = studio.generate(GenerateRequest("a zebra near a lake, 湖", "tiny-instaflow")).hint
    assert hint.words == ("zebra", "湖")
    assert hint.topics["water"] == ("lake",)
    assert studio.generate(GenerateRequest(PROMPT, "tiny-instaflow")).hint is None


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("a lake near a mount", None),  # may become "mountain"
        ("a lake near a zeb", ("zeb",)),  # can become nothing it knows
        ("a mount near a lake", ("mount",)),  # finished
    ],
)
def test_a_word_being_typed_is_not_complained_about(studio, text, named):
    hint = studio.generate(GenerateRequest(text, "tiny-instaflow"), typing=True).hint
    assert (hint.words if hint else None) == named


def test_restoring_gives_back_the_settings(studio, tmp_path):
    settings = {
        "prompt": PROMPT,
        "negative_prompt": "tent",
        "model": "tiny-2rf",
        "steps": 7,
        "guidance": 2.5,
        "solver": "heun",
        "seed": 2**32 - 1,
    }
    restored = studio.restore(saved(tmp_path, settings))
    assert {name: getattr(restored, name) for name in settings} == settings
    assert restored.note == ""


def test_restoring_a_picture_of_a_model_that_is_not_here_keeps_the_rest(studio, tmp_path):
    restored = studio.restore(saved(tmp_path, {"prompt": PROMPT, "model": "../gone", "seed": 5}))
    assert (restored.model, restored.prompt, restored.seed) == ("tiny-instaflow", PROMPT, 5)
    assert "../gone" in restored.note


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"prompt": PROMPT, "model": "tiny-sd", "steps": 1000}, "steps is 1000"),
        ({"prompt": PROMPT, "model": "tiny-sd", "guidance": float("nan")}, "guidance is nan"),
        ({"prompt": "", "model": "tiny-sd"}, "prompt is empty"),
        ({"prompt": 7, "model": "tiny-sd"}, "prompt is 7"),
        ({"model": "tiny-sd"}, "prompt is empty"),
    ],
)
def test_restoring_nonsense_names_it(studio, tmp_path, settings, message):
    with pytest.raises(UserError, match=message):
        studio.restore(saved(tmp_path, settings))


def test_restoring_a_foreign_picture_says_what_would_do(studio, tmp_path):
    path = tmp_path / "holiday.png"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(UserError, match="no InstaFlow settings"):
        studio.restore(path)


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        (PROMPT, "instaflow-a-mountain-near-a-lake-3.png"),
        ("../../etc/passwd", "instaflow-etc-passwd-3.png"),
        ("湖の写真", "instaflow-3.png"),
        ("a" * 500, f"instaflow-{'a' * 40}-3.png"),
    ],
)
def test_file_names_say_what_is_in_them(studio, prompt, name):
    shown = studio.generate(GenerateRequest(prompt, "tiny-instaflow", seed=3))
    assert shown.pictures[0].name == name


def test_a_program_gets_everything_as_json(studio):
    shown = studio.generate(GenerateRequest("a zebra", "tiny-instaflow", seed=2**32 - 1, count=2))
    found = json.loads(json.dumps(shown.as_json()))
    assert found["seeds"] == [2**32 - 1, 0]
    assert found["unknown_words"] == ["zebra"]
    assert set(found["seconds"]) == {"text", "unet", "decode", "total"}
    assert 0 < found["seconds"]["unet"] < found["seconds"]["total"]
