"""A board to draw on or to put a picture into, of their shape; sketch.js is what happens in the browser.

The browser decodes what is put into it, so the server only ever sees a PNG of up to SIDE pixels a side.
"""

import gradio as gr

from rf_app.ui.parts.script import scripted

SIDE = 512  # pixels


def sketch(elem_id: str) -> gr.HTML:
    """The part; its value is the picture as a data URL, or "" while empty; `input` is a person's change."""
    return scripted(
        __file__,
        "",
        html_template=(
            f'<div class="board" data-drop><canvas width="{SIDE}" height="{SIDE}" '
            'aria-label="Draw here, or drop a picture"></canvas><p>Draw here</p></div>'
            '<div class="tools"><label>Upload<input type="file" accept="image/*"></label>'
            '<button class="eraser" aria-pressed="false">Eraser</button>'
            '<button class="undo">Undo</button><button class="clear">Clear</button></div>'
            '<p class="problem" role="alert"></p>'
        ),
        aspect=1,
        elem_id=elem_id,
        elem_classes="sketch",
    )
