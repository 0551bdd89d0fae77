"""The stage's HTML: what a user typed is text, never markup."""

from functools import reduce
from html.parser import HTMLParser
from operator import add

import pytest

from rf_app.actions.generate import Generate, generate
from rf_app.actions.run import results
from rf_app.settings.picture import PictureSettings
from rf_app.ui.generate.stage import message_stage, stage

EVIL = "<script>alert(1)</script> \"onerror='x' & lake"


class Tags(HTMLParser):
    """Collects the tags and the attributes of the pictures."""

    def __init__(self):
        super().__init__()
        self.tags: list[str] = []
        self.images: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag == "img":
            self.images.append(dict(attrs))


def parsed(html):
    """The parsed tags of a piece of HTML."""
    tags = Tags()
    tags.feed(html)
    return tags


def drawn(app, prompt, count=1):
    """Pictures of a prompt."""
    return results(generate(app, Generate(PictureSettings(prompt, "tiny-instaflow"), count)))


def test_a_prompt_is_never_markup(app):
    found = parsed(stage(drawn(app, EVIL), None, f"go:1:{EVIL}"))
    assert "script" not in found.tags
    assert found.images[0]["alt"] == EVIL
    assert set(found.images[0]) == {"src", "alt", "data-seed", "decoding"}
    assert "<script>" not in message_stage(EVIL)


def test_each_part_has_its_time_and_each_picture_its_place(app):
    pictures = drawn(app, "a lake", 5)
    html = stage(pictures, None)
    assert len(parsed(html).images) == 5
    assert "--columns:3" in html
    times = reduce(add, (picture.drawn.timings for picture in pictures))
    for part in ("text", "unet", "decode", "total"):
        assert f'class="{part}" data-seconds="{getattr(times, part):.6f}"' in html


@pytest.mark.parametrize("notation", ["(snowy:1.3)", "<lora:pocket-woodcut:0.8>"])
def test_weights_and_tags_are_said_to_be_unread(app, notation):
    said = "are not read here. LoRAs are chosen from their list."
    assert said in stage(drawn(app, f"a lake {notation}"), None)
    assert said not in stage(drawn(app, "a (lake: blue) <3"), None)


def test_the_end_of_a_long_prompt_is_named_as_text(app):
    html = stage(drawn(app, "x" * 30 + EVIL), None)
    assert "longer than this model reads" in html
    assert "script" not in parsed(html).tags
    assert "longer" not in stage(drawn(app, "a lake"), None)
