"""The `/generate` endpoint: the Generate tab's action for programs.

from gradio_client import Client
files, settings = Client("http://127.0.0.1:7860").predict("a lake at night", api_name="/generate")
"""

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.ui.json_input import json_input
from rf_app.ui.lora_api import LORAS
from rf_app.ui.lora_panel import session_of
from rf_app.workflows.control import NUMBERS, THRESHOLDS, wished_control
from rf_app.workflows.generate import Studio
from rf_app.workflows.loras import read_loras

CONTROL = {
    "type": "array",
    "items": {
        "type": "object",
        "properties": {
            **{name: {"type": "string"} for name in ("model", "image", "preprocessor")},
            **{name: {"type": "number"} for name in (*THRESHOLDS, *NUMBERS)},
        },
        "required": ["model", "image"],
    },
}


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
        control = json_input("Controls, up to 2: ControlNets with pictures to follow", CONTROL)
        loras = json_input("LoRAs, with their strengths", LORAS)
        files = gr.File(label="PNG files", file_count="multiple")
        settings = gr.JSON(label="Settings and timings")

    def generate(
        prompt,
        model=None,
        steps=None,
        guidance=None,
        seed=0,
        count=1,
        negative_prompt="",
        solver=None,
        control=None,
        loras=None,
        asked_by: gr.Request = None,
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
            control: Up to 2 objects of "model", the id of a ControlNet, and "image", a picture to follow, in
                base64; if you like also "preprocessor" (canny, scribble, depth, openpose, or none for a
                finished map; default: the ControlNet's own), "low" and "high" (canny's thresholds, 0 to 500),
                "strength" (0 to 2), "start" and "end" (shares of the steps, 0 to 1).
            loras: Up to 8 objects of "id", as upload_lora gives it, and "strength" (-2 to 2, default 1).

        Returns:
            The PNG files, which carry their settings; and settings, seconds, words that the model does not
            know, and the end of a prompt that is too long for it.
        """
        model = model or studio.first_model()
        try:
            request = GenerateRequest(
                prompt,
                model,
                steps,
                guidance,
                seed,
                count,
                negative_prompt or "",
                solver or None,
                loras=read_loras(loras or []),
                session=session_of(asked_by),
                control=wished_control(studio, control or [], model),
            )
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
        [prompt, model, steps, guidance, seed, count, negative_prompt, solver, control, loras],
        [files, settings],
        api_name="generate",
        show_progress="hidden",
        concurrency_limit=4,
        concurrency_id="pictures",
    )
