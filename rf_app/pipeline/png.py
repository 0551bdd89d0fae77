"""A picture that knows how it was made: settings as JSON in the PNG's text chunk "instaflow", and back."""

import json
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rf_app.errors import UserError
from rf_app.settings.picture import parse_json

KEY = "instaflow"
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
    name = Path(path).name
    if Path(path).stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{name}: larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted.")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            # The chunk stands before the pixels, so nothing needs decoding.
            text = image.info.get(KEY)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"{name}: not a readable PNG picture ({type(error).__name__}).") from None
    return None if text is None else parse_json(text, f"{name}: the settings inside the picture")
