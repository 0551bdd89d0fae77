"""The picture to begin from, with brushes, and beside it what becomes of it; easel.js is the browser's part.

The picture and its mask are only in the browser. While Live is on, each stroke is answered by `parts.frames`.
"""

from collections.abc import Callable
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.edit import Edit, edit
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Events
from rf_app.actions.run import run
from rf_app.actions.translate import Made, Translate, translate
from rf_app.errors import UserError
from rf_app.plugins.picture import encoded, read_base64
from rf_app.settings.picture import read_picture_settings
from rf_app.settings.start import START, read_start
from rf_app.settings.translated import TRANSLATED, read_translated
from rf_app.ui.parts.frames import frames
from rf_app.ui.parts.image import data_url
from rf_app.ui.parts.script import scripted

SIDE = 512  # pixels of the board's longer side
COLOURS = {
    "Sky": "#7fb4e6",
    "Night": "#1c2a52",
    "Sun": "#ffd65c",
    "Leaf": "#5b8c3e",
    "Sand": "#e2c48d",
    "Water": "#2f7fb0",
    "Red": "#c8342b",
    "White": "#f7f7f4",
    "Rock": "#6f6a68",
}


def asked(own: Application, found: Any) -> Events[Picture | Made]:
    """The action for a wish of the page, which may be anything; raises UserError where it is none."""
    if not isinstance(found, dict):
        raise UserError("The page sends no wish for a picture: please load it anew.")
    if TRANSLATED in found:
        given = read_translated(found[TRANSLATED])
        image = File("The picture on the board", read_base64(given.image))
        return translate(own, Translate(image, given.translation, given.steps, found.get("frames", 0)))
    if START not in found:
        raise UserError("The board is empty: drop a picture on it, or paint.")
    return edit(own, Edit(read_picture_settings(found, "The form"), read_start(found[START])))


def shown(made: Picture | Made) -> dict[str, Any]:
    """A picture as the easel shows it."""
    found = {"src": data_url(made.png), "settings": made.settings, "name": made.name}
    if isinstance(made, Made):
        found["way"] = [data_url(encoded(each, compress_level=1)) for each in made.way]
    return found


def easel(app: Application, value: dict[str, Any]) -> gr.HTML:
    """The part; its value is the form as JSON. A new `at` in it brings a picture, `result` what was made."""

    def draw(own: Application, wish: Any, left: Callable[[], bool]) -> dict[str, Any]:
        *_, made = run(asked(own, wish), left)
        return shown(made)

    return scripted(
        __file__, value, html_template=_template(), server_functions=[frames(app, draw)], elem_id="easel"
    )


def _template() -> str:
    colours = "".join(
        f'<button class="colour" data-colour="{colour}" style="--colour:{colour}" title="{name}" '
        f'aria-label="{name}" aria-pressed="false"></button>'
        for name, colour in COLOURS.items()
    )
    return (
        '<div class="boards">'
        f'<div class="board" data-drop><canvas class="picture" width="{SIDE}" height="{SIDE}" '
        'aria-label="The picture: paint on it, or drop another one"></canvas>'
        f'<canvas class="mask" width="{SIDE}" height="{SIDE}" aria-hidden="true"></canvas>'
        "<p>Drop a picture here, or paint</p></div>"
        '<figure class="result"><div class="laid"><img alt="" translate="no" draggable="false" '
        'decoding="sync"><span></span><i></i><input type="range" min="0" max="100" value="0" step="0.1" '
        'aria-label="Uncover the picture before" oninput="studio.uncover(this)"></div><div class="after">'
        '<button class="act back" disabled>Go on from this</button>'
        '<a class="act save" href="#" download="instaflow-edit.png">Save PNG</a></div></figure></div>'
        f'<div class="tools"><div class="colours" role="group" aria-label="Colours">{colours}'
        '<input type="color" value="#d98f2b" aria-label="Another colour"></div>'
        '<label class="size">Brush <input type="range" min="2" max="120" value="44"></label>'
        '<button class="act fill">Fill</button><button class="act only" aria-pressed="false" '
        'title="Paint over what may change; every other pixel stays">Only here</button>'
        '<button class="act undo">Undo</button><button class="act clear">Clear</button>'
        '<label class="act upload">Upload<input type="file" accept="image/*"></label>'
        '<span class="speed"></span></div><p class="problem" role="alert"></p>'
        '<div class="passage" hidden></div>'
    )
