"""A picture that knows how it was made: settings as JSON in the PNG's text chunk "instaflow", and back.

Other programs have texts of their own there.
"""

import json
import struct
from collections.abc import Collection
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import ExifTags, Image
from PIL.PngImagePlugin import PngInfo

from rf_app.errors import UserError
from rf_app.plugins.picture import encoded
from rf_app.settings.picture import parse_json

KEY = "instaflow"
SIGNATURE = b"\x89PNG\r\n\x1a\n"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
END = b"\0\0\0\0IEND\xaeB`\x82"
MAX_FILE_BYTES = 64 * 2**20


def as_png(image: Image.Image, settings: dict[str, Any] | None) -> bytes:
    """The picture's file, with its settings, JSON values, if it has any."""
    info = PngInfo()
    if settings is not None:
        info.add_itxt(KEY, json.dumps(settings, ensure_ascii=False))
    return encoded(image, pnginfo=info, compress_level=1)


def read_png_settings(path: Path) -> dict[str, Any] | None:
    """The settings in a PNG; None for a picture without; raises as `read_texts`, and for broken ones."""
    return _parsed(read_texts(path, [KEY]), path.name)


def read_settings(file: BinaryIO, name: str) -> dict[str, Any] | None:
    """As `read_png_settings`, of an open file."""
    return _parsed(_texts(file, name, [KEY]), name)


def _parsed(texts: dict[str, str], name: str) -> dict[str, Any] | None:
    text = texts.get(KEY)
    return None if text is None else parse_json(text, f"{name}: the settings inside the picture")


def read_texts(path: Path, keys: Collection[str]) -> dict[str, str]:
    """The texts in a PNG that have these names; in a JPEG or WebP what programs write into its EXIF.

    The file may come from anyone: raises UserError for what is no such picture, or too large.
    """
    name = path.name
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{name}: larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted.")
    with path.open("rb") as file:
        return _texts(file, name, keys)


def _texts(file: BinaryIO, name: str, keys: Collection[str]) -> dict[str, str]:
    try:
        png = file.read(8) == SIGNATURE
        file.seek(0)
        with Image.open(
            _without_others(file, keys) if png else file, formats=["PNG", "JPEG", "WEBP"]
        ) as image:
            texts = image.info if png else _in_exif(image.getexif())
    except Exception as error:  # of anybody's file: it may raise anything
        # Pillow says so of a text, or of pixels.
        why = "what is in it is too large" if "too large" in str(error) else type(error).__name__
        raise UserError(f"{name}: not a readable PNG, JPEG or WebP picture ({why}).") from None
    return {key: texts[key] for key in keys if isinstance(texts.get(key), str)}


def _in_exif(exif: Image.Exif) -> dict[str, str]:
    """As the programs write it there: A1111 as the user's comment, ComfyUI as a camera's "prompt:…"."""
    comment = exif.get_ifd(ExifTags.IFD.Exif).get(
        ExifTags.Base.UserComment, exif.get(ExifTags.Base.UserComment, "")
    )
    if isinstance(comment, bytes):
        code, text = comment[:8], comment[8:]
        wide = "utf-16-le" if text[1:2] == b"\0" else "utf-16-be"
        comment = text.decode(wide if code == b"UNICODE\0" else "utf-8", "replace")
    tags = [exif.get(tag) for tag in (ExifTags.Base.Make, ExifTags.Base.Model)]
    pairs = [tag.partition(":") for tag in tags if isinstance(tag, str)]
    return {"parameters": comment} | {name.lower(): text for name, _, text in pairs}


def _without_others(file: BinaryIO, keys: Collection[str]) -> BytesIO:
    """A PNG's header and its texts of these names, which some tools move behind the pixels.

    Nothing is decoded, and what others have written beside it may be of any size.
    """
    kept, names = BytesIO(), tuple(f"{key}\0".encode() for key in keys)
    kept.write(file.read(33))  # the signature, and the header as a chunk
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        content = file.read(length + 4)  # with the checksum
        if kind in TEXTS and content.startswith(names):
            kept.write(head + content)
    kept.write(END)
    kept.seek(0)
    return kept
