"""A picture at two to four times its side: by an upscaler, where one is at hand, else by Lanczos.

python -m rf_app upscale picture.png --factor 4
"""

import io
from collections.abc import Generator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from PIL import Image

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.picture import file_name
from rf_app.actions.progress import Clock, Events, Progress
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_whole
from rf_app.pipeline.png import SIGNATURE, as_png, read_settings
from rf_app.pipeline.turns import PULSE
from rf_app.plugins.picture import MAX_FILE_BYTES, MAX_PIXELS, read_picture
from rf_app.plugins.upscaler import installed, upscaler_file
from rf_app.settings.picture import read_picture_settings

FACTORS = (2, 4)  # the least and the most
LANCZOS = "Lanczos"
NONE = "For finer details, put an upscaler’s safetensors file into the folder “upscaler” beside your models."
NEEDS = "{} is not used, as spandrel is not installed: pip install spandrel"


@dataclass(frozen=True)
class Upscale:
    """A picture, and how much larger it shall be."""

    image: File
    """The picture; the settings in a PNG that was saved here stay in it."""
    factor: int = 2
    """How many times its side, 2 to 4."""


@dataclass(frozen=True)
class Upscaled:
    """A larger picture. by: the upscaler's name, or Lanczos; note: what finer details take, or nothing.

    settings: of the picture that it was made from, with `upscaled`; None where that had none.
    """

    image: Image.Image
    factor: int
    by: str
    note: str
    name: str
    settings: dict[str, Any] | None

    @cached_property
    def png(self) -> bytes:
        """The PNG file, settings included."""
        return as_png(self.image, self.settings)


def upscale(app: Application, wish: Upscale) -> Events[Upscaled]:
    """Enlarge a picture to two to four times its side; the answer says by what."""
    factor = check_whole("factor", wish.factor, *FACTORS)
    while not app.enlarging.acquire(timeout=PULSE):
        yield None
    try:
        made = yield from _enlarged(app, wish.image, factor)
        _ = made.png  # no other picture is in memory while it is made
    finally:
        app.enlarging.release()
    yield made


def _enlarged(app: Application, given: File, factor: int) -> Generator[Progress | None, None, Upscaled]:
    content = given.read(MAX_FILE_BYTES)
    with app.one_picture:
        image = read_picture(content)
    if image.width * image.height * factor**2 > MAX_PIXELS:
        raise UserError(
            f"The picture has {image.width} x {image.height} pixels; {factor} times its side would be "
            f"more than the {MAX_PIXELS // 10**6} million that are accepted."
        )
    own = content.startswith(SIGNATURE)
    settings = read_settings(io.BytesIO(content), given.name) if own else None
    name = f"{Path(given.name).stem}-x{factor}.png"
    if settings is not None:
        name = file_name(read_picture_settings(settings, given.name), f"x{factor}")
    file, note = upscaler_file(), ""
    if file is None:
        note = NONE
    elif not installed():
        note, file = NEEDS.format(file.name), None
    by = file.stem if file else LANCZOS
    larger = yield from Clock(1).follow(app.worker.upscale(image, factor, file, app.line), "Enlarging")
    if settings is not None:
        settings |= {"upscaled": {"factor": factor, "by": by}}
    return Upscaled(larger, factor, by, (app.permission and note) or "", name, settings)


def answer(app: Application, found: list[Upscaled]) -> tuple[File, dict[str, Any]]:
    """The PNG file, with the settings that the picture had; and its size, by what it was enlarged, and what
    finer details take.
    """
    [made] = found
    said = {"width": made.image.width, "height": made.image.height, "by": made.by, "note": made.note}
    return File(made.name, made.png), said
