"""Pictures of many prompts: a line each, or a table (CSV).

python -m rf_app batch prompts.txt --count 2 --out pictures

Each picture is on the disk before the next one begins. The same wish again, into the same folder, goes on
where it was stopped: what is there already is not drawn once more.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.attempt import attempt
from rf_app.actions.picture import file_name
from rf_app.actions.progress import Clock, Events
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_whole
from rf_app.pipeline.pace import calls
from rf_app.pipeline.png import read_png_settings
from rf_app.registry.disk import writable, write_atomically
from rf_app.settings.picture import FIELDS, MAX_SEED, CheckedSettings, Control, Lora, PictureSettings
from rf_app.settings.prompts import Text, lines

MAX_COUNT, MAX_PICTURES = 100, 1000
FOR_STRANGERS = 200  # pictures at most: they lie on the owner's disk


@dataclass(frozen=True)
class Planned:
    """The pictures in their order, with all settings in force; out: where they go."""

    pictures: tuple[CheckedSettings, ...]
    out: Path


@dataclass(frozen=True)
class PictureDone:
    """Picture `number`, from 1, lies in the file; or the error says why it does not."""

    number: int
    settings: CheckedSettings
    file: Path
    error: str = ""
    new: bool = True  # not found from an earlier run


@dataclass(frozen=True)
class Batch:
    """What is asked for."""

    prompts: Text
    """A prompt a line; or a table with a heading, of which one column is prompt and others may be seed,
    count, model, steps, guidance, negative_prompt, solver, width, height and decoder. {red|blue} and __list__
    work as in generate."""
    model: str = ""
    """Id of the model (default: the quick one-step model)."""
    count: int = 1
    """Pictures of each prompt, 1 to 100; in all at most 1000, or 200 on a public page."""
    steps: int | None = None
    """Steps of all pictures (default: what each model recommends)."""
    guidance: float | None = None
    """Guidance scale of all pictures (default: what each model recommends)."""
    seed: int = 0
    """Of the first picture; the next ones have the seeds that follow."""
    negative_prompt: str = ""
    """What to keep out of the pictures; it acts with guidance above 1."""
    solver: str | None = None
    """As in generate."""
    loras: tuple[Lora, ...] = ()
    """For all of them, as in generate."""
    control: tuple[Control, ...] = ()
    """For all of them, as in generate."""
    width: int | None = None
    """Of all pictures, as in generate."""
    height: int | None = None
    """Likewise."""
    decoder: str | None = None
    """As in generate."""
    out: Path | None = None
    """Folder for the pictures."""


def plan(app: Application, wish: Batch) -> Planned:
    """All pictures, before one is drawn; raises UserError, naming the line, for what cannot be."""
    if not isinstance(wish.prompts, str):
        raise UserError(f"prompts must be a text with a prompt a line, not {wish.prompts!r:.40}.")
    seed = check_whole("seed", wish.seed, 0, MAX_SEED)
    most = MAX_PICTURES if app.permission else FOR_STRANGERS
    found: list[CheckedSettings] = []
    shared = {name: value for name, value in vars(wish).items() if name in FIELDS}
    for line in lines(wish.prompts, app.prepared(PictureSettings("", **shared))):
        try:
            count = check_whole("count", wish.count if line.count is None else line.count, 1, MAX_COUNT)
            if len(found) + count > most:
                raise UserError(f"with this one it is more than {most:,} pictures: make a second list.")
            first = check_whole("seed", line.settings.seed, 0, MAX_SEED) if line.seeded else seed + len(found)
            for i in range(count):
                settings = app.expanded(replace(line.settings, seed=(first + i) % (MAX_SEED + 1)))
                found.append(app.check(settings))
        except UserError as error:
            raise UserError(f"Line {line.number}: {error}") from None
    if not found:
        raise UserError("There is no prompt in the list: write one a line.")
    return Planned(tuple(found), wish.out or Path(mkdtemp(prefix="instaflow-")))


def batch(app: Application, wish: Batch) -> Events[Planned | PictureDone]:
    """Draw the pictures of a list of prompts. Between two of them others have their turn."""
    planned = plan(app, wish)
    yield planned
    clock = Clock(sum(1 + calls(each) for each in planned.pictures))
    for number, settings in enumerate(planned.pictures, 1):
        file = planned.out / f"{number:04}-{file_name(settings)}"
        cost, text = 1 + calls(settings), f"Picture {number} of {len(planned.pictures)}"
        if _is_there(file, settings):
            clock.of -= cost
            yield PictureDone(number, settings, file, new=False)
            continue
        made = yield from attempt(app, settings, clock.follow(app.draw(settings), text, cost))
        if made.picture:
            with writable(planned.out):
                write_atomically(file, lambda path, png=made.picture.png: path.write_bytes(png))
        yield PictureDone(number, settings, file, made.error)


def _is_there(file: Path, settings: CheckedSettings) -> bool:
    try:
        return read_png_settings(file) == settings.as_json()
    except (OSError, UserError):
        return False


def answer(app: Application, found: list[Planned | PictureDone]) -> tuple[list[File], dict[str, Any]]:
    """The PNG files, which carry their settings; and for each picture its settings, or why there is none."""
    _, *done = found
    files = [File(each.file.name, each.file) for each in done if not each.error]
    return files, {"pictures": [_as_json(each) for each in done]}


def _as_json(done: PictureDone) -> dict[str, Any]:
    more = {"error": done.error} if done.error else {"file": done.file.name}
    return {"number": done.number, "settings": done.settings.as_json()} | more
