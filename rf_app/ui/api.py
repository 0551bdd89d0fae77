"""The `/generate` endpoint: the Generate tab's action for programs.

from gradio_client import Client
files, settings = Client("http://127.0.0.1:7860").predict("a lake at night", api_name="/generate")
"""

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.workflows.generate import Studio


def build(studio: Studio) -> None:
    """Add the endpoint to the Blocks at hand; its parts are never shown."""
    with gr.Column(visible=False):
        prompt = gr.Textbox(label="Prompt")
        model = gr.Textbox(label="Model id", value=studio.first_model())
        steps = gr.Number(label="Steps (the model's if left out)")
        guidance = gr.Number(label="Guidance (the model's if left out; 1 means none)")
        seed = gr.Number(0, label="Seed of the first picture")
        count = gr.Number(1, label="Number of pictures")
        negative_prompt = gr.Textbox("", label="Negative prompt")
        solver = gr.Textbox("", label="Solver (the model's own if left out)")
        files = gr.File(label="PNG files", file_count="multiple")
        settings = gr.JSON(label="Settings and timings")

    def generate(
        prompt, model=None, steps=None, guidance=None, seed=0, count=1, negative_prompt="", solver=None
    ):
        """Make pictures of a prompt.

        Args:
            prompt: What the pictures show.
            model: Id of the model (default: the quick one-step model).
            steps: Steps, 1 to 100 (default: what the model recommends).
            guidance: Strength of guidance, 0 to 20; up to 1 means none (default: what the model recommends).
            seed: The whole number the first picture's noise is drawn from; the next ones follow it.
            count: Number of pictures, 1 to 16.
            negative_prompt: What to keep out of the pictures; it acts with guidance above 1.
            solver: dpm++, ddim or euler of diffusion models, euler or heun of others (default: the first).

        Returns:
            The PNG files, which carry their settings; and settings, seconds, words that the model does not
            know, and the end of a prompt that is too long for it.
        """
        request = GenerateRequest(
            prompt,
            model or studio.first_model(),
            steps,
            guidance,
            seed,
            count,
            negative_prompt or "",
            solver or None,
        )
        try:
            shown = studio.generate(request)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        paths = [
            save_bytes_to_cache(picture.png, picture.name, files.GRADIO_CACHE) for picture in shown.pictures
        ]
        return paths, shown.as_json()

    gr.on(
        [],
        generate,
        [prompt, model, steps, guidance, seed, count, negative_prompt, solver],
        [files, settings],
        api_name="generate",
        show_progress="hidden",
        concurrency_limit=4,
        concurrency_id="pictures",
    )
