"""The page's foot: the list of its keys, and what runs here, to be copied into a report of a fault."""

from html import escape

import gradio as gr

from rf_app.actions.about import About, about
from rf_app.actions.application import Application
from rf_app.actions.run import results
from rf_app.settings.engine import spoken
from rf_app.ui.parts.events import QUIET

KEYS = '<button class="send" data-shortcuts>Keyboard shortcuts <kbd>?</kbd></button>'
COPY = '<button class="act" data-copy>Copy as text</button>'


def build(app: Application) -> None:
    """Lay the foot out; what runs here is looked up when it is opened."""
    with gr.Row(elem_id="foot"):
        with gr.Accordion(
            "About this studio", open=False, elem_id="about-studio", elem_classes="advanced"
        ) as box:
            shown = gr.HTML("")
        gr.HTML(f"<span>Drawn by {spoken(app.worker.engine)}</span> {KEYS}")

    def look() -> str:
        facts = results(about(app, About()))[0]
        rows = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in facts.items())
        return f"<dl>{rows}</dl>{COPY}"

    box.expand(look, outputs=shown, **QUIET)
