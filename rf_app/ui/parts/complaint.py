"""How a person hears of what they can put right: a toast."""

from html import escape

import gradio as gr
from gradio.context import LocalContext

from rf_app.registry.permission import Permission


def complain(error: Exception) -> None:
    """Show the message; a toast is HTML, and an error names what the user typed."""
    page = LocalContext.blocks.get(None)
    gr.Warning(escape((page.permission if page else Permission()).told(error)))
