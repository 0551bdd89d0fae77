"""A model that enlarges pictures and draws details, where one is at hand: ESRGAN, DAT, SwinIR and others.

spandrel knows the kind by the file's tensors (https://github.com/chaiNNer-org/spandrel). Wants
`pip install spandrel`.
"""

from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from rf_app.errors import UserError
from rf_app.plugins.checkpoint import header_of
from rf_app.settings.home import home

if TYPE_CHECKING:
    from spandrel import ImageModelDescriptor

TILE, MARGIN = 192, 16  # pixels of a side that are enlarged at a time, and around them


def upscaler_file() -> Path | None:
    """The first safetensors file in the folder `upscaler` of the user's; None where there is none."""
    return min((home() / "upscaler").glob("*.safetensors"), default=None)


def installed() -> bool:
    """Whether spandrel is there."""
    return find_spec("spandrel") is not None


def load_upscaler(file: Path, device: torch.device) -> "ImageModelDescriptor":
    """The model in a file, in float32; raises UserError for one that is not sound or enlarges no pictures."""
    from spandrel import ImageModelDescriptor, ModelLoader  # not everybody has it

    header_of(file)
    try:
        model = ModelLoader(device).load_from_file(file).eval()
    except Exception as error:  # of anybody's file: it may raise anything
        raise UserError(
            f"{file.name}: spandrel knows no such upscaler ({type(error).__name__}); try another file."
        ) from None
    if not isinstance(model, ImageModelDescriptor) or model.scale < 2:
        raise UserError(f"{file.name}: is a model that does not enlarge; expected an upscaler, x2 or x4 say.")
    if (model.input_channels, model.output_channels) != (3, 3):
        raise UserError(
            f"{file.name}: takes {model.input_channels} channels and gives {model.output_channels}; "
            "expected 3, as colours have."
        )
    return model


def enlarged(
    model: "ImageModelDescriptor", image: Image.Image, factor: int, report: Callable[[int, int], None]
) -> Image.Image:
    """An RGB picture at `factor` times its side: as often through the model as it takes, one tile after the
    other, and made smaller by Lanczos where that is more. report: is told the tiles that are done, of how
    many.
    """
    sizes = [image.size]
    while sizes[-1][0] < factor * image.width:
        sizes.append(tuple(model.scale * side for side in sizes[-1]))
    done, of = 0, sum(1 for size in sizes[:-1] for _ in _tiles(*size))
    wanted = factor * image.width, factor * image.height
    for width, height in sizes[:-1]:
        pixels = np.asarray(image)
        larger = np.empty((model.scale * height, model.scale * width, 3), np.uint8)
        for left, top, right, bottom in _tiles(width, height):
            x, y = max(0, left - MARGIN), max(0, top - MARGIN)
            part = torch.from_numpy(pixels[y : bottom + MARGIN, x : right + MARGIN].copy()).to(model.device)
            made = model(part.permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0)
            levels = made.mul(255).round().byte().cpu().numpy()
            inner = [model.scale * side for side in (top - y, bottom - y, left - x, right - x)]
            place = [model.scale * side for side in (top, bottom, left, right)]
            larger[place[0] : place[1], place[2] : place[3]] = levels[
                inner[0] : inner[1], inner[2] : inner[3]
            ]
            done += 1
            report(done, of)
        image = Image.fromarray(larger)
    return image if image.size == wanted else image.resize(wanted, Image.Resampling.LANCZOS)


def _tiles(width: int, height: int) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right and bottom of each."""
    for top in range(0, height, TILE):
        for left in range(0, width, TILE):
            yield left, top, min(left + TILE, width), min(top + TILE, height)
