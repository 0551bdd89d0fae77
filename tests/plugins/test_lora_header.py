"""What a header says is used, and what it should not say costs nothing."""

import base64
import io
import json

import pytest
import torch
from PIL import Image

from rf_app.plugins.lora_header import preview_in, said_in
from tests.plugins.lora_files import write


def data_url(image, kind="PNG"):
    buffer = io.BytesIO()
    image.save(buffer, kind)
    return f"data:image/{kind.lower()};base64," + base64.b64encode(buffer.getvalue()).decode()


def preview(folder, text):
    return preview_in(write(folder / "a.safetensors", {"a": torch.ones(2)}, {"modelspec.thumbnail": text}))


def test_trigger_words_are_one_short_line():
    found = said_in({"modelspec.trigger_phrase": " wood\ncut  <b>style</b> " + "x" * 999})["trigger"]
    assert found.startswith("wood cut <b>style</b> xxx")
    assert len(found) == 200


def test_the_words_of_all_captions_stand_in_where_no_phrase_is_given():
    tags = {"10_a": {"woodcut": 30, "tree": 3, "in ink": 28}, "2_b": {"woodcut": 10, "in ink": 12, "": 40}}
    said = {"ss_tag_frequency": json.dumps(tags)}
    assert said_in(said) == {"trigger": "woodcut, in ink"}
    assert said_in(said | {"modelspec.trigger_phrase": "cut"}) == {"trigger": "cut"}


@pytest.mark.parametrize(
    "text",
    ["{", "[]", "7", '{"a": 7}', '{"a": {"b": []}}', "[" * 9999, '{"a": {"b": 1e999}}', '{"a": {"b": 0}}'],
)
def test_what_is_no_count_of_words_says_nothing(text):
    assert said_in({"ss_tag_frequency": text}) == {}


@pytest.mark.parametrize(
    ("said", "strength"),
    [
        ({"modelspec.lora_default_weight": "0.8"}, 0.8),
        ({"modelspec.usage_hint": "Use it with a weight of 0.6 to 0.9."}, 0.6),
        ({"modelspec.usage_hint": "Strength: 1.25"}, 1.25),
        ({"modelspec.lora_default_weight": "0.8", "modelspec.usage_hint": "weight 0.5"}, 0.8),
        ({"modelspec.lora_default_weight": "9"}, None),
        ({"modelspec.lora_default_weight": "nan"}, None),
        ({"modelspec.usage_hint": "Four steps, weight as you like; 2 people"}, None),
        ({"modelspec.usage_hint": "strength 0"}, None),
    ],
)
def test_a_strength_is_a_number_in_range(said, strength):
    assert said_in(said).get("strength") == strength


def test_a_title_may_name_the_sampler():
    assert said_in({"ss_output_name": "my_lcm_lora"})["kind"] == "consistency"


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_preview_is_drawn_anew_and_small(tmp_path, kind):
    found = preview(tmp_path, data_url(Image.new("RGB", (400, 200), "red"), kind))
    assert found.startswith("data:image/jpeg;base64,")
    image = Image.open(io.BytesIO(base64.b64decode(found.partition(",")[2])))
    assert (image.size, image.format) == ((96, 48), "JPEG")
    assert image.getpixel((5, 5))[0] > 240


@pytest.mark.parametrize(
    "text",
    [
        "",
        "https://example.com/x.png",
        "data:image/svg+xml;base64,PHN2ZyBvbmxvYWQ9YWxlcnQoMSk+",
        "data:text/html,<script>alert(1)</script>",
        "data:image/png;base64,AAAA",
        "data:image/png;base64," + "A" * 3 * 2**20,
    ],
)
def test_what_is_no_picture_is_no_preview(tmp_path, text):
    assert preview(tmp_path, text) == ""


def test_a_file_that_is_gone_or_broken_has_none(tmp_path):
    assert preview_in(tmp_path / "none.safetensors") == ""
    (tmp_path / "a.safetensors").write_bytes(b"12345678901")
    assert preview_in(tmp_path / "a.safetensors") == ""
