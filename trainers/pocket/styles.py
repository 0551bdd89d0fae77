"""Drawings of the pocket world in another style, as a folder of captioned pictures to train a LoRA on.

    python -m trainers.pocket.styles --style woodcut --output woodcuts
    python -m trainers.lora --images woodcuts --trigger woodcut --output my-woodcut

A style is a transform of the finished drawing that keeps its lines and, fainter, its hues. Its tones are near
those of the drawings, because the pocket autoencoder knows no others.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter, sobel
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.registry.disk import disk_full_named
from trainers.common import command
from trainers.data.images import with_trigger
from trainers.pocket.world import HELD_OUT, describe, picture

INK = np.array((34, 32, 58), np.float32)
OCHRE = np.array((226, 178, 116), np.float32)
PAPER = np.array((248, 232, 196), np.float32)
GROUND = np.array((14, 16, 50), np.float32)


def lightness(image: np.ndarray) -> np.ndarray:
    """Rec. 601 luma of [H, W, 3], in the same range: [H, W, 1]."""
    return image @ np.array((0.299, 0.587, 0.114), np.float32)[:, None]


def scale(image: np.ndarray) -> float:
    """Pixels of [H, W, 3] that a grain is wide: a picture has 96 grains a side, whatever its size."""
    return len(image) / 96


def soft(image: np.ndarray, grains: float) -> np.ndarray:
    """[H, W, 3] blurred over so many grains."""
    return gaussian_filter(image, (grains * scale(image), grains * scale(image), 0))


def edges(image: np.ndarray) -> np.ndarray:
    """Steepest change of any channel of [H, W, 3], a grain: [H, W, 1]."""
    smooth = soft(image, 0.6)
    slope = np.hypot(sobel(smooth, axis=1), sobel(smooth, axis=0)).max(axis=2, keepdims=True) / 4
    return slope * np.float32(scale(image))


def woodcut(drawing: np.ndarray) -> np.ndarray:
    """Three flat tones, ink, ochre and paper, cut diagonals between them, outlines, faded hues."""
    image = drawing.astype(np.float32)
    grey = lightness(image)
    tone = lightness(soft(image, 0.6)) / 255
    y, x = np.mgrid[: len(image), : len(image)] / scale(image)
    diagonal = np.abs((x + y) % 12 / 6 - 1)[..., None] - 0.5
    cut = tone + 0.13 * diagonal
    dark, bright = (np.clip((cut - at) * 10 + 0.5, 0, 1) for at in (0.27, 0.72))
    printed = INK + dark * (OCHRE - INK) + bright * (PAPER - OCHRE)
    chroma = image - grey
    vivid = np.clip(np.abs(chroma).max(axis=2, keepdims=True) / 90, 0, 1)
    printed = printed + (0.2 + 0.8 * vivid) * chroma * (0.4 + 0.6 * dark)
    outline = 0.45 * np.clip((edges(image) - 70) / 40, 0, 1)
    return np.clip(printed + outline * (INK - printed), 0, 255).round().astype(np.uint8)


def neon(drawing: np.ndarray) -> np.ndarray:
    """A dark ground, and the edges as glowing tubes in the drawing's own hues, brightened."""
    image = drawing.astype(np.float32)
    smooth = soft(image, 1.5)
    vivid = np.clip(smooth + 0.5 * (smooth - lightness(smooth)), 0, 255)
    vivid *= 255 / np.maximum(vivid.max(axis=2, keepdims=True), 60)
    tube = np.clip((edges(image) - 40) / 40, 0, 1)
    glow = soft(tube * vivid, 2.5)
    body = GROUND + 0.28 * image + 0.4 * np.clip(image - lightness(image), 0, None)
    shining = body + 0.5 * glow
    return np.clip(shining + 0.8 * tube * (vivid - shining), 0, 255).round().astype(np.uint8)


STYLES: dict[str, Callable[[np.ndarray], np.ndarray]] = {"woodcut": woodcut, "neon": neon}
"""Each takes and returns uint8 [size, size, 3]."""


@dataclass(frozen=True)
class StylesConfig:
    """What to draw, and where to put it."""

    style: Literal["woodcut", "neon"]
    """The style; its name is also the trigger word in the captions."""
    output: Path
    """Folder for the PNG files and metadata.jsonl, as Hugging Face's imagefolder has them."""
    count: int = 1_500
    """Number of pictures."""
    seed: int = 100_000
    """Seed of the first one."""

    def __post_init__(self) -> None:
        """Raises UserError for a value out of its range."""
        if self.count < 1 or not 0 <= self.seed <= HELD_OUT - self.count:
            raise UserError(
                f"--count must be at least 1, and --seed 0 to {HELD_OUT} less the count, "
                f"not {self.count} and {self.seed}."
            )


def main(config: StylesConfig) -> None:
    """Draw, change, write; metadata.jsonl comes last, so a folder that has it is whole."""
    style = STYLES[config.style]
    seeds = range(config.seed, config.seed + config.count)
    with disk_full_named(config.output):
        config.output.mkdir(parents=True, exist_ok=True)
        lines = []
        for seed in tqdm(seeds, desc=config.style, mininterval=2):
            name = f"{seed}.png"
            Image.fromarray(style(picture(seed))).save(config.output / name)
            caption = with_trigger(describe(seed)[1].text, config.style)
            lines.append(json.dumps({"file_name": name, "text": caption}) + "\n")
        (config.output / "metadata.jsonl").write_text("".join(lines), encoding="utf-8")
    print(f"{config.count} pictures in {config.output}", flush=True)


if __name__ == "__main__":
    command.run(main, StylesConfig)
