"""What a tab is built into, and what its parts have in common."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gradio as gr

Values = dict[gr.Component, Any]
"""By component, what an event is given."""
Updates = dict[gr.Component, Any]
"""By component, what an event answers."""


@dataclass(frozen=True)
class Page:
    """blocks: the whole page; tab: the tab's own; seen: a hidden text that changes with the stores.

    lists: every list of models on the page; a tab adds its own, and they are kept fresh. examples: a folder
    of pictures to begin with.
    """

    blocks: gr.Blocks
    tab: gr.Tab
    seen: gr.Textbox
    examples: Path
    lists: list[gr.Dropdown] = field(default_factory=list)
