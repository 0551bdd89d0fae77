"""The live picture between key frames and its handle; scrubber.js is what happens in the browser."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.interpolate import Interpolate, interpolate
from rf_app.actions.run import run
from rf_app.settings.way import Way, read_way
from rf_app.ui.parts.frames import frames
from rf_app.ui.parts.image import data_url
from rf_app.ui.parts.model_form import offered
from rf_app.ui.parts.script import scripted

NAMES = "ABCD"  # of the key frames


def scrubber(app: Application, way: Way) -> gr.HTML:
    """The part; its value is the way as JSON, and a new one moves the handle to the position in it."""

    def draw(own: Application, wish: Any, left: Callable[[], bool]) -> dict[str, Any]:
        *_, picture = run(interpolate(own, Interpolate(page_way(own, wish))), left)
        return {"src": data_url(picture.png), "same": picture.same}

    return scripted(
        __file__,
        way.as_json(),
        html_template=_template(),
        server_functions=[frames(app, draw)],
        elem_id="scrubber",
    )


def page_way(own: Application, found: Any) -> Way:
    """The way that the page sends, which may be anything; raises UserError as `read_way`.

    Where LoRAs have just changed the sampler, what is recommended with them stands in for the fields.
    """
    way = read_way(found)
    picture = way.picture
    if offered(own, picture.solver, picture.model, picture.loras):
        return way
    return replace(way, picture=replace(picture, steps=None, guidance=None, solver=None))


def _template() -> str:
    stops = "".join(
        f'<button class="stop" data-stop="{i}" title="Go to {name}">{name}</button>'
        for i, name in enumerate(NAMES)
    )
    return (
        '<div class="stage"><div class="pictures" style="--columns:1"><figure>'
        '<div class="pad" tabindex="0" role="group" aria-label="The picture; arrow keys move in a square">'
        '<img alt="" draggable="false" decoding="sync">'
        f'<div class="corners">{stops}</div><i class="dot"></i></div></figure></div>'
        '<div class="way-through"><input type="range" min="0" value="0" step="1" aria-label="Position">'
        f'<div class="stops">{stops}</div>'
        '<div class="readout"><span class="speed">Drag the handle</span>'
        '<button class="send" data-send="generate" disabled>Open in Generate</button>'
        '<a class="save" download="instaflow-interpolation.png">Save PNG</a></div>'
        '<p class="problem" role="alert"></p></div></div>'
    )
