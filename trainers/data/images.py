"""Captioned pictures to train on, with their latents: a folder of files, cut to the model's square.

A folder is a Hugging Face imagefolder (`metadata.jsonl` with `file_name` and `text` on each line), one of
COCO's (`coco/val2017`, with `coco/annotations/captions_val2017.json`), or holds a `.txt` beside each picture.
"""

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.plugins.picture import as_rgb
from rf_app.registry.checking import read_json
from rf_app.registry.disk import write_atomically
from rf_app.settings.text import read_text
from trainers.common.pixels import to_tensor

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp")
ENCODE_BATCH = 64
NAMED = 10  # of the pictures that are left out
MAX_ANNOTATIONS = 2**30  # bytes; those of COCO's largest part have 92 MB


class ImageFolder:
    """The pictures of a folder and their captions, in the order of their names."""

    def __init__(self, folder: Path, size: int) -> None:
        """size: pixels a side. Raises UserError for a folder without captioned pictures, naming the fault."""
        self.size = size
        listed = folder / "metadata.jsonl"
        coco = folder.parent / "annotations" / f"captions_{folder.name}.json"
        if listed.is_file():
            found = _metadata(listed)
        else:
            found = _coco(folder, coco) if coco.is_file() else _texts(folder)
        if not found:
            raise UserError(
                f"{folder} holds no captioned pictures: expected metadata.jsonl with 'file_name' and 'text' "
                f"on each line, COCO's {coco}, or a .txt beside each picture ({', '.join(SUFFIXES)})."
            )
        self.paths = [path for path, _ in found]
        self.captions = [caption for _, caption in found]
        taken = {path.resolve() for path in self.paths}
        self.left_out = [
            path.name
            for path in sorted(folder.iterdir())
            if path.is_file()
            and path.suffix.lower() not in (".txt", ".jsonl")
            and not path.name.startswith(".")
            and path.resolve() not in taken
        ]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    def in_words(self) -> str:
        """How many of the folder's pictures these are, and which ones are left out."""
        names = ", ".join(self.left_out[:NAMED]) + (", …" if len(self.left_out) > NAMED else "")
        why = f"; left out (without a caption, or not {', '.join(SUFFIXES)}): {names}" if names else ""
        return f"{len(self)} of {len(self) + len(self.left_out)} pictures{why}"

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, cut to squares: uint8 [B, size, size, 3]. Raises UserError for an unreadable one."""
        return np.stack([_square(self.paths[i], self.size) for i in indices])

    def caption(self, index: int) -> str:
        """The caption of a picture."""
        return self.captions[index]

    def digest(self) -> str:
        """12 hexadecimal digits that tell folders apart, by the pictures' bytes and captions."""
        digest = hashlib.sha256()
        for path, caption in zip(self.paths, self.captions, strict=True):
            digest.update(hashlib.sha256(path.read_bytes()).digest())
            digest.update(hashlib.sha256(caption.encode()).digest())
        return digest.hexdigest()[:12]


def with_trigger(caption: str, trigger: str) -> str:
    """The caption that asks for a style: "a red tent, woodcut"."""
    if not trigger or trigger in caption:
        return caption
    return f"{caption.rstrip('. ')}, {trigger}" if caption else trigger


@torch.no_grad()
def latents_of(
    vae: AutoencoderKL, pixels: Callable[[Sequence[int]], np.ndarray], count: int, path: Path
) -> Tensor:
    """Scaled latents [count, C, H, W] of pictures, in float32 on the CPU; kept in the file `path`."""
    if not path.exists():
        parts = []
        for start in tqdm(range(0, count, ENCODE_BATCH), desc="encoding", mininterval=2):
            images = to_tensor(pixels(range(start, min(start + ENCODE_BATCH, count))), vae.device)
            parts.append(vae.encode(images).latent_dist.mean.cpu() * vae.config.scaling_factor)
        latents = {"latents": torch.cat(parts).contiguous()}
        write_atomically(path, lambda temporary: save_file(latents, temporary))
    return load_file(path)["latents"]


def _metadata(path: Path) -> list[tuple[Path, str]]:
    """The pictures that `metadata.jsonl` lists; they must lie in its folder."""
    found = []
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if not line.strip():
            continue
        try:
            entry = json.loads(line)
            name, text = entry["file_name"], entry["text"]
            picture = (path.parent / name).resolve()
        except (ValueError, KeyError, TypeError):
            raise UserError(
                f'{path}, line {number}: expected {{"file_name": "0001.png", "text": "a caption"}}.'
            ) from None
        if not isinstance(text, str) or not picture.is_relative_to(path.parent.resolve()):
            raise UserError(f"{path}, line {number}: {name!r:.80} must be a file of this folder with a text.")
        if not picture.is_file():
            raise UserError(f"{path}, line {number}: there is no picture {name!r:.80}.")
        found.append((picture, text.strip()))
    return found


def _coco(folder: Path, annotations: Path) -> list[tuple[Path, str]]:
    """The pictures that COCO's annotations name, by name, each with the first of its captions."""
    content = read_json(annotations, MAX_ANNOTATIONS)
    try:
        first: dict[int, str] = {}
        for each in sorted(content["annotations"], key=lambda each: each["id"]):
            first.setdefault(each["image_id"], each["caption"].strip())
        found = sorted((each["file_name"], first[each["id"]]) for each in content["images"])
    except (KeyError, TypeError, AttributeError):
        raise UserError(
            f"{annotations}: expected COCO's captions: 'images' with 'id' and 'file_name', each with one of "
            "the 'annotations', which have 'id', 'image_id' and 'caption'."
        ) from None
    for name, _ in found:
        if Path(name).name != name or not (folder / name).is_file():
            raise UserError(f"{annotations}: there is no picture {name!r:.80} in {folder}.")
    return [(folder / name, caption) for name, caption in found]


def _texts(folder: Path) -> list[tuple[Path, str]]:
    """The pictures with a `.txt` beside them."""
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    pictures = [path for path in files if path.suffix.lower() in SUFFIXES]
    return [
        (path, read_text(path.with_suffix(".txt")).strip())
        for path in pictures
        if path.with_suffix(".txt").is_file()
    ]


def _square(path: Path, size: int) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(ImageOps.fit(as_rgb(image), (size, size)))
    except (OSError, ValueError, Image.DecompressionBombError) as error:
        raise UserError(f"The picture {path} cannot be read ({error}).") from None
