"""How the page listens to events of its own, which are no endpoints: by `**QUIET` and the like."""

from collections.abc import Sequence
from typing import Any

import gradio as gr

from rf_app.ui.parts.script import browser
from rf_app.ui.waiting import LONG_WORK

QUIET = {"show_progress": "hidden", "api_visibility": "private"}
LATEST = {"trigger_mode": "always_last", **QUIET}  # else the second of two quick choices is dropped
AGAIN = {"trigger_mode": "multiple", **LONG_WORK, **QUIET}  # a run: it ends the one before
RUN = {"js": browser("numbered"), **AGAIN}  # the last of its inputs says which was asked for later
PAGE_ONLY = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}  # the browser does it alone


def in_browser(events: Sequence[Any], name: str, inputs: Any = None, outputs: Any = None) -> None:
    """Let `studio.NAME` answer events in the browser alone."""
    gr.on(events, js=browser(name), inputs=inputs, outputs=outputs, **PAGE_ONLY)
