"""What lies in a store's folders and is in no list, and why: whoever put it there looks for it."""

from html import escape
from typing import Any

import gradio as gr

from rf_app.registry.permission import FOLDERS
from rf_app.registry.store import Store

MAX_PROBLEM = 300  # characters


def left_out(*stores: Store, **options: Any) -> gr.HTML:
    """The reasons, without the way to the folders, which is nobody's business; options: as for `gr.HTML`."""
    said = "".join(map(_left_out, stores))
    return gr.HTML(said, visible=bool(said), **options)


def _left_out(store: Store) -> str:
    items = ""
    for why in store.problems().values():
        for root in store.folders:
            why = why.replace(f"{root}/", "")
        why = FOLDERS.sub("", why)  # of a base, or of what a link names
        items += f"<li>{escape(why[:MAX_PROBLEM])}</li>"
    return f"<p>In <code>{store.FOLDER}/</code>, but not in this list:</p><ul>{items}</ul>" if items else ""
