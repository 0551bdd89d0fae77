"""How a person hears of what they can put right: a toast."""

from html import escape

import gradio as gr


def complain(error: Exception) -> None:
    """Show the message; a toast is HTML, and an error names what the user typed."""
    gr.Warning(escape(str(error)))
