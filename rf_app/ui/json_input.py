"""A list or object that a program sends: gr.JSON's schema of itself is none, and MCP clients refuse it."""

from typing import Any

import gradio as gr

TEXTS = {"type": "array", "items": {"type": "string"}}


def json_input(label: str, schema: dict[str, Any]) -> gr.JSON:
    """A gr.JSON that says by a JSON Schema what it accepts; whoever reads it still has to check the value."""
    part = gr.JSON(label=label)
    part.api_info = lambda: schema
    return part
