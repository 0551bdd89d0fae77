"""Pictures that may come from anyone, as upright RGB; and condition maps as text that JSON can carry.

A condition map is what a ControlNet reads: an RGB picture, as base64 of a PNG.
"""

import base64
import binascii
import hashlib
import io
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from rf_app.errors import UserError

MAX_FILE_BYTES = 32 * 2**20
MAX_PIXELS = 64 * 10**6
MAX_MAP_SIDE = 2048
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
FAINT = 40  # of 255: what stands out less from its ground cannot be seen; as in ui/parts/sketch.js


def read_picture(content: bytes) -> Image.Image:
    """The picture in a file, as `as_rgb` gives it.

    Raises UserError for what is no picture, too large a file, or so many pixels that they are no picture.
    """
    if len(content) > MAX_FILE_BYTES:
        raise UserError(
            f"The picture's file is larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted."
        )
    try:
        with Image.open(io.BytesIO(content), formats=FORMATS) as image:
            # The header says the size; nothing is decoded before it is found to be bearable.
            if image.width * image.height > MAX_PIXELS:
                raise UserError(
                    f"The picture has {image.width} x {image.height} pixels; "
                    f"at most {MAX_PIXELS // 10**6} million are accepted."
                )
            return as_rgb(image)
    except Image.DecompressionBombError:
        raise UserError(
            f"The picture has too many pixels; at most {MAX_PIXELS // 10**6} million are accepted."
        ) from None
    except UserError:
        raise
    except Exception as error:  # Pillow's decoders raise a dozen kinds for files that are cut or crooked
        raise UserError(
            f"The picture cannot be read ({type(error).__name__}): use a {', '.join(FORMATS)} file."
        ) from None


def as_rgb(image: Image.Image) -> Image.Image:
    """A picture as RGB: turned as its EXIF says, 16 bits made 8, transparent made white; or black, where all
    that is on it is white and would vanish.
    """
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I"):  # 16 bits: Pillow's own conversion cuts off instead of scaling
        image = Image.fromarray((np.asarray(image).clip(0, 65535) // 257).astype(np.uint8))
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        on_white, on_black = (_laid_on(ground, image.convert("RGBA")) for ground in (WHITE, BLACK))
        return on_black if _contrast(on_white) < FAINT <= _contrast(on_black) else on_white
    return image.convert("RGB")


def _laid_on(ground: tuple[int, int, int], image: Image.Image) -> Image.Image:
    return Image.alpha_composite(Image.new("RGBA", image.size, ground), image).convert("RGB")


def _contrast(image: Image.Image) -> int:
    darkest, brightest = image.convert("L").getextrema()
    return brightest - darkest


def read_base64(text: str) -> bytes:
    """The bytes in base64, also of a data URL as browsers have it; raises UserError for any other text."""
    if not isinstance(text, str):
        raise UserError(f"A picture is base64 text, not {text!r:.40}.")
    if len(text) > 2 * MAX_FILE_BYTES:
        raise UserError(f"The picture is larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted.")
    return _from_base64(text.rpartition("base64,")[2])


def _from_base64(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise UserError(f"The picture is not base64 text: {text!r:.40}") from None


def encoded(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """A picture's file; options: of Pillow's `save`."""
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def encode_map(image: Image.Image) -> str:
    """A condition map as text."""
    return base64.b64encode(encoded(image.convert("RGB"))).decode("ascii")


def decode_map(text: str) -> Image.Image:
    """The condition map [H, W] RGB in a text that may come from anyone; raises UserError where it is none."""
    if not isinstance(text, str):
        raise UserError(f"A condition map is base64 text, not {text!r:.40}.")
    image = read_picture(_from_base64(text))
    if max(image.size) > MAX_MAP_SIDE:
        raise UserError(
            f"The condition map has {image.width} x {image.height} pixels; at most {MAX_MAP_SIDE} a side."
        )
    return image


def is_empty(text: str) -> bool:
    """Whether nothing stands out in a condition map, so that there is nothing to follow."""
    return _contrast(decode_map(text)) < FAINT


def digest(text: str) -> str:
    """16 hexadecimal digits that name a condition map by its pixels, whoever encoded it."""
    image = decode_map(text)
    return hashlib.sha256(f"{image.width}x{image.height}:".encode() + image.tobytes()).hexdigest()[:16]
