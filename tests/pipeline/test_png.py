"""Pictures that know how they were made, and pictures that lie."""

import json
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rf_app.errors import UserError
from rf_app.pipeline.png import as_png, read_png_settings
from rf_app.settings.picture import read_picture_settings

SETTINGS = {
    "prompt": "a “lake” 山 🌄\nand more",
    "negative_prompt": "",
    "model": "pocket-instaflow",
    "seed": 2**32 - 1,
    "steps": 1,
    "guidance": 1.5,
}


def png(text=None, key="instaflow"):
    info = PngInfo()
    if text is not None:
        info.add_itxt(key, text)
    data = BytesIO()
    Image.new("RGB", (4, 4)).save(data, "PNG", pnginfo=info)
    return data.getvalue()


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def read(path):
    """The settings in force in a file, as restoring reads them."""
    found = read_png_settings(path)
    return None if found is None else read_picture_settings(found, "The settings")


def test_round_trip(tmp_path):
    path = tmp_path / "a.png"
    picture = Image.effect_noise((16, 16), 60).convert("RGB")
    path.write_bytes(as_png(picture, SETTINGS | {"seconds": 0.02}))
    assert read_png_settings(path) == SETTINGS | {"seconds": 0.02}
    assert read(path).as_json() == SETTINGS
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(picture))


def test_a_picture_without_settings(tmp_path):
    path = tmp_path / "a.png"
    for data in (png(), png("{}", key="parameters")):
        path.write_bytes(data)
        assert read(path) is None


def test_settings_are_found_wherever_a_tool_has_moved_them(tmp_path):
    path = tmp_path / "a.png"
    bare, text = png(), chunk(b"iTXt", b"instaflow\0\0\0\0\0" + json.dumps(SETTINGS).encode())
    others = chunk(b"iTXt", b"workflow\0\1\0\0\0" + zlib.compress(b"y" * 2_000_000))
    for data in (bare[:33] + others + text + bare[33:], bare[:-12] + others + text + bare[-12:]):
        path.write_bytes(data)
        assert read(path).as_json() == SETTINGS


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "not a readable PNG"),
        (b"GIF89a" + b"\0" * 50, "not a readable PNG"),
        (png()[:20], "not a readable PNG"),
        (
            png()[:8] + chunk(b"IHDR", struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)),
            "not a readable",
        ),
        (png("{"), "settings inside the picture are not readable"),
        (png("[1]"), "settings inside the picture are not readable"),
        (png("[" * 30_000), "settings inside the picture are not readable"),
        (png('{"seed": ' + "9" * 30_000 + "}"), "settings inside the picture are not readable"),
        (png(json.dumps({"x": "y" * 5_000_000})), "settings inside the picture are not readable"),
        (png('{"prompt": 3}'), "prompt is 3"),
        (png('{"seed": true}'), "seed is True"),
        (png('{"steps": "<script>"}'), "steps is '<script>'"),
        (png(json.dumps({"prompt": "y" * 10_000})), "prompt has 10,000 characters"),
        (
            png()[:33] + chunk(b"iTXt", b"instaflow\0\1\0\0\0" + zlib.compress(b"x" * 2**25)) + png()[33:],
            "settings inside|not a readable",
        ),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else f"{len(value)} bytes",
)
def test_hostile_pictures(tmp_path, data, message):
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with pytest.raises(UserError, match=message) as caught:
        read(path)
    assert str(tmp_path) not in str(caught.value)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=300)
@given(st.data())
def test_no_damage_gives_a_traceback(tmp_path, data):
    """Bytes changed, cut out or put in anywhere."""
    whole = png(json.dumps(SETTINGS))
    at = data.draw(st.integers(0, len(whole)))
    skip = data.draw(st.integers(0, 40))
    path = tmp_path / "a.png"
    path.write_bytes(whole[:at] + data.draw(st.binary(max_size=40)) + whole[at + skip :])
    try:
        found = read(path)
    except UserError:
        return
    assert found is None or set(found.as_json()) <= set(SETTINGS)
