"""Settings brought back from a saved picture or another tab, and what is not here any more left out."""

import json
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from rf_app.actions.caption import caption
from rf_app.actions.generate import Generate, generate
from rf_app.actions.picture import WAY, Picture
from rf_app.actions.restore import restore, restore_sent, usable
from rf_app.actions.run import results
from rf_app.errors import UserError
from rf_app.pipeline.png import as_png, read_png_settings
from rf_app.pipeline.turns import result_of
from rf_app.plugins.picture import decode_map, encode_map
from rf_app.registry.loras import WEIGHTS
from rf_app.settings.picture import CheckedSettings, Control, Lora, PictureSettings
from rf_app.settings.way import KeyFrame, Way
from tests.plugins.lora_files import random_lora, write
from tests.tiny import load

PROMPT = "a mountain near a lake"
BAR = Image.new("RGB", (96, 96))
BAR.paste("white", (40, 0, 44, 96))
CONTROL = (
    Control("tiny-canny", encode_map(BAR), "none", strength=0.5),
    Control("tiny-depth", encode_map(BAR), "none", strength=1.5, start=0.25, end=0.75),
)


def draw(app, settings):
    (picture,) = results(generate(app, Generate(settings)))
    return picture


def saved(tmp_path, settings):
    """A PNG with the given settings, as an upload would be."""
    path = tmp_path / "upload.png"
    path.write_bytes(as_png(Image.new("RGB", (8, 8)), settings))
    return path


def test_restoring_gives_back_the_settings(app, tmp_path):
    settings = {
        "prompt": PROMPT,
        "negative_prompt": "tent",
        "model": "tiny-2rf",
        "steps": 7,
        "guidance": 2.5,
        "solver": "heun",
        "seed": 2**32 - 1,
    }
    restored = restore(app, saved(tmp_path, settings))
    assert restored.settings == CheckedSettings(**settings)
    assert restored.way is None
    assert restored.note == ""


def test_what_is_not_said_is_the_model_s_own(app, tmp_path):
    found = restore(app, saved(tmp_path, {"prompt": PROMPT, "model": "tiny-sd", "solver": None})).settings
    assert (found.steps, found.guidance, found.solver, found.seed) == (4, 3.0, "dpm++", 0)


def test_a_picture_carries_its_maps_and_is_made_again_from_them(app, tmp_path):
    picture = draw(app, PictureSettings("a lake", "tiny-2rf", seed=4, control=CONTROL))
    path = tmp_path / "a.png"
    path.write_bytes(picture.png)
    first, second = read_png_settings(path)["control"]
    assert (first["model"], first["strength"], first["start"], first["end"]) == ("tiny-canny", 0.5, 0, 1)
    assert (second["strength"], second["start"], second["end"]) == (1.5, 0.25, 0.75)
    assert np.array_equal(np.asarray(decode_map(first["image"])), np.asarray(BAR))
    restored = restore(app, path)
    assert restored.settings.control == CONTROL
    assert draw(app, restored.settings).png == picture.png


def test_a_picture_of_the_first_edition_is_restored(app, tmp_path):
    """Its controls say nothing of a preprocessor, and carry a digest of the map."""
    old = {
        "prompt": PROMPT,
        "negative_prompt": "",
        "model": "tiny-2rf",
        "steps": 4,
        "guidance": 1.5,
        "solver": "euler",
        "seed": 3,
        "control": [
            {
                "model": "tiny-canny",
                "image": encode_map(BAR),
                "strength": 0.5,
                "start": 0.0,
                "end": 1.0,
                "map": "0123456789abcdef",
            }
        ],
    }
    found = restore(app, saved(tmp_path, old)).settings
    assert found.control == CONTROL[:1]
    assert draw(app, found).drawn.settings == found


@pytest.mark.parametrize(
    ("gone", "note"),
    [
        ({"model": "../gone"}, "made with “../gone”, which is not in the model list"),
        ({"loras": [{"id": "gone"}]}, "the LoRA “gone”, which is not here; it is left out"),
        (
            {"control": [{"model": "gone", "image": encode_map(BAR)}]},
            "“gone”, a ControlNet that is not here; it is left out",
        ),
        ({"model": "gone", "width": 768, "height": 512}, "the rest is restored"),
        (
            {"model": "gone", "solver": "dpm++", "loras": ["gone"]},
            "rest is restored. It used the LoRA “gone”",
        ),
    ],
)
def test_what_is_not_here_any_more_is_left_out_with_a_note(app, gone, note):
    settings = {"prompt": PROMPT, "model": "tiny-2rf", "seed": 5} | gone
    restored = restore_sent(app, json.dumps(settings))
    assert note in restored.note
    found = restored.settings
    assert (found.prompt, found.seed, found.loras, found.control) == (PROMPT, 5, (), ())
    assert found.model == ("tiny-instaflow" if "model" in gone else "tiny-2rf")
    assert (found.width, found.height) == ((144, 96) if "width" in gone else (None, None))
    # The same rule between key frames.
    way = {"key_frames": [{"prompt": "a", "seed": 1}, {"prompt": "b", "seed": 2}], "position": [0.5]}
    between = restore_sent(app, json.dumps({WAY: way | settings}))
    assert between.note == restored.note
    assert between.settings is None
    assert (between.way.picture.model, between.way.picture.control) == (found.model, ())


def test_settings_that_name_no_model_have_nothing_left_out(app):
    restored = restore_sent(app, json.dumps({"prompt": PROMPT}))
    assert (restored.settings.model, restored.note) == ("tiny-instaflow", "")


def test_one_of_two_controls_that_is_gone_leaves_the_other(app):
    gone = (replace(CONTROL[0], model="gone"), CONTROL[1])
    settings = PictureSettings(PROMPT, "tiny-2rf", control=gone)
    restored = restore_sent(app, json.dumps(settings.as_json()))
    assert restored.settings.control == CONTROL[1:]


def test_a_visitor_s_uploads_come_back_to_nobody_else(own_app, tmp_path):
    tensors = random_lora(load(own_app.registry, "tiny-sd").unet)
    write(own_app.loras.folders[-1] / "ink" / WEIGHTS, tensors)
    file = write(tmp_path / "wood.safetensors", tensors)
    ann = own_app.seen_by("ann")
    own = own_app.worker.uploads.add("ann", file, file.name)
    loras = (Lora("ink", 0.5), Lora(own.id, -1.0))
    picture = draw(ann, PictureSettings("a lake", "tiny-instaflow", seed=3, loras=loras))
    assert b"ann" not in picture.png.split(b"IDAT")[0]
    (tmp_path / "a.png").write_bytes(picture.png)
    restored = restore(ann, tmp_path / "a.png")
    assert restored.settings.loras == loras
    assert restored.note == ""
    assert draw(ann, restored.settings).png == picture.png
    stranger = restore(own_app.seen_by("bob"), tmp_path / "a.png")
    assert stranger.settings.loras == (Lora("ink", 0.5),)
    assert f"“{own.id}”, which is not here" in stranger.note


def test_a_frame_between_pictures_brings_its_way_back(app, tmp_path):
    keys = (KeyFrame("a lake", 3), KeyFrame("a tent", 4))
    way = Way(keys, (0.25,), PictureSettings("a lake", "tiny-2rf", seed=3), noise="lerp")
    drawn = result_of(app.worker.draw(way.picture, between=way))
    (tmp_path / "a.png").write_bytes(Picture(drawn).png)
    restored = restore(app, tmp_path / "a.png")
    assert restored.settings is None
    assert restored.way == drawn.way
    at_key = result_of(app.worker.draw(way.picture, between=replace(way, position=(1.0,))))
    (tmp_path / "b.png").write_bytes(Picture(at_key).png)
    restored = restore(app, tmp_path / "b.png")
    assert (restored.settings.prompt, restored.settings.seed) == ("a tent", 4)
    assert restored.way == at_key.way


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"steps": 1000}, "steps is 1000"),
        ({"guidance": float("nan")}, "guidance is nan"),
        ({"prompt": ""}, "prompt is empty"),
        ({"prompt": 7}, "prompt is 7"),
        ({"prompt": None}, "prompt is empty"),
        ({"control": [{"model": "tiny-canny", "image": 3}]}, "is no control"),
        ({"control": [{"model": "tiny-canny", "image": "x"}]}, "not base64"),
        (
            {"control": [{"model": "tiny-canny", "image": encode_map(BAR), "strength": "1"}]},
            "must be a number",
        ),
        ({"control": [{"model": "tiny-canny", "image": encode_map(BAR), "end": 2}]}, "end is 2"),
        ({WAY: 7}, "interpolation are not readable"),
        ({WAY: {"key_frames": [{"prompt": "a", "seed": 1}], "position": [0]}}, "key frames is 1"),
    ],
)
def test_restoring_nonsense_names_it(app, tmp_path, settings, message):
    settings = {"prompt": PROMPT, "model": "tiny-sd"} | settings
    with pytest.raises(UserError, match=message):
        restore(app, saved(tmp_path, settings))
    with pytest.raises(UserError, match=message):
        restore_sent(app, json.dumps(settings))


def test_restoring_a_foreign_picture_says_what_would_do(app, tmp_path):
    path = tmp_path / "holiday.png"
    Image.new("RGB", (8, 8)).save(path)
    with pytest.raises(UserError, match="says nothing of how it was made"):
        restore(app, path)


FORM = {
    "prompt": "a tent",
    "negative_prompt": "snow",
    "model": "tiny-2rf",
    "seed": 9,
    "steps": 6,
    "guidance": 2.5,
}


@pytest.mark.parametrize(
    ("form", "taken"),
    [
        (FORM | {"solver": "heun"}, FORM | {"solver": "heun"}),
        (FORM | {"model": "gone"}, {"prompt": "a tent", "negative_prompt": "snow", "seed": 9}),
        (FORM | {"steps": 500, "seed": None, "solver": "ddim"}, {**FORM, "steps": 4, "seed": 3}),
        ({"prompt": " ", "seed": -1, "negative_prompt": ["a"], "loras": "woodcut", "guidance": "2"}, {}),
    ],
)
def test_a_form_that_was_left_gives_back_what_can_be_used(app, form, taken):
    default = CheckedSettings(PROMPT, "tiny-instaflow", seed=3)
    assert usable(app, form, PictureSettings(PROMPT, "tiny-instaflow", seed=3)) == replace(default, **taken)


def test_a_form_keeps_the_loras_that_are_still_here_and_a_caption_names_what_acts(own_app):
    tensors = random_lora(load(own_app.registry, "tiny-sd").unet)
    write(own_app.loras.folders[-1] / "ink" / WEIGHTS, tensors)
    loras = [{"id": "ink", "strength": 0.5}, {"id": "gone", "strength": 1}]
    found = usable(own_app, {"loras": loras}, PictureSettings(PROMPT, "tiny-instaflow"))
    assert found.loras == (Lora("ink", 0.5),)
    weak = replace(CONTROL[0], strength=0)
    picture = draw(own_app, replace(found, control=(weak, CONTROL[1])))
    said = caption(own_app, [picture])
    assert said.made == ("Tiny Instaflow", "1 step", "96×96", "seed 0")
    assert said.active == (f"{own_app.loras.card('ink').title} 0.5", "Tiny depth 1.5")
