"""How a person hears of what they can put right: a toast."""

from collections.abc import Callable
from functools import wraps
from html import escape
from typing import Any, TypeVar

import gradio as gr
from gradio.context import LocalContext

from rf_app.errors import UserError
from rf_app.registry.permission import Permission

Handler = TypeVar("Handler", bound=Callable[..., Any])
Result = TypeVar("Result")


def complain(error: Exception) -> None:
    """Show the message; a toast is HTML, and an error names what the user typed."""
    page = LocalContext.blocks.get(None)
    gr.Warning(escape((page.permission if page else Permission()).told(error)))


def told(do: Callable[[], Result]) -> Result | None:
    """What `do` gives, or a toast with the reason and None."""
    try:
        return do()
    except UserError as error:
        complain(error)
        return None


def complaining(handler: Handler) -> Handler:
    """For the handler of an event, but no generator: where it raises UserError, it says why and changes
    nothing. One that has no outputs is annotated to return None.
    """

    @wraps(handler)  # Gradio reads what else a handler asks for in its signature
    def handle(*given: Any) -> Any:
        try:
            return handler(*given)
        except UserError as error:
            complain(error)
            return gr.skip() if handler.__annotations__.get("return", True) else None

    return handle
