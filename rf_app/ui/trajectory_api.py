"""The `/trajectory` endpoint: the Trajectory panel's action for programs.

from gradio_client import Client
strips, figures = Client("http://127.0.0.1:7860").predict("a lake at night", api_name="/trajectory")

It is a generator, so that the work ends with the connection.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import UserError
from rf_app.ui.json_input import TEXTS, json_input
from rf_app.ui.trajectory_panel import KINDS, STEPS
from rf_app.ui.turn import LONG_WORK
from rf_app.workflows.background import Progress, batches
from rf_app.workflows.compare import best_of_kinds
from rf_app.workflows.generate import Studio
from rf_app.workflows.trajectory import Followed, follow, in_words


def build(studio: Studio) -> None:
    """Add the endpoint to the Blocks at hand; its parts are never shown."""
    with gr.Column(visible=False):
        prompt = gr.Textbox(label="Prompt")
        models = json_input("Model ids (one of each kind if left out)", TEXTS)
        steps = gr.Number(STEPS, label="Steps")
        seed = gr.Number(0, label="Seed of the noise")
        strips = gr.File(label="Film strips, PNG", file_count="multiple")
        figures = gr.JSON(label="What was measured, for each model")

    def trajectory(
        prompt: str, models: Any = None, steps: float = STEPS, seed: float = 0
    ) -> Iterator[tuple[list[str] | None, dict[str, Any]]]:
        """Follow models on their way from the same noise to a picture, and measure how straight they go.

        Args:
            prompt: What the picture shows.
            models: List of model ids (default: one diffusion, one rectified-flow and one one-step model).
            steps: Euler steps of the solve, 1 to 100; one-step models always take 1.
            seed: Seed of the noise that all models start from.

        Returns:
            For each model a PNG film strip of the pictures it foresees on the way, the last one being the
            result; and JSON with a summary in words and, for each model, its straightness (0 is straight),
            how far from the end a single step would land (in lengths of the path), the straightness curve
            over time, and the path's points on a plane; or the error of a model that failed.
        """
        if models is None:
            models = best_of_kinds(studio.registry, KINDS)
        if not isinstance(models, list) or not all(isinstance(model, str) for model in models):
            raise gr.Error("models must be a list of model ids.", print_exception=False)
        followed: list[Followed] = []
        try:
            for news in batches(
                lambda emit, cancelled: follow(studio.worker, prompt, models, steps, seed, emit, cancelled)
            ):
                followed += [each for each in news if isinstance(each, Followed)]
                progress = [each for each in news if isinstance(each, Progress)]
                if progress:
                    yield None, asdict(progress[-1])
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        paths = [
            save_bytes_to_cache(each.strip, each.strip_name, strips.GRADIO_CACHE)
            for each in followed
            if each.result
        ]
        yield paths, {"summary": in_words(followed), "models": [each.as_json() for each in followed]}

    gr.on(
        [],
        trajectory,
        [prompt, models, steps, seed],
        [strips, figures],
        api_name="trajectory",
        show_progress="hidden",
        **LONG_WORK,
    )
