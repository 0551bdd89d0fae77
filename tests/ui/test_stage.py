"""The stage's HTML: what a user typed is text, never markup."""

import json
import re
from functools import reduce
from html import unescape
from html.parser import HTMLParser
from operator import add

from rf_app.actions.caption import Caption, caption
from rf_app.actions.generate import Generate, generate
from rf_app.actions.reading import reading
from rf_app.actions.run import results
from rf_app.settings.picture import PictureSettings
from rf_app.ui.generate.reading import view
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


def shown(app, prompt):
    """The stage with a picture of a prompt."""
    pictures = drawn(app, prompt)
    return stage(pictures, caption(app, pictures), f"go:1:{prompt}")


def test_a_prompt_is_never_markup(app):
    found = parsed(shown(app, EVIL))
    assert "script" not in found.tags
    assert found.images[0]["alt"] == EVIL
    assert set(found.images[0]) == {"src", "alt", "translate", "data-seed", "decoding"}
    assert "<script>" not in message_stage(EVIL)


def test_what_is_read_of_a_prompt_is_never_markup(app):
    evil = f"a lake {EVIL} <img src=x>"
    html = view(evil, reading(app, evil, "tiny-instaflow"))
    assert set(parsed(html).tags) <= {"div", "p", "b", "details", "summary", "dl", "dt", "dd", "button"}
    pieces = json.loads(unescape(re.search('data-pieces="([^"]*)"', html)[1]))
    assert "".join(text for text, _ in pieces) == evil
    assert {kind for _, kind in pieces} == {"", "unknown", "unread"}


def test_each_part_has_its_time_and_each_picture_its_place(app):
    pictures = drawn(app, "a lake", 5)
    made = Caption(("<Tiny>", "1 step", "seeds 0 to 4"), ("Woodcut & ink 0.8",))
    html = stage(pictures, made)
    assert len(parsed(html).images) == 5
    assert re.findall(r"--columns:\d", html) == ["--columns:2", "--columns:3"]  # no line is left short
    assert "<b>&lt;Tiny&gt;</b> · 1 step · seeds 0 to 4 · " in html
    assert "<i>Woodcut &amp; ink 0.8</i>" in html
    times = reduce(add, (picture.drawn.timings for picture in pictures))
    for part in ("text", "unet", "decode", "total"):
        assert f'class="{part}" data-seconds="{getattr(times, part):.6f}"' in html
