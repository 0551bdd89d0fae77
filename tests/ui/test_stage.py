"""The stage's HTML: what a user typed is text, never markup."""

from html.parser import HTMLParser

from rf_app.pipeline.requests import GenerateRequest
from rf_app.ui.stage import stage

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


def test_a_prompt_is_never_markup(studio):
    found = parsed(stage(studio.generate(GenerateRequest(EVIL, "tiny-instaflow"))))
    assert "script" not in found.tags
    assert found.images[0]["alt"] == EVIL
    assert set(found.images[0]) == {"src", "alt", "data-seed", "decoding"}


def test_each_part_has_its_time_and_each_picture_its_place(studio):
    shown = studio.generate(GenerateRequest("a lake", "tiny-instaflow", count=5))
    html = stage(shown)
    assert len(parsed(html).images) == 5
    assert "--columns:3" in html
    for part in ("text", "unet", "decode", "total"):
        assert f'class="{part}" data-seconds="{getattr(shown.timings, part):.6f}"' in html


def test_the_end_of_a_long_prompt_is_named_as_text(studio):
    html = stage(studio.generate(GenerateRequest("x" * 30 + EVIL, "tiny-instaflow")))
    assert "longer than this model reads" in html
    assert "script" not in parsed(html).tags
    assert "longer" not in stage(studio.generate(GenerateRequest("a lake", "tiny-instaflow")))
