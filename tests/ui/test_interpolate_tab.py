"""The Interpolate tab as a person uses it, in headless Chromium."""

import base64
import io
import itertools
import json
import re
import tempfile

import av
import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from rf_app.actions.picture import Picture
from rf_app.pipeline.turns import result_of
from rf_app.settings.picture import PictureSettings
from rf_app.settings.way import KeyFrame, Way
from rf_app.ui.interpolate.examples import EXAMPLES
from tests.browser import arrived, visiting
from tests.settled import settled, until
from tests.ui.conftest import answering
from tests.ui.generate_tab import drop

PICTURE = "#scrubber img"
MODEL = "tiny-instaflow"


@pytest.fixture
def between(page):
    """A visitor on the Interpolate tab with the first frame in front of them."""
    return opened(page)


def opened(page):
    page.click("#interpolate-tab-button")
    expect(page.locator(PICTURE)).to_have_attribute("src", re.compile("^data:image/png"))
    settled(page)
    return page


def at(page, *position):
    """The last frame that was asked for is the one at a position."""
    settled(page)
    text = f"The picture at {', '.join(f'{share:.3f}' for share in position)} of the way"
    expect(page.locator(PICTURE)).to_have_attribute("alt", text)


def pixels(page):
    source = page.locator(PICTURE).get_attribute("src")
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(source.split(",", 1)[1]))))


def shows(page, expected):
    """The last frame that was asked for has these pixels."""
    settled(page)
    assert np.array_equal(pixels(page), expected)


def made(app, settings):
    return result_of(app.worker.draw(settings))


def drawn(app, prompt, seed, model=MODEL):
    return np.asarray(made(app, PictureSettings(prompt, model, seed=seed)).image)


def mixed(app, keys, position, **values):
    way = Way(keys, position, PictureSettings(keys[0].prompt, MODEL), **values)
    return np.asarray(result_of(app.worker.draw(way.picture, between=way)).image)


def key(page, name, prompt, seed):
    page.fill(f"#key-{name} textarea", prompt)
    page.fill(f"#key-{name} input[type=number]", str(seed))
    settled(page)


def scrub(page, shares):
    """Drag the handle through these places; the last frame must be that of the last place."""
    settled(page)
    box = page.locator("#scrubber input").bounding_box()
    thumb = 16  # its middle cannot reach the ends of the track
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    for share in shares:
        page.mouse.move(box["x"] + thumb / 2 + share * (box["width"] - thumb), middle)
    page.mouse.up()
    settled(page)


def test_it_opens_with_the_first_key_frame_and_nothing_sticks_out_on_any_screen(between, app):
    keys = next(iter(EXAMPLES.values())).key_frames
    shows(between, drawn(app, keys[0].prompt, keys[0].seed))
    expect(between.locator("#scrubber .send")).to_be_enabled()
    for width in (1440, 768, 390):
        between.set_viewport_size({"width": width, "height": 844})
        settled(between)
        assert between.evaluate("document.documentElement.scrollWidth") <= width
        box = between.locator("#scrubber input").bounding_box()
        assert box["y"] + box["height"] < 844, "picture and handle are on the first screen"


def test_each_example_is_one_click(between, app):
    for name, example in EXAMPLES.items():
        keys = example.key_frames
        between.get_by_role("button", name=name, exact=True).click()
        settled(between)
        prompts = between.locator("#interpolate .key-frame textarea:visible")
        expect(prompts).to_have_count(len(keys))
        for i, each in enumerate(keys):
            expect(prompts.nth(i)).to_have_value(each.prompt)
        last = len(keys) - 1
        between.locator("#scrubber .stop:visible").nth(last).click()
        at(between, *((1, 1) if example.square else (1,)))
        shows(between, drawn(app, keys[last].prompt, keys[last].seed))


def test_dragging_the_handle_changes_the_picture_and_ends_where_it_is(between):
    seen = between.evaluate_handle(
        """() => { const seen = new Set(), image = document.querySelector("#scrubber img");
        new MutationObserver(() => seen.add(image.src)).observe(image, { attributes: true });
        return seen; }"""
    )
    speed = between.locator("#scrubber .speed")

    def to_and_fro():  # until pictures have come while it moved
        for i in itertools.count():
            if "frames/s" in speed.inner_text() and seen.evaluate("seen => seen.size") > 3:
                break
            yield abs(i % 60 - 30) / 30
        yield 1

    scrub(between, to_and_fro())
    at(between, 1)


def test_dragging_in_the_square(between, app):
    name, keys = "Four lands", EXAMPLES["Four lands"].key_frames
    between.get_by_role("button", name=name).click()
    settled(between)
    expect(between.locator("#interpolate")).to_have_attribute("data-keys", "square")
    box = between.locator("#scrubber .pad").bounding_box()
    between.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    between.mouse.down()
    between.mouse.move(box["x"] + box["width"] / 4, box["y"] + 0.75 * box["height"], steps=5)
    at(between, 0.25, 0.75)
    shows(between, mixed(app, keys, (0.25, 0.75)))
    expect(between.locator("#scrubber .send")).to_be_disabled()
    between.mouse.move(box["x"] - 50, box["y"] + box["height"] + 50, steps=3)  # beyond a corner is the corner
    between.mouse.up()
    at(between, 0, 1)
    shows(between, drawn(app, keys[2].prompt, keys[2].seed))
    between.focus("#scrubber .pad")
    between.keyboard.press("ArrowRight")
    at(between, 0.02, 1)


def test_switches_and_typing_are_live(between, app):
    between.get_by_role("button", name="Red boat, blue boat").click()
    keys = (KeyFrame("a red tent", 1), KeyFrame("a lake at sunset", 2))
    key(between, "a", keys[0].prompt, 1)
    key(between, "b", keys[1].prompt, 2)
    scrub(between, [0.2, 0.5])
    at(between, 0.5)
    shows(between, mixed(app, keys, (0.5,)))
    between.get_by_label("Straight (lerp)").check()
    shows(between, mixed(app, keys, (0.5,), noise="lerp"))
    between.get_by_label("A’s throughout").check()
    shows(between, mixed(app, keys, (0.5,), noise="lerp", text="first"))
    between.get_by_role("button", name="Day to night").click()
    expect(between.get_by_label("On an arc (slerp)")).to_be_checked()
    expect(between.get_by_label("Blended")).to_be_checked()


def test_a_model_of_many_steps_brings_its_settings_and_ends_where_the_handle_is(between, app):
    between.get_by_role("button", name="Red boat, blue boat").click()
    between.locator("#between-model input").click()
    between.get_by_role("option", name="Tiny Sd").click()
    settled(between)
    steps = between.locator("#between-steps input[type=number]")
    expect(steps).to_have_value("4")
    keys = EXAMPLES["Red boat, blue boat"].key_frames
    shows(between, drawn(app, keys[0].prompt, keys[0].seed, "tiny-sd"))
    steps.fill("25")
    steps.blur()
    scrub(between, [i / 20 for i in range(21)])
    at(between, 1)
    settings = PictureSettings(keys[1].prompt, "tiny-sd", 25, seed=keys[1].seed)
    shows(between, np.asarray(made(app, settings).image))
    expect(between.locator("#scrubber .problem")).to_be_empty()


def test_a_key_frame_opens_in_generate_as_the_same_picture(between, app):
    between.locator("#scrubber .stop:visible").nth(1).click()
    at(between, 0.5)
    keys = next(iter(EXAMPLES.values())).key_frames
    between.click("#scrubber .send")
    settled(between)
    expect(between.locator("#prompt textarea")).to_have_value(keys[1].prompt)
    image = between.locator("#stage img")
    expect(image).to_have_attribute("alt", keys[1].prompt)
    source = base64.b64decode(image.get_attribute("src").split(",", 1)[1])
    expected = drawn(app, keys[1].prompt, keys[1].seed)
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(source))), expected)


def test_a_saved_frame_dropped_on_the_tab_brings_everything_back(between):
    between.get_by_role("button", name="A walk through seeds").click()
    key(between, "d", "a mountain", 77)
    between.get_by_label("Straight (lerp)").check()
    scrub(between, [0.2, 0.4])
    before, alt = (between.locator(PICTURE).get_attribute(name) for name in ("src", "alt"))
    with between.expect_download() as download:
        between.click("#scrubber .save")
    content = download.value.path().read_bytes()

    between.reload()
    arrived(between)
    opened(between)
    words, seed = (between.locator(f"#key-d {field}") for field in ("textarea", "input[type=number]"))
    expect(words).to_have_value("a mountain")  # as it was left
    expect(seed).to_have_value("77")
    expect(between.get_by_label("Straight (lerp)")).to_be_checked()
    between.get_by_label("On an arc (slerp)").check()
    key(between, "d", "a lake", 8)
    drop(between, "frame.png", content)
    settled(between)
    expect(words).to_have_value("a mountain")
    expect(seed).to_have_value("77")
    expect(between.get_by_label("Straight (lerp)")).to_be_checked()
    expect(between.locator(PICTURE)).to_have_attribute("alt", alt)
    expect(between.locator(PICTURE)).to_have_attribute("src", before)


def test_a_picture_of_generate_is_one_click_away(page, app):
    page.fill("#prompt textarea", "a red tent")
    page.locator("#seed input[type=number]").fill("5")
    settled(page)
    expect(page.locator('#stage img[alt="a red tent"][data-seed="5"]')).to_be_visible()
    page.locator("#stage .send", has_text="Interpolate").click()
    expect(page.locator(PICTURE)).to_have_attribute("src", re.compile("^data:image/png"))
    settled(page)
    expect(page.locator("#key-a textarea")).to_have_value("a red tent")
    expect(page.locator("#key-a input[type=number]")).to_have_value("5")
    shows(page, drawn(app, "a red tent", 5))


def test_a_picture_sent_from_another_tab_is_the_first_key_frame(between, app):
    def send(text):
        between.evaluate(
            """(text) => { const box = document.querySelector("#sent-interpolate textarea");
            box.value = text; box.dispatchEvent(new Event("input", { bubbles: true })); }""",
            text,
        )

    send('{"prompt": ["<img src=x onerror=hacked=1>"], "model": "tiny-sd"}')
    expect(between.locator(".toast-body").first).to_contain_text("cannot be used")
    scrub(between, [0.2, 0.5])
    settings = PictureSettings("a red tent", "tiny-2rf", 2, 3.0, 5, "a lake", "heun")
    picture = Picture(made(app, settings))
    send(json.dumps(picture.settings))
    settled(between)
    expect(between.locator("#key-a textarea")).to_have_value("a red tent")
    at(between, 0)
    shows(between, np.asarray(picture.drawn.image))
    assert between.evaluate("typeof hacked") == "undefined"


def test_a_video_is_made_shown_and_saved_as_mp4_and_then_as_webp(between, tmp_path):
    between.get_by_role("button", name="Red boat, blue boat").click()
    for label, form, frames in (("MP4", "mp4", 8), ("WebP that repeats", "webp", 9)):
        between.get_by_label(label).check()
        between.fill("#video-frames input", str(frames))
        settled(between)
        between.click("#video-make")
        shown = between.locator("#video-preview video" if form == "mp4" else "#video-preview img")
        expect(shown).to_be_visible()
        shown.evaluate(
            "it => it.decode ? it.decode() : it.readyState || new Promise(r => it.onloadeddata = r)"
        )
        expect(between.locator("#video-progress")).to_contain_text(f"{frames} frames")
        with between.expect_download() as download:
            between.click("#video-save")
        assert download.value.suggested_filename == f"instaflow-interpolation.{form}"
        download.value.save_as(tmp_path / f"way.{form}")
    with av.open(str(tmp_path / "way.mp4")) as video:
        assert sum(1 for _ in video.decode(video=0)) == 8
    with Image.open(tmp_path / "way.webp") as image:
        assert image.size == (384, 384)
        assert image.is_animated


def test_the_video_of_a_square_goes_round_it(between, tmp_path):
    between.get_by_role("button", name="Four lands").click()
    between.fill("#video-frames input", "8")
    settled(between)
    between.click("#video-make")
    expect(between.locator("#video-progress")).to_contain_text("8 frames")
    with between.expect_download() as download:
        between.click("#video-save")
    download.value.save_as(tmp_path / "way.mp4")
    with av.open(str(tmp_path / "way.mp4")) as video:
        assert len(json.loads(video.metadata["comment"])["interpolation"]["position"]) == 2
        assert sum(1 for _ in video.decode(video=0)) == 8


@pytest.mark.parametrize("how", ["cancel", "close"])
def test_a_video_stops_when_told_or_left_and_leaves_nothing(between, tmp_path, monkeypatch, how):
    between.fill("#video-frames input", "600")
    settled(between)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    between.click("#video-make")
    expect(between.locator("#video-progress")).to_contain_text("left")
    until(lambda: list(tmp_path.glob(".*.part")))  # the encoder looks at some frames before it writes
    if how == "cancel":
        between.click("#video-cancel")
        expect(between.locator("#video-progress")).to_contain_text("Stopped.")
    else:
        between.close()
    until(lambda: not answering())
    assert not list(tmp_path.iterdir())


def test_a_picture_under_way_ends_with_the_page(between, gate):
    between.locator("#between-model input").click()
    between.get_by_role("option", name="Tiny Sd").click()
    steps = between.locator("#between-steps input[type=number]")
    expect(steps).to_have_value("4")
    steps.fill("100")
    gate.let(4 + 1)  # the picture of 4 steps, and the first step of the next one
    until(lambda: gate.steps == 5)
    between.close()
    assert gate.steps_meanwhile() < 4 + 50


def test_an_impossible_video_gets_its_message(between):
    for count in ("0", "10000"):
        between.fill("#video-frames input", count)
        between.click("#video-make")
        said = f"frames is {count}; it must be"
        expect(between.locator(".toast-body", has_text=said).first).to_be_visible()
        expect(between.locator("#video-preview video")).to_have_count(0)


def test_an_empty_key_frame_is_named_and_the_picture_stays(between, app):
    before = between.locator(PICTURE).get_attribute("src")
    between.fill("#key-b textarea", " ")
    settled(between)
    expect(between.locator("#scrubber .problem")).to_contain_text("Key frame 2: The prompt is empty")
    expect(between.locator(PICTURE)).to_have_attribute("src", before)
    between.click("#video-make")
    expect(between.locator(".toast-body").first).to_contain_text("Key frame 2: The prompt is empty")
    between.fill("#key-b textarea", '"><img src=x onerror="hacked=1">')
    settled(between)
    expect(between.locator("#scrubber .problem")).to_be_empty()
    assert between.evaluate("typeof hacked") == "undefined"


def test_two_windows_do_not_mix(between, browser, url, app):
    ours = (KeyFrame("a lake", 1), KeyFrame("a red tent", 2))
    theirs = (KeyFrame("sunset", 3), KeyFrame("a mountain", 4))
    with visiting(browser, url) as other:
        opened(other)
        for page, keys in ((between, ours), (other, theirs)):
            page.get_by_role("button", name="Red boat, blue boat").click()
            for name, each in zip("ab", keys, strict=True):
                key(page, name, each.prompt, each.seed)
        for page in (between, other, between, other):
            scrub(page, [0.1, 0.3, 0.5])
        shows(between, mixed(app, ours, (0.5,)))
        shows(other, mixed(app, theirs, (0.5,)))
        expect(between.locator("#key-a textarea")).to_have_value("a lake")
