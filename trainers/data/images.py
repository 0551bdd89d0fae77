"""Captioned pictures to train on, with their latents: a folder of files, cut to the model's square.

A folder is a Hugging Face imagefolder (`metadata.jsonl` or `.csv` with `file_name` and `text` on each line),
one of COCO's (`coco/val2017`, with `coco/annotations/captions_val2017.json`), holds a `.txt` beside each
picture, or names its pictures by what they show. Hidden files are none of it.
"""

import csv
import hashlib
import json
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from copy import copy
from io import StringIO
from pathlib import Path

import numpy as np
import torch
from diffusers import AutoencoderKL, AutoencoderTiny
from PIL import Image, ImageOps
from safetensors.torch import load_file, save_file
from torch import Tensor
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.plugins.picture import as_rgb
from rf_app.registry.checking import read_json
from rf_app.registry.disk import write_atomically
from rf_app.registry.encoding import encoded
from rf_app.registry.vocabulary import ARTICLES, LINKS, split_words
from rf_app.settings.text import read_text
from rf_app.settings.training import PICTURE_SUFFIXES
from trainers.common.pixels import at_once, to_tensor

LISTS = ("metadata.jsonl", "metadata.csv")
TOPIC = 24  # words that the page shows
NAMELESS = "a picture"  # what a file's name says that holds no word
MAX_ANNOTATIONS = 2**30  # bytes; those of COCO's largest part have 92 MB


class ImageFolder:
    """The pictures of a folder and their captions, in the order of their names."""

    def __init__(self, folder: Path, size: int) -> None:
        """size: pixels a side. Raises UserError for a folder without captioned pictures, naming the fault."""
        self.size = size
        coco = folder.parent / "annotations" / f"captions_{folder.name}.json"
        listed = [path for name in LISTS if (path := folder / name).is_file()]
        self.captioned_by = listed[0].name if listed else coco.name if coco.is_file() else ".txt"
        found = _metadata(listed[0]) if listed else _coco(folder, coco) if coco.is_file() else _texts(folder)
        if not found and not listed:
            self.captioned_by, found = "file names", _names(folder)
        if not found:
            raise UserError(
                f"{folder} holds no captioned pictures: expected metadata.jsonl or .csv with 'file_name' and "
                f"'text' on each line, COCO's {coco}, a .txt beside each picture, or pictures that are named "
                f"by what they show ({', '.join(PICTURE_SUFFIXES)})."
            )
        self.paths = [path for path, _ in found]
        self.captions = [caption for _, caption in found]
        taken = {path.resolve() for path in self.paths}
        self.left_out = [
            path.name
            for path in sorted(folder.iterdir())
            if path.is_file()
            and path.suffix.lower() != ".txt"
            and path.name not in LISTS
            and not path.name.startswith(".")
            and path.resolve() not in taken
        ]

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.paths)

    def pixels(self, indices: Sequence[int]) -> np.ndarray:
        """The pictures, cut to squares: uint8 [B, size, size, 3]. Raises UserError for an unreadable one."""
        return np.stack([square(self.paths[i], self.size) for i in indices])

    def caption(self, index: int) -> str:
        """The caption of a picture."""
        return self.captions[index]

    def only(self, indices: Sequence[int]) -> "ImageFolder":
        """Some of the pictures."""
        some = copy(self)
        some.paths, some.captions = [self.paths[i] for i in indices], [self.captions[i] for i in indices]
        return some

    def wordings(self) -> list[list[str]]:
        """The one caption of each picture."""
        return [[caption] for caption in self.captions]

    def corpus(self) -> Sequence[str]:
        """The captions."""
        return self.captions

    def vocabulary(self) -> dict[str, object]:
        """All words, and as a topic those that are said most often."""
        count = Counter(word for caption in self.captions for word in set(split_words(caption)))
        often = [word for word, _ in count.most_common() if len(word) > 2 and word not in LINKS | ARTICLES]
        return {"topics": {"words": often[:TOPIC]}, "words": sorted(count)}

    def digest(self) -> str:
        """12 hexadecimal digits that tell folders apart, by the pictures' bytes and captions.

        One that cannot be read, such as a link to nothing, has none: whoever looks at it says so.
        """
        digest = hashlib.sha256()
        for path, caption in zip(self.paths, self.captions, strict=True):
            with suppress(OSError):
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
    vae: AutoencoderKL | AutoencoderTiny,
    pixels: Callable[[Sequence[int]], np.ndarray],
    count: int,
    path: Path,
) -> Tensor:
    """Scaled latents [count, C, H, W] of pictures, in float32 on the CPU; kept in the file `path`."""
    if not path.exists():
        parts = []
        batch = at_once(pixels([0]).shape[1])
        for start in tqdm(range(0, count, batch), desc="encoding", mininterval=2):
            images = to_tensor(pixels(range(start, min(start + batch, count))), vae.device)
            parts.append(encoded(vae, images).cpu())
        latents = {"latents": torch.cat(parts).contiguous()}
        write_atomically(path, lambda temporary: save_file(latents, temporary))
    return load_file(path)["latents"]


def _metadata(path: Path) -> list[tuple[Path, str]]:
    """The pictures that `metadata.jsonl` or `.csv` lists; they must lie in its folder."""
    found = []
    for number, entry in _entries(path):
        try:
            name, text = entry["file_name"], entry["text"]
            picture = (path.parent / name).resolve()
            there = picture.is_file()
            str(text).encode()  # half a character is none
        except (OSError, ValueError, KeyError, TypeError):
            raise _expected(path, number) from None
        if not isinstance(text, str) or not picture.is_relative_to(path.parent.resolve()):
            raise UserError(f"{path}, line {number}: {name!r:.80} must be a file of this folder with a text.")
        if not there:
            raise UserError(f"{path}, line {number}: there is no picture {name!r:.80}.")
        found.append((picture, text.strip()))
    return found


def _entries(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The lines of a list that hold anything, with their numbers."""
    text = read_text(path)
    if path.suffix == ".csv":
        separator = next((each for each in ",;\t" if each in text.partition("\n")[0]), ",")
        rows = csv.DictReader(StringIO(text, newline=""), delimiter=separator)  # a caption may have lines
        try:
            yield from ((rows.line_num, row) for row in rows)
        except csv.Error:  # as of a quote that is never closed
            raise _expected(path, rows.line_num) from None
        return
    for number, line in enumerate(text.split("\n"), 1):  # JSON may hold what else is taken to end a line
        if line.strip():
            try:
                yield number, json.loads(line)
            except (ValueError, RecursionError):
                raise _expected(path, number) from None


def _expected(path: Path, number: int) -> UserError:
    wanted = '{"file_name": "0001.png", "text": "a caption"}'
    if path.suffix == ".csv":
        wanted = "the columns file_name and text"
    return UserError(f"{path}, line {number}: expected {wanted}.")


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
    """The pictures with a `.txt` beside them, or `.TXT`."""
    pictures = _pictures(folder)
    texts = {path.stem: path for path in sorted(folder.glob("*.[tT][xX][tT]"))} if pictures else {}
    return [(path, read_text(texts[path.stem]).strip()) for path in pictures if path.stem in texts]


def _names(folder: Path) -> list[tuple[Path, str]]:
    """All pictures, with the words of their names: "red-tent_2.png" is a red tent."""
    # macOS writes an "ä" as an "a" and its dots, which are no letter.
    stems = ((path, unicodedata.normalize("NFC", path.stem)) for path in _pictures(folder))
    words = ((path, re.sub(r"[\W\d_]+", " ", stem).strip().lower()) for path, stem in stems)
    return [(path, text if len(text) > 1 else NAMELESS) for path, text in words]


def _pictures(folder: Path) -> list[Path]:
    files = sorted(folder.iterdir()) if folder.is_dir() else []
    return [
        path for path in files if path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")
    ]


def square(path: Path, size: int) -> np.ndarray:
    """The middle square of a picture, uint8 [size, size, 3]. Raises UserError for an unreadable one."""
    try:
        with Image.open(path) as image:
            if image.format == "EPS":  # which Pillow has Ghostscript run
                raise ValueError("EPS is a program, and no picture")
            return np.asarray(ImageOps.fit(as_rgb(image), (size, size)))
    except Exception as error:  # Pillow's decoders raise a dozen kinds for files that are cut or crooked
        raise UserError(f"The picture {path} cannot be read ({error}).") from None
