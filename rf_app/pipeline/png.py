"""A picture that knows how it was made: settings as JSON in the PNG's text chunk "instaflow", and back."""

import json
from pathlib import Path
from typing import Any, BinaryIO

from PIL import Image
from PIL.PngImagePlugin import PngInfo

from rf_app.errors import UserError
from rf_app.pipeline.requests import MAX_PROMPT

KEY = "instaflow"
MAX_FILE_BYTES = 64 * 2**20
MAX_SETTINGS_CHARACTERS = 4 * 2**20  # the maps of its controls among them
FIELDS: dict[str, type | tuple[type, ...]] = {
    "prompt": str,
    "negative_prompt": str,
    "model": str,
    "seed": int,
    "steps": int,
    "guidance": (int, float),
    "solver": str,
    "loras": list,
    "control": list,
}
"""What is read back, and its type; a picture may carry more, for people."""


def save_png(image: Image.Image, path: Path | BinaryIO, settings: dict[str, Any]) -> None:
    """Write the picture with its settings: JSON values, of FIELDS and any others for people."""
    info = PngInfo()
    info.add_itxt(KEY, json.dumps(settings, ensure_ascii=False))
    image.save(path, format="PNG", pnginfo=info, compress_level=1)


def read_settings(path: Path) -> dict[str, Any] | None:
    """The settings in a PNG, those of FIELDS only; None for a PNG that carries none.

    The file may come from anyone: raises UserError for what is not a PNG, too large, or has broken settings.
    Values still have to pass `GenerateRequest.checked`.
    """
    found = read_json(path)
    return None if found is None else pick_settings(found, _source(path))


def read_json(path: Path) -> dict[str, Any] | None:
    """All that a PNG carries, as it is; otherwise as `read_settings`."""
    name = Path(path).name
    if Path(path).stat().st_size > MAX_FILE_BYTES:
        raise UserError(f"{name}: larger than the {MAX_FILE_BYTES // 2**20} MB that are accepted.")
    try:
        with Image.open(path, formats=["PNG"]) as image:
            # The chunk stands before the pixels, so nothing needs decoding.
            text = image.info.get(KEY)
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError) as error:
        raise UserError(f"{name}: not a readable PNG picture ({type(error).__name__}).") from None
    if text is None:
        return None
    return _loaded(text, _source(path))


def parse_settings(text: str, source: str = "The settings sent here") -> dict[str, Any]:
    """The settings in a JSON text that may come from anyone, those of FIELDS only.

    Raises UserError, beginning with `source`, for what is no such text. Values still have to pass
    `GenerateRequest.checked`.
    """
    return pick_settings(_loaded(text, source), source)


def _source(path: Path) -> str:
    return f"{Path(path).name}: the settings inside the picture"


def _loaded(text: str, source: str) -> dict[str, Any]:
    try:
        if len(text) > MAX_SETTINGS_CHARACTERS:
            raise ValueError
        settings = json.loads(text)
        if not isinstance(settings, dict):
            raise ValueError
    except (ValueError, TypeError, RecursionError):
        raise UserError(f"{source} are not readable.") from None
    return settings


def pick_settings(settings: dict[str, Any], source: str) -> dict[str, Any]:
    """Those of FIELDS; raises UserError, beginning with `source`, for a value of another type."""
    found = {field: settings[field] for field in FIELDS if field in settings}
    for field, value in found.items():
        if isinstance(value, bool) or not isinstance(value, FIELDS[field]):
            raise UserError(f"{source}: {field} is {value!r:.40}, which cannot be used.")
        if isinstance(value, str) and len(value) > MAX_PROMPT:
            raise UserError(f"{source}: {field} has {len(value):,} characters; at most {MAX_PROMPT:,}.")
    return found
