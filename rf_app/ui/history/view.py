"""Kept pictures as HTML: all of them small, and one of them in full.

A prompt may come from anyone, in a picture that was dropped here: every text is escaped.
"""

import time
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import PurePosixPath
from typing import Any

from rf_app.actions import words
from rf_app.pipeline.history import Kept
from rf_app.settings.picture import read_picture_settings
from rf_app.settings.start import START
from rf_app.settings.translated import TRANSLATED
from rf_app.ui.parts.image import data_url, img, save_link
from rf_app.ui.parts.send import edit_button, send_button

NOTHING = (
    '<div class="lead"><p>Nothing is kept yet. What you ask for in Generate, with Enter or its button, will '
    "be here tomorrow, too; what you only tried while typing will not.</p></div>"
)
NOT_FOUND = (
    '<div class="lead"><p>No such picture is kept. Try fewer words, or those without a star, too.</p></div>'
)
OUT = "Leave out"  # of the picture: these words, too, are somebody's
ELSEWHERE = (
    '<div class="lead"><p>The history is the owner’s, on their own computer: here nothing is kept.</p></div>'
)


def grid(pictures: Sequence[Kept], rest: int, chosen: str) -> str:
    """The pictures, newest first; rest: how many more were found, chosen: the name of the one in full."""
    found = "".join(_small(each, each.name == chosen) for each in pictures)
    more = f'<p class="rest">{rest:,} more: search, or show more of them.</p>' if rest else ""
    return f'<div class="kept" translate="no">{found}</div>{more}'


def _small(picture: Kept, chosen: bool) -> str:
    prompt = str(picture.settings.get("prompt", ""))
    image = img(data_url(picture.thumbnail, "webp"), prompt, ' loading="lazy"')
    marks = f"{' chosen' if chosen else ''}{' starred' if picture.starred else ''}"
    now = ' aria-current="true"' if chosen else ""
    return (
        f'<button class="small{marks}"{now} draggable="true" data-kept="{escape(picture.name)}" '
        f'title="{escape(prompt)}">{image}</button>'
    )


def full(picture: Kept, png: bytes, titles: Mapping[str, str]) -> str:
    """One picture, what made it, and where it can go from here; titles: of the models at hand, by id."""
    settings = picture.settings
    prompt = str(settings.get("prompt", ""))
    save = save_link(f"instaflow-{PurePosixPath(picture.name).name}")
    if START in settings or TRANSLATED in settings:
        send = send_button("edit", settings, "Use again")
    else:
        send = send_button("generate", settings, "Use again") + edit_button(settings)
        send += "".join(send_button(tab, settings) for tab in ("compare", "interpolate"))
    when = time.strftime("%Y-%m-%d, %H:%M", time.localtime(picture.created))
    own = ' translate="no"'  # as the prompt
    facts = "".join(
        f"<dt>{key}</dt><dd{own if key == OUT else ''}>{escape(str(value))}</dd>"
        for key, value in _facts(settings, titles).items()
    )
    return (
        f'<figure>{img(data_url(png), prompt)}<div class="links">{send}{save}</div></figure>'
        f'<p translate="no">{escape(prompt)}</p><p>{when}</p><dl>{facts}</dl>'
    )


def _facts(settings: dict[str, Any], titles: Mapping[str, str]) -> dict[str, Any]:
    made = read_picture_settings(settings, "The picture's settings")
    found = {"Model": titles.get(made.model, made.model)}
    if TRANSLATED in settings:
        return found | {"Began from": "another picture"}
    found["Seed"] = made.seed
    found["Steps"] = made.steps and words.steps(made.steps)
    found["Guidance"] = made.guidance
    found["Size"] = f"{made.width}×{made.height}" if made.width and made.height else ""
    found[OUT] = made.negative_prompt
    found["Styles"] = ", ".join(f"{each.id} {each.strength:g}" for each in made.loras)
    found["Began from"] = "another picture" if START in settings else ""
    found["Follows"] = "a drawing or picture" if made.control else ""
    return {name: value for name, value in found.items() if value not in (None, "")}
