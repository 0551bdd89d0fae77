"""Every list of models on the page follows the stores: what appears or goes is seen without a reload."""

from collections.abc import Sequence

import gradio as gr

from rf_app.actions.application import Application
from rf_app.ui.parts.events import LATEST, QUIET

EVERY = 2.0  # seconds; a look costs a few microseconds a model, and most looks find nothing new


def keep_fresh(app: Application, lists: Sequence[gr.Dropdown], page: gr.Blocks, seen: gr.Textbox) -> None:
    """Look at the stores when the page opens and every two seconds; a change fills all `lists` anew.

    seen: a hidden text that has `state_of` the stores and changes with it.
    """
    timer = gr.Timer(EVERY)

    def look(before: str) -> str:
        now = state_of(app)
        return gr.skip() if now == before else now

    def fill(*chosen: str | list[str] | None) -> list[gr.Dropdown]:
        models = app.models()
        return [_filled(models, value) for value in chosen]

    gr.on([timer.tick, page.load], look, seen, seen, queue=False, **QUIET)
    seen.change(fill, lists, lists, queue=False, **LATEST)


def state_of(app: Application) -> str:
    """Another text once a model, or what stands beside them in the gallery, has come or gone."""
    return str([store.state() for store in app.stores])


def _filled(models: list[tuple[str, str]], value: str | list[str] | None) -> gr.Dropdown:
    """A list of models; what is chosen stays if it is still there, or else becomes the first model."""
    ids = [id for _, id in models]
    if isinstance(value, list):
        return gr.Dropdown(choices=models, value=[id for id in value if id in ids])
    return gr.Dropdown(choices=models) if value in ids else gr.Dropdown(choices=models, value=ids[0])
