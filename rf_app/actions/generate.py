"""Pictures of a prompt.

python -m rf_app generate "a snowy mountain at sunset" --seed 5 --count 4 --out pictures
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from functools import reduce
from operator import add
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.picture import Picture
from rf_app.actions.presets import preset
from rf_app.actions.progress import Clock, Events
from rf_app.pipeline.checking import check_whole
from rf_app.plugins.picture import digest, is_empty
from rf_app.settings.picture import MAX_SEED, PictureSettings

MAX_COUNT = 16


@dataclass(frozen=True)
class Generate:
    """Picture i has seed + i (modulo 2^32) and equals the single picture of that seed."""

    settings: PictureSettings
    count: int = 1
    """Number of pictures, 1 to 16; the next ones have the seeds that follow."""
    preset: str = ""
    """Name of a preset, as presets lists them: its words go around the prompt, and what else it says counts
    where nothing is given."""


def generate(app: Application, wish: Generate) -> Events[Picture]:
    """Make pictures of a prompt. Between two of them others have their turn."""
    count = check_whole("count", wish.count, 1, MAX_COUNT)
    asked = preset(wish.preset).applied(wish.settings) if wish.preset else wish.settings
    settings = app.prepared(asked)
    seed = check_whole("seed", settings.seed, 0, MAX_SEED)
    clock = Clock(count)
    for i in range(count):
        turn = app.draw(replace(settings, seed=(seed + i) % (MAX_SEED + 1)))
        text = f"Picture {i + 1} of {count}" if count > 1 else "Drawing"
        yield Picture((yield from clock.follow(turn, text)))


def details(app: Application, pictures: Sequence[Picture]) -> dict[str, Any]:
    """What a program gets beside the files: settings, seeds, seconds, and what was not understood."""
    first = pictures[0].drawn
    settings = {
        "loras": [],
        "control": [],
        **first.settings.as_json(),
        "seeds": [picture.drawn.settings.seed for picture in pictures],
        "seconds": asdict(reduce(add, (picture.drawn.timings for picture in pictures))),
        "unknown_words": list(first.unknown_words),
        "unread": first.unread,
    }
    del settings["seed"]
    settings["control"] = [
        {name: value for name, value in asdict(each).items() if name in ("model", "strength", "start", "end")}
        | {"map": digest(each.image)}
        | ({"empty": True} if is_empty(each.image) else {})
        for each in first.settings.control
    ]
    return settings


def answer(app: Application, pictures: list[Picture]) -> tuple[list[File], dict[str, Any]]:
    """The PNG files, which carry their settings; and settings, seconds, words that the model does not know,
    and the end of a prompt that is too long for it.
    """
    return [File(picture.name, picture.png) for picture in pictures], details(app, pictures)
