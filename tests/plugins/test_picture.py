"""Pictures from anyone: every kind becomes upright RGB, or is refused with a message."""

import base64
import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from rf_app.errors import UserError
from rf_app.plugins.picture import decode_map, digest, encode_map, is_empty, read_base64, read_picture


def saved(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


HUGE = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
BOMB = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", HUGE) + chunk(b"IDAT", zlib.compress(b""))
RED = Image.new("RGB", (8, 4), "red")


@pytest.mark.parametrize(
    "content",
    [
        saved(RED),
        saved(RED.convert("RGBA")),
        saved(RED.quantize(4)),
        saved(RED, "JPEG", quality=100, subsampling=0),
        saved(RED.convert("CMYK"), "JPEG", quality=100, subsampling=0),
        saved(RED, "WEBP", lossless=True),
        saved(RED, "BMP"),
        saved(RED, "GIF"),
    ],
)
def test_every_kind_becomes_rgb(content):
    found = read_picture(content)
    assert (found.mode, found.size) == ("RGB", (8, 4))
    assert np.abs(np.asarray(found).astype(int) - [255, 0, 0]).max() < 4


def test_transparent_is_white():
    clear = Image.new("RGBA", (2, 1), (255, 0, 0, 0))
    clear.putpixel((1, 0), (0, 0, 255, 255))
    assert np.asarray(read_picture(saved(clear))).tolist() == [[[255, 255, 255], [0, 0, 255]]]
    palette = Image.new("P", (1, 1), 0)
    palette.putpalette([9, 9, 9])
    assert read_picture(saved(palette, transparency=0)).getpixel((0, 0)) == (255, 255, 255)


@pytest.mark.parametrize(("ink", "ground"), [("black", 255), ("#c04040", 255), ("white", 0), ("#f0f0e8", 0)])
@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_ink_stands_out_from_what_was_transparent(ink, ground, mode):
    drawing = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    drawing.paste(ink, (2, 2, 6, 6))
    grey = np.asarray(read_picture(saved(drawing.convert(mode))).convert("L")).astype(int)
    assert grey[0, 0] == ground
    assert abs(grey[3, 3] - ground) > 100


def test_a_map_in_which_nothing_stands_out_is_empty():
    for ground in ("black", "white"):
        map = Image.new("RGB", (8, 8), ground)
        assert is_empty(encode_map(map))
        map.putpixel((3, 4), (128, 128, 128))
        assert not is_empty(encode_map(map))


def test_sixteen_bits_are_scaled():
    ramp = Image.fromarray(np.array([[0, 257, 32896, 65535]], np.uint16))
    assert np.asarray(read_picture(saved(ramp)))[0, :, 0].tolist() == [0, 1, 128, 255]


def test_a_turned_photograph_stands_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # held on its side
    assert read_picture(saved(RED, "JPEG", exif=exif)).size == (4, 8)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read"),
        (b"no picture", "cannot be read"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "cannot be read"),
        (saved(RED)[:40], "cannot be read"),
        (saved(RED, "TIFF"), "use a PNG, JPEG, WEBP, BMP, GIF file"),
        (saved(Image.new("1", (9000, 9000))), "9000 x 9000 pixels; at most 64 million"),
        (BOMB, "at most 64 million"),
        (b"x" * (33 * 2**20), "larger than the 32 MB"),
    ],
    ids=["empty", "text", "svg", "cut", "tiff", "huge", "bomb", "long"],
)
def test_what_is_refused(content, message):
    with pytest.raises(UserError, match=message):
        read_picture(content)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(st.data())
def test_no_damage_gives_a_traceback(data):
    form = data.draw(st.sampled_from(["PNG", "JPEG", "WEBP", "BMP", "GIF"]))
    whole = saved(RED, form)
    at = data.draw(st.integers(0, len(whole)))
    skip = data.draw(st.integers(0, 40))
    try:
        found = read_picture(whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + skip :])
    except UserError:
        return
    assert found.mode == "RGB"


def test_a_map_survives_as_text_and_is_named_by_its_pixels():
    image = Image.fromarray(np.random.default_rng(0).integers(0, 255, (6, 9, 3), np.uint8))
    text = encode_map(image)
    assert np.array_equal(np.asarray(decode_map(text)), np.asarray(image))
    other_file = base64.b64encode(saved(image, compress_level=0)).decode()
    assert other_file != text
    assert digest(other_file) == digest(text)
    assert len(digest(text)) == 16
    assert digest(encode_map(image.resize((9, 3)))) != digest(text)
    assert digest(encode_map(Image.new("RGB", (2, 3)))) != digest(encode_map(Image.new("RGB", (3, 2))))


def test_text_of_a_browser_or_a_program():
    assert read_base64("data:image/png;base64,aGk=") == read_base64("aGk=") == b"hi"
    for text, message in (("a<b>", "not base64"), (7, "not 7"), ("x" * (65 * 2**20), "larger than")):
        with pytest.raises(UserError, match=message):
            read_base64(text)


def test_a_map_is_nothing_but_base64():
    """It goes into the page as it is."""
    text = encode_map(RED)
    for other in (f"data:image/png;base64,{text}", f'" onerror="x" base64,{text}', text + "\n", 7, None):
        with pytest.raises(UserError, match="base64 text"):
            decode_map(other)


def test_a_map_has_bounds():
    with pytest.raises(UserError, match="3000 x 1 pixels; at most 2048 a side"):
        decode_map(encode_map(Image.new("RGB", (3000, 1))))
