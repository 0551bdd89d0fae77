"""ControlNets on the page, in headless Chromium: draw, upload, take a picture, see its map, take it away."""

import base64
import io
import re

import numpy as np
import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import expect

from rf_app.plugins.picture import encode_map, read_base64, read_picture
from rf_app.plugins.preprocessors import condition_map
from rf_app.ui.parts.control_unit import PNG_URL
from tests.browser import arrived
from tests.settled import settled
from tests.ui.generate_tab import FIRST_PROMPT, IMAGE, ask, choose, download, drop, shows

MAP = "#control-1-map img"
ON = "#control-1-on input"


def open_panel(page):
    page.get_by_text("Follow a drawing or picture").click()
    expect(page.locator("#control-1-sketch canvas")).to_be_visible()
    settled(page)


def stroke(page, *points, unit=1):
    """Draw through points given as shares of the board's width and height."""
    board = page.locator(f"#control-{unit}-sketch canvas")
    settled(page)  # nothing above the board grows any more
    board.scroll_into_view_if_needed()
    box = board.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=6)
    page.mouse.up()


def drawn(page, *points):
    """A stroke, whose end the map shows."""
    stroke(page, *points)
    settled(page)
    assert near(pixels(page.locator(MAP))[..., 0], *points[-1]).any()


def near(image, x, y):
    """The pixels about a place given as shares of the width and height."""
    row, column = round(y * len(image)), round(x * len(image))
    return image[max(0, row - 4) : row + 4, max(0, column - 4) : column + 4]


def pixels(locator):
    """What an <img> with a data URL shows."""
    content = base64.b64decode(locator.get_attribute("src").partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def picture(page):
    """The address of the picture on the stage, which changes with its pixels and settings."""
    settled(page)
    return page.locator(IMAGE).get_attribute("src")


def changed(page, before):
    now = picture(page)
    assert now != before
    return now


def set_number(page, id, value):
    field = page.locator(f"#{id} input[type=number]")
    field.fill(str(value))
    field.press("Tab")
    settled(page)


def test_a_line_is_drawn_and_followed_and_without_it_the_pixels_are_the_old_ones(page):
    shows(page, FIRST_PROMPT)
    plain = picture(page)
    open_panel(page)
    drawn(page, (0.1, 0.9), (0.5, 0.2), (0.9, 0.9))
    expect(page.locator(ON)).to_be_checked()
    expect(page.locator("#control-1-preprocessor input")).to_have_value("Lines of a drawing")
    changed(page, plain)
    page.uncheck(ON)
    assert picture(page) == plain
    lines = np.argwhere(pixels(page.locator(MAP))[..., 0] > 127)
    assert len(lines) > 100
    for y, x in lines:  # two straight strokes, from (10, 86) up to (48, 19) and down to (86, 86)
        assert abs(y - (19 + abs(x - 48) * 67 / 38)) < 5, (x, y)
    page.check(ON)
    followed = changed(page, plain)
    page.uncheck(ON)
    assert picture(page) == plain
    page.check(ON)
    assert picture(page) == followed
    page.locator("#control-1-sketch .clear").click()
    expect(page.locator("#control-1-map .blank")).to_be_visible()
    assert picture(page) == plain
    page.locator("#control-1-sketch .undo").click()
    expect(page.locator(MAP)).to_be_visible()
    changed(page, plain)


def test_another_shape_is_that_of_picture_board_and_map(page):
    open_panel(page)
    drawn(page, (0.1, 0.9), (0.5, 0.2), (0.9, 0.9))
    board = page.locator("#control-1-sketch canvas")
    for shape, size in (("landscape", (144, 96)), ("portrait", (96, 144)), ("square", (96, 96))):
        page.click(f"#{shape}")
        assert decoded(picture(page)).shape[1::-1] == pixels(page.locator(MAP)).shape[1::-1] == size
        width, height = board.evaluate("canvas => [canvas.width, canvas.height]")
        assert abs(width / height - size[0] / size[1]) < 0.01
        lines = np.argwhere(pixels(page.locator(MAP))[..., 0] > 127)
        assert len(lines) >= 58  # the drawing is seen whole
    set_number(page, "width", 128)
    followed = picture(page)
    assert decoded(followed).shape[1::-1] == (128, 96)
    choose(page, "Tiny 2Rf")
    assert decoded(picture(page)).shape[1::-1] == (128, 96)  # and stays with the next model


def test_strength_and_span_act_on_the_picture(page):
    open_panel(page)
    before = picture(page)
    page.get_by_role("button", name="Roof").click()
    shows(page, "a red tent")
    expect(page.locator(IMAGE)).to_have_attribute("data-seed", "4")
    expect(page.locator(MAP)).to_be_visible()
    full = changed(page, before)
    set_number(page, "control-1-strength", 0.3)
    weak = changed(page, full)
    set_number(page, "control-1-end", 0.5)  # a model of one step: it acts in that one all the same
    half = changed(page, weak)
    page.uncheck(ON)
    plain = changed(page, half)
    assert np.array_equal(decoded(half), decoded(weak))
    assert not np.array_equal(decoded(weak), decoded(plain))
    assert not np.array_equal(decoded(weak), decoded(full))
    page.check(ON)
    set_number(page, "control-1-start", 0.5)
    expect(page.locator(".toast-body").first).to_contain_text("start must be the smaller")


def decoded(address):
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition("base64,")[2]))))


def test_a_picture_of_the_page_is_followed_by_its_edges_with_thresholds_live(page):
    plain = picture(page)
    page.locator("#stage .send", has_text="Follow").click()
    expect(page.locator(MAP)).to_be_visible()  # the panel opens by itself
    expect(page.locator("#control-1-preprocessor input")).to_have_value("Edges (canny)")
    changed(page, plain)
    for low, high in ((100, 200), (0, 200), (0, 1)):
        set_number(page, "control-1-low", low)
        set_number(page, "control-1-high", high)
        wanted = encode_map(condition_map(read_picture(read_base64(plain)), "canny", (96, 96), low, high))
        expect(page.locator(MAP)).to_have_attribute("src", PNG_URL + wanted)
    set_number(page, "control-1-low", 400)
    expect(page.locator(".toast-body").first).to_contain_text("low threshold, 400, is above the high one")


def test_an_uploaded_picture_is_turned_and_cut_square_and_a_bad_one_named(page, tmp_path):
    open_panel(page)
    photograph = Image.new("RGB", (300, 200), "black")
    photograph.paste("white", (0, 0, 150, 200))
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise: the white half comes to the top
    photograph.save(tmp_path / "photograph.jpg", quality=95, exif=exif)
    page.set_input_files("#control-1-sketch input[type=file]", tmp_path / "photograph.jpg")
    settled(page)
    expect(page.locator(MAP)).to_be_visible()
    found = pixels(page.locator(MAP))[..., 0] > 0
    rows = np.flatnonzero(found.mean(1) > 0.9)
    assert len(rows)
    assert np.abs(rows - 48).max() <= 2
    (tmp_path / "bad.png").write_bytes(b"no picture")
    page.set_input_files("#control-1-sketch input[type=file]", tmp_path / "bad.png")
    expect(page.locator("#control-1-sketch .problem")).to_contain_text("no picture")
    expect(page.locator(MAP)).to_be_visible()


def test_ink_on_a_transparent_ground_is_followed_black_and_then_white(page, tmp_path):
    open_panel(page)
    for ink, y in (("black", 150), ("white", 100)):
        drawing = Image.new("RGBA", (300, 300), (0, 0, 0, 0))
        ImageDraw.Draw(drawing).line([(0, y), (300, y)], fill=ink, width=8)
        drawing.save(tmp_path / f"{ink}.png")
        page.set_input_files("#control-1-sketch input[type=file]", tmp_path / f"{ink}.png")
        settled(page)
        found = pixels(page.locator(MAP))[..., 0] > 0
        assert np.abs(np.flatnonzero(found.mean(1) > 0.9) - y * 96 / 300).max() <= 1
    Image.new("RGBA", (300, 300), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    page.set_input_files("#control-1-sketch input[type=file]", tmp_path / "clear.png")
    expect(page.locator("#control-1-map")).to_contain_text("The map is empty")


def test_a_saved_picture_brings_its_controls_back(page):
    open_panel(page)
    stroke(page, (0.1, 0.5), (0.9, 0.5))
    page.get_by_text("A second one").click()
    expect(page.locator("#control-2-sketch canvas")).to_be_visible()
    one = picture(page)
    stroke(page, (0.5, 0.1), (0.5, 0.9), unit=2)
    expect(page.locator("#control-2-map img")).to_be_visible()
    changed(page, one)
    page.get_by_label("Keep the seed").check()
    ask(page, "a lake")
    shows(page, "a lake")
    before = picture(page)
    name, content = download(page)
    page.reload()
    arrived(page)
    shows(page, "a lake")
    assert picture(page) != before  # the form is kept, but maps are not
    drop(page, name, content)
    shows(page, "a lake")
    assert picture(page) == before  # the very same picture
    expect(page.locator(MAP)).to_be_visible()
    expect(page.locator("#control-1-preprocessor input")).to_have_value("The picture is such a map")
    page.uncheck(ON)
    changed(page, before)


def test_it_goes_along_to_compare_and_interpolate_and_can_be_switched_off_there(page):
    open_panel(page)
    before = picture(page)
    page.get_by_role("button", name="Roof").click()
    shows(page, "a red tent")
    followed = decoded(changed(page, before))

    def switched_off(tab, image):
        page.uncheck(f"#{tab}-control-1-on input")
        settled(page)
        assert not np.array_equal(pixels(page.locator(image)), followed)

    page.locator("#stage").get_by_role("button", name="Compare").click()
    side = "#side-2 .side-picture.done img"
    settled(page)
    expect(page.locator("#compare-control-1-net input")).to_have_value("Tiny canny")
    expect(page.locator("#side-2 figcaption")).to_contain_text("Tiny canny 1")
    expect(page.locator(side)).to_have_attribute("alt", "a red tent")
    assert np.array_equal(pixels(page.locator(side)), followed)
    switched_off("compare", side)

    page.click("#generate-tab-button")
    page.locator("#stage").get_by_role("button", name="Interpolate").click()
    expect(page.locator("#interpolate-control-1-net input")).to_have_value("Tiny canny")
    settled(page)
    frame = "#scrubber .pad img"
    expect(page.locator("#scrubber .send")).to_be_enabled()
    assert np.array_equal(pixels(page.locator(frame)), followed)
    switched_off("interpolate", frame)
    page.locator("#interpolate-control").get_by_role("button", name="Roof").click()
    settled(page)
    page.uncheck("#interpolate-control-1-on input")
    settled(page)
    plain = pixels(page.locator(frame))
    page.check("#interpolate-control-1-on input")
    settled(page)
    assert not np.array_equal(pixels(page.locator(frame)), plain)


def test_the_panel_fits_any_screen(page):
    open_panel(page)
    for width in (1440, 390):
        page.set_viewport_size({"width": width, "height": 844})
        settled(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        for part in ("#control-1-sketch canvas", "#control-1-map .blank"):
            box = page.locator(part).bounding_box()
            assert box["width"] == pytest.approx(box["height"], abs=1)
            assert box["width"] > 120


def test_what_is_no_controlnet_is_named_with_the_reason(own_page, tiny_registry):
    expect(own_page.locator("#control-problems")).not_to_be_attached()
    folder = tiny_registry.folders[-1].parent / "controlnets"
    (folder / "tiny-canny").rename(folder / "My <b>Canny")
    (folder / "tiny-depth" / "config.json").unlink()
    own_page.reload()
    arrived(own_page)
    own_page.get_by_text("Follow a drawing or picture").click()
    problems = own_page.locator("#control-problems li")
    expect(problems).to_have_text(
        [
            re.compile(r"ControlNet id 'My <b>Canny': use 1 to 64 .* Rename this folder\."),
            "tiny-depth/config.json: this file is missing.",
        ]
    )
