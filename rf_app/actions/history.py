"""What was drawn here and kept. It is the owner's: what they drew is no stranger's business.

python -m rf_app history --words "red boat" --starred
"""

from dataclasses import dataclass
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.generate import Generate, generate
from rf_app.actions.progress import Events
from rf_app.actions.run import results
from rf_app.pipeline.checking import check_text, check_whole
from rf_app.pipeline.history import History as Pictures
from rf_app.pipeline.history import Kept
from rf_app.settings.picture import CheckedSettings

MAX_COUNT = 1000


@dataclass(frozen=True)
class History:
    """Which pictures."""

    words: str = ""
    """Words of the prompt, the model's id or the styles' (default: all pictures)."""
    starred: bool = False
    """Those with a star alone."""
    count: int = 60
    """At most so many, 1 to 1000, the newest first."""


def pictures(app: Application) -> Pictures:
    """The kept pictures; raises UserError for strangers."""
    app.permission.check("Looking at what was drawn here")
    return app.history


def keep(app: Application, png: bytes, settings: dict[str, Any]) -> None:
    """Keep a picture, where it is the owner who draws; raises UserError where it cannot be written."""
    if app.permission:
        app.history.keep(png, settings)


def star(app: Application, settings: CheckedSettings) -> None:
    """Give a picture of these settings a star; one that was only tried is drawn again, and kept.

    Raises UserError for strangers, and where it cannot be drawn or written.
    """
    kept = pictures(app)
    name = kept.find(settings.as_json())
    if name is None:
        (made,) = results(generate(app, Generate(settings)))
        name = kept.keep(made.png, made.settings)
    kept.star(name, True)


def history(app: Application, wish: History) -> Events[Kept]:
    """Look up pictures that were drawn on the page, the newest first."""
    count = check_whole("count", wish.count, 1, MAX_COUNT)
    words = check_text("words", wish.words)
    yield from pictures(app).search(words, bool(wish.starred), count)[0]


def answer(app: Application, found: list[Kept]) -> list[dict[str, Any]]:
    """For each picture its settings, its file, which has the pictures in them as well, and whether it has a
    star.
    """
    folder = app.history.folder
    return [
        {"file": str(folder / each.name), "starred": each.starred, "settings": _in_words(each.settings)}
        for each in found
    ]


def _in_words(settings: dict[str, Any]) -> dict[str, Any]:
    """Without the pictures that it began from and followed, which are as long as files."""
    bare = {name: _without_pictures(value) for name, value in settings.items()}
    control = bare.get("control")
    return bare | {"control": list(map(_without_pictures, control))} if isinstance(control, list) else bare


def _without_pictures(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {name: each for name, each in value.items() if name not in ("image", "mask")}
