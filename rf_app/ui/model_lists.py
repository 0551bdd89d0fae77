"""Every list of models on the page follows the registry: what appears or goes is seen without a reload."""

from collections.abc import Sequence

import gradio as gr

from rf_app.workflows.generate import Studio

EVERY = 2.0  # seconds; a look costs a few microseconds a model, and most looks find nothing new


def keep_fresh(studio: Studio, lists: Sequence[gr.Dropdown], page: gr.Blocks, seen: gr.Textbox) -> None:
    """Look at the registry when the page opens and every two seconds; a change fills all `lists` anew.

    seen: a hidden text that changes then, for what shows models in another way than as a list.
    """
    timer = gr.Timer(EVERY)

    def look(before: str, *chosen: str | list[str] | None) -> tuple:
        now = str(studio.registry.state())
        if now == before:
            return (gr.skip(),) * (1 + len(lists))
        models = studio.models()
        return now, *(_filled(models, value) for value in chosen)

    for event in (timer.tick, page.load):
        event(
            look,
            [seen, *lists],
            [seen, *lists],
            queue=False,
            show_progress="hidden",
            api_visibility="private",
        )


def _filled(models: list[tuple[str, str]], value: str | list[str] | None) -> gr.Dropdown:
    """A list of models; what is chosen stays if it is still there, or else becomes the first model."""
    ids = [id for _, id in models]
    if isinstance(value, list):
        return gr.Dropdown(choices=models, value=[id for id in value if id in ids])
    return gr.Dropdown(choices=models) if value in ids else gr.Dropdown(choices=models, value=ids[0])
