"""A folder of anybody's pictures, looked at before anything is trained: what is used, what not, and why.

What is used is written as squares, with its captions, into a folder of its own: the given one may change.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from rf_app.errors import UserError
from rf_app.registry.disk import disk_full_named, write_text
from rf_app.registry.vocabulary import split_words
from rf_app.settings.text import visible
from rf_app.settings.world import FEW, FEW_SAID
from trainers.data.images import NAMELESS, ImageFolder, square
from trainers.data.source import FEWEST, held_out_of

MOST = 20_000  # pictures; of more a part is taken
LONGEST = 1_000  # characters of a caption
NAMED = 10  # of the pictures that are left out
EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Looked:
    """What was found in a folder. pictures: the files to be used, with their captions; size: pixels a side.

    about: how many pictures each remark holds for; left_out: names by the reason why; from_nothing: whether
    some are held out, for a model that begins with these pictures alone.
    """

    folder: Path
    size: int
    pictures: tuple[tuple[Path, str], ...]
    captioned_by: str
    about: dict[str, int]
    left_out: dict[str, list[str]]
    from_nothing: bool = True

    def in_words(self) -> str:
        """The report."""
        count = len(self.pictures)
        held_out = held_out_of(count) if self.from_nothing else 0
        measured = f" and {held_out} held out to measure by" if held_out else ""
        pixels = f"{self.size}x{self.size} pixels"
        captions = {caption for _, caption in self.pictures}
        words = Counter(word for _, caption in self.pictures for word in set(split_words(caption)))
        rare = sum(count == 1 for count in words.values())
        lines = [
            f"{self.folder}: {count - held_out:,} pictures to learn from{measured}, of {pixels}",
            f"captions: from {self.captioned_by}, {len(captions):,} different ones, {len(words):,} words",
        ]
        if rare > len(words) / 2:
            lines.append(f"words of a single picture, which teach little: {rare:,}")
        if len(captions) == 1:
            lines.append("all have the same caption: the model will draw, but listen to no words")
        lines += [f"{what}: {count:,}" for what, count in self.about.items() if count]
        lines += [f"left out, {why}: {len(names):,} ({_some(names)})" for why, names in self.left_out.items()]
        if self.from_nothing and count < FEW:
            lines.append(f"{FEW_SAID}: from nothing, {FEW:,} pictures and more teach better")
        return "\n".join(lines)

    def save(self, into: Path) -> None:
        """Write squares and captions as a folder that trainers read; it is whole once metadata.jsonl is."""
        with disk_full_named(into):
            into.mkdir(parents=True, exist_ok=True)
            lines = []
            for number, (path, caption) in enumerate(self.pictures):
                name = f"{number:05d}.png"
                try:
                    pixels = square(path, self.size)
                except UserError as error:  # it has gone, or is being written, since it was looked at
                    print(f"left out: {error}", flush=True)
                    continue
                Image.fromarray(pixels).save(into / name)
                lines.append(json.dumps({"file_name": name, "text": caption}))
        write_text(into / "metadata.jsonl", "\n".join(lines) + "\n")


def look(folder: Path, size: int, from_nothing: bool = True) -> Looked:
    """Look at every picture of a folder. Raises UserError for a folder with too few that can be used."""
    fewest = FEWEST if from_nothing else 1
    images = ImageFolder(folder, size)
    order = sorted(np.random.default_rng(0).permutation(len(images))[:MOST].tolist())
    with ThreadPoolExecutor() as pool:
        looks = pool.map(partial(_look, size=size), (images.paths[i] for i in order))
        seen = list(tqdm(looks, total=len(order), desc="looking", mininterval=2))
    pictures, known, about = [], set(), dict.fromkeys(("cut", "enlarged", "on white", "turned"), 0)
    left_out: dict[str, list[str]] = {}
    for i, found in zip(order, seen, strict=True):
        name = images.paths[i].name
        if isinstance(found, str):
            left_out.setdefault("cannot be read", []).append(name)
        elif found.digest in known:
            left_out.setdefault("the same as another", []).append(name)
        else:
            known.add(found.digest)
            for what in found.about:
                about[what] += 1
            text = images.captions[i].encode(errors="ignore").decode()  # names of files may be no text
            pictures.append((images.paths[i], " ".join(visible(text).split())[:LONGEST] or NAMELESS))
    files, taken = sorted(path.name for path in folder.iterdir()), set(order)
    hidden = [name for name in files if name.startswith(".")]
    used = {parent for path in images.paths for parent in path.resolve().parents}  # which a list may name
    folders = [
        path.name
        for path in folder.iterdir()
        if path.is_dir() and path.name not in hidden and path.resolve() not in used
    ]
    for why, names in (
        ("hidden", hidden),
        ("folders within", sorted(folders)),
        ("without a caption, or no picture", images.left_out),
        (f"more than {MOST:,}", [images.paths[i].name for i in range(len(images)) if i not in taken]),
    ):
        if names:
            left_out[why] = names
    found = Looked(folder, size, tuple(pictures), images.captioned_by, about, left_out, from_nothing)
    if len(pictures) < fewest:
        said = found.in_words().splitlines()
        why = "; ".join(line for line in said if line.startswith("left out")) or "there are no more"
        raise UserError(f"{folder} holds {len(pictures)} pictures to use, {fewest} are needed: {why}.")
    return found


@dataclass(frozen=True)
class _Seen:
    """A picture: digest of its square, and what is to be said of it."""

    digest: bytes
    about: tuple[str, ...]


def _look(path: Path, size: int) -> _Seen | str:
    try:
        pixels = square(path, size)
        with Image.open(path) as image:
            about = {
                "cut": image.width != image.height,
                "enlarged": min(image.size) < size,
                "on white": image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info,
                "turned": image.getexif().get(EXIF_ORIENTATION, 1) != 1,
            }
    except (UserError, OSError) as error:  # or it has gone just now
        return str(error)
    return _Seen(hashlib.sha256(pixels.tobytes()).digest(), tuple(what for what, so in about.items() if so))


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
