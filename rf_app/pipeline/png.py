"""A picture that knows how it was made: settings as JSON in the PNG's text chunk "instaflow", and back."""

import json
import struct
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rf_app.errors import UserError
from rf_app.settings.picture import parse_json

KEY = "instaflow"
TEXTS = (b"tEXt", b"zTXt", b"iTXt")
END = b"\0\0\0\0IEND\xaeB`\x82"
MAX_FILE_BYTES = 64 * 2**20


def save_png(image: Image.Image, path: Path | BinaryIO, settings: dict[str, Any]) -> None:
    """Write the picture with its settings: JSON values."""
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(settings, ensure_ascii=False))
    image.save(path, format="PNG", pnginfo=info, compress_level=1)


def read_png_settings(path: Path) -> dict[str, Any] | None:
    """The settings in a PNG; None for a PNG that carries none.

    The file may come from anyone: raises UserError for what is not a PNG, too large, or has broken settings.
    """
    name = path.name
    if path.stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{name}: larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted.")
    try:
        with path.open("rb") as file, Image.open(_without_others(file), formats=["PNG"]) as image:
            text = image.info.get(KEY)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"{name}: not a readable PNG picture ({type(error).__name__}).") from None
    return None if text is None else parse_json(text, f"{name}: the settings inside the picture")


def _without_others(file: BinaryIO) -> BytesIO:
    """A PNG's header and its texts of this program, which some tools move behind the pixels.

    Nothing is decoded, and what others have written beside it may be of any size.
    """
    kept = BytesIO()
    kept.write(file.read(33))  # the signature, and the header as a chunk
    while len(head := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", head)
        content = file.read(length + 4)  # with the checksum
        if kind in TEXTS and content.startswith(f"{KEY}\0".encode()):
            kept.write(head + content)
    kept.write(END)
    kept.seek(0)
    return kept
