"""Sheets of samples that a trainer leaves in its run folder, for a person to look at."""

from collections.abc import Sequence
from pathlib import Path

import torch
from diffusers.utils import make_image_grid
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from torch import Tensor

from rf_app.registry.disk import write_atomically
from trainers.common.pixels import to_pixels


def write_sheet(path: Path, rows: Sequence[Tensor], first: str = "wanted") -> None:
    """Write rows of images, each [N, 3, H, W] in about -1..1, under one another as a PNG.

    Its text "grid" tells rows and columns, such as "3 8", so that a reader can take it apart, and "first"
    what is in the first of several rows, "" where that is the model's, too.
    """
    images = [Image.fromarray(pixels) for pixels in to_pixels(torch.cat(list(rows)))]
    sheet = make_image_grid(images, len(rows), len(rows[0]))
    grid = PngInfo()
    grid.add_text("grid", f"{len(rows)} {len(rows[0])}")
    grid.add_text("first", first)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG", pnginfo=grid))
