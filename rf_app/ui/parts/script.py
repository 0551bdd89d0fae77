"""What the browser does by itself: functions of the `page.js` files, which hang on `window.studio`, the
pictures' dialog, keys, and what long work says.
"""

import json
from pathlib import Path
from typing import Any

import gradio as gr

FOLDER = Path(__file__).parents[1]


def browser(name: str, *first: str | int) -> str:
    """For `js=`: call `studio.NAME` with these values and then the inputs; it returns the outputs."""
    values = "".join(f"{json.dumps(value)}, " for value in first)
    return f"(...values) => studio.{name}({values}...values)"


def scripted(module: str, value: Any, **options: Any) -> gr.HTML:
    """A part of the page whose script lies beside its module, of the same name; module: its `__file__`."""
    script = Path(module).with_suffix(".js").read_text(encoding="utf-8")
    return gr.HTML(value, js_on_load=script, apply_default_css=False, **options)


def scripts() -> str:
    """For the page's head: what several tabs use, the tabs' own, the dialog, what is dropped, the keys, the
    progress and the languages.
    """
    first = "parts/page.js"
    more = "generate/gallery.js", *(f"parts/{name}.js" for name in ("dropping", "keys", "progress", "words"))
    tabs = sorted({*FOLDER.glob("*/page.js")} - {FOLDER / first})
    files = [FOLDER / first, *tabs, *map(FOLDER.joinpath, more)]
    return "".join(f"<script>{file.read_text(encoding='utf-8')}</script>" for file in files)
