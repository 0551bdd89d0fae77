"""Presets: what comes before and after a prompt, with a model, LoRAs and settings, under a name.

python -m rf_app presets
python -m rf_app generate "a lake" --preset Woodcut

Those that come with the program are in assets/presets.json, one's own in presets.json in the user's folder:
a list of objects of WORDS and SETTINGS, which can be read anywhere else.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rf_app.actions.application import Application
from rf_app.actions.progress import Events
from rf_app.errors import UserError
from rf_app.pipeline.checking import check_number, check_text
from rf_app.registry.disk import writable, write_text
from rf_app.settings.bundled import ASSETS
from rf_app.settings.home import home
from rf_app.settings.picture import (
    MAX_PROMPT,
    MAX_STRENGTH,
    PictureSettings,
    parse_json,
    read_picture_settings,
)
from rf_app.settings.text import read_text

SHIPPED = ASSETS / "presets.json"
MAX_NAME, MAX_PRESETS = 60, 500  # characters, and of one's own
WORDS = ("name", "before", "after")
SETTINGS = (  # as a picture has them
    *("model", "steps", "guidance", "solver", "negative_prompt", "loras"),
    *("width", "height"),
)
OPEN = PictureSettings("")  # what nobody has said anything of


@dataclass(frozen=True)
class PromptPreset:
    """One of them; what of its SETTINGS is left at its default is left as it is."""

    name: str
    before: str = ""
    after: str = ""
    settings: PictureSettings = OPEN

    def around(self, prompt: str) -> str:
        """The prompt with what comes before and after it."""
        after = self.after if not self.after or self.after[0] in ",.;:" else f" {self.after}"
        return f"{self.before} {prompt}{after}".strip()

    def within(self, prompt: str) -> str:
        """The prompt that `around` was given, where it has made this one."""
        marked = self.around("\0")
        before, after = marked.split("\0")
        is_around = prompt.startswith(before) and prompt.endswith(after)
        return prompt[len(before) : len(prompt) - len(after)] if is_around else prompt

    def applied(self, settings: PictureSettings) -> PictureSettings:
        """The settings with those of the preset that they leave open; raises UserError for no text."""
        left_open = [name for name in SETTINGS if getattr(settings, name) == getattr(OPEN, name)]
        mine = {name: getattr(self.settings, name) for name in left_open}
        return replace(settings, prompt=self.around(check_text("prompt", settings.prompt)), **mine)

    def as_json(self) -> dict[str, Any]:
        """Its words and settings, without those at their default."""
        words = {name: text for name in WORDS if (text := getattr(self, name))}
        own = self.settings.as_json().items()
        return words | {name: value for name, value in own if value != getattr(OPEN, name)}


@dataclass(frozen=True)
class Presets:
    """Nothing has to be said."""


def presets(app: Application, wish: Presets) -> Events[PromptPreset]:
    """List the presets: those that come with the program, and one's own."""
    yield from at_hand()


def answer(app: Application, found: list[PromptPreset]) -> list[dict[str, Any]]:
    """Their names and what they set."""
    return [each.as_json() for each in found]


def at_hand() -> list[PromptPreset]:
    """All of them; one's own takes the place of a shipped one of its name."""
    found = {each.name: each for each in (*read(SHIPPED), *own())}
    return list(found.values())


def own() -> list[PromptPreset]:
    """One's own."""
    return list(read(path)) if (path := _path()).exists() else []


def preset(name: str) -> PromptPreset:
    """The one of a name; raises UserError where there is none."""
    known = {each.name: each for each in at_hand()}
    if name not in tuple(known):  # a program may send what no dict can look up
        raise UserError(f"There is no preset {name!r:.80}; there are {', '.join(known)}.")
    return known[name]


def save(app: Application, *new: PromptPreset) -> None:
    """Keep presets; each takes the place of one's own of its name. Raises UserError, and for strangers."""
    app.permission.check("Saving a preset")
    with app.saving:
        kept = {each.name: each for each in (*own(), *(_checked(each) for each in new))}
        if len(kept) > MAX_PRESETS:
            raise UserError(
                f"There are {len(kept)} presets; at most {MAX_PRESETS} are kept: delete some first."
            )
        _write(list(kept.values()))


def delete(app: Application, name: str) -> None:
    """Forget one of one's own; raises UserError where it is none."""
    app.permission.check("Deleting a preset")
    with app.saving:
        kept = own()
        if name not in (each.name for each in kept):
            raise UserError(f"{name!r:.80} is no preset of your own: only those can be deleted.")
        _write([each for each in kept if each.name != name])


def read(path: Path) -> Iterator[PromptPreset]:
    """The presets in a file that may come from anyone; raises UserError naming what is wrong with it."""
    found = parse_json(f'{{"presets": {read_text(path, path.name)}}}', f"{path.name}: the presets")["presets"]
    if not isinstance(found, list) or len(found) > MAX_PRESETS:
        raise UserError(f'{path.name}: expected a list of presets, [{{"name": …}}], at most {MAX_PRESETS}.')
    for number, each in enumerate(found, 1):
        source = f"{path.name}: preset {number}"
        if not isinstance(each, dict):
            raise UserError(f'{source} is {each!r:.40}; expected {{"name": …}}.')
        if unknown := sorted(each.keys() - {*WORDS, *SETTINGS}):
            known = ", ".join(sorted({*WORDS, *SETTINGS}))
            raise UserError(f"{source} has {unknown[0]!r:.40}; a preset has {known}.")
        made = read_picture_settings({name: each[name] for name in SETTINGS if name in each}, source)
        yield _checked(PromptPreset(*(each.get(name, "") for name in WORDS), made))


def _checked(each: PromptPreset) -> PromptPreset:
    for name in WORDS:
        text, most = getattr(each, name), MAX_NAME if name == "name" else MAX_PROMPT
        if not isinstance(text, str) or len(text) > most:
            raise UserError(
                f"A preset's {name} is {text!r:.40}; it must be a text of up to {most} characters."
            )
    seen = {name: check_text(f"preset's {name}", getattr(each, name)) for name in WORDS}
    if not seen["name"]:
        raise UserError("Give the preset a name.")
    for lora in each.settings.loras:
        check_number(f"LoRA {lora.id!r:.80}: strength", lora.strength, -MAX_STRENGTH, MAX_STRENGTH)
    return replace(each, **seen)


def _path() -> Path:
    return home() / "presets.json"


def _write(kept: list[PromptPreset]) -> None:
    text = json.dumps([each.as_json() for each in kept], ensure_ascii=False, indent=2)
    with writable(_path().parent):
        write_text(_path(), text)
