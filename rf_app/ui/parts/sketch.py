"""A board to draw on or to put a picture into, of their shape; sketch.js is what happens in the browser.

The browser decodes what is put into it, so the server only ever sees a PNG of up to SIDE pixels a side.
"""

from pathlib import Path

import gradio as gr

SCRIPT = Path(__file__).with_name("sketch.js")
SIDE = 512  # pixels


def sketch(elem_id: str) -> gr.HTML:
    """The part; its value is the picture as a data URL, or "" while empty; `input` is a person's change."""
    return gr.HTML(
        "",
        html_template=(
            f'<div class="board" data-drop><canvas width="{SIDE}" height="{SIDE}" '
            'aria-label="Draw here, or drop a picture"></canvas><p>Draw here</p></div>'
            '<div class="tools"><label>Upload<input type="file" accept="image/*"></label>'
            '<button class="eraser" aria-pressed="false">Eraser</button>'
            '<button class="undo">Undo</button><button class="clear">Clear</button></div>'
            '<p class="problem" role="alert"></p>'
        ),
        js_on_load=SCRIPT.read_text(encoding="utf-8"),
        apply_default_css=False,
        aspect=1,
        elem_id=elem_id,
        elem_classes="sketch",
    )
