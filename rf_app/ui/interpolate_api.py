"""The `/interpolate` endpoint: the Interpolate tab's videos and pictures for programs.

from gradio_client import Client
video = Client("http://127.0.0.1:7860").predict(["a lake", "a lake at night"], api_name="/interpolate")

It is a generator, so that the work ends with the connection.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import UserError
from rf_app.pipeline.interpolation import FrameRequest, KeyFrame
from rf_app.ui.json_input import TEXTS, json_input
from rf_app.ui.lora_api import LORAS
from rf_app.ui.lora_panel import session_of
from rf_app.ui.turn import LONG_WORK
from rf_app.ui.video_file import make_video
from rf_app.workflows.background import batches
from rf_app.workflows.generate import Studio
from rf_app.workflows.interpolate import Frame, Interpolator, VideoRequest
from rf_app.workflows.loras import read_loras

SEEDS = {"anyOf": [{"type": "integer"}, {"type": "array", "items": {"type": "integer"}}]}
PLACE = {"anyOf": [{"type": "number"}, {"type": "array", "items": {"type": "number"}}]}


def build(studio: Studio) -> None:
    """Add the endpoint to the Blocks at hand; its parts are never shown."""
    interpolator = Interpolator(studio.registry, studio.worker)
    with gr.Column(visible=False):
        prompts = json_input("Prompts, 2 to 16 of them", TEXTS)
        seeds = json_input("Seeds, one for each prompt or one for all", SEEDS)
        frames = gr.Number(72, label="Number of frames, 2 to 600, 24 a second")
        form = gr.Textbox("mp4", label="mp4 or webp")
        model = gr.Textbox(studio.first_model(), label="Model id")
        steps = gr.Number(label="Steps (the model's if left out)")
        guidance = gr.Number(label="Guidance (the model's if left out; 1 means none)")
        noise = gr.Textbox("slerp", label="slerp or lerp")
        text = gr.Textbox("lerp", label="lerp, or first: the first prompt throughout")
        back = gr.Checkbox(False, label="There and back")
        negative_prompt = gr.Textbox("", label="Negative prompt")
        solver = gr.Textbox("", label="Solver (the model's own if left out)")
        square = gr.Checkbox(False, label="The prompts are the corners of a square")
        loras = json_input("LoRAs, with their strengths", LORAS)
        position = json_input("Position of a single picture (a video of the whole way if left out)", PLACE)
        file = gr.File(label="Video or picture")

    def interpolate(
        prompts: list[str],
        seeds: Any = None,
        frames: float = 72,
        form: str = "mp4",
        model: str | None = None,
        steps: float | None = None,
        guidance: float | None = None,
        noise: str = "slerp",
        text: str = "lerp",
        there_and_back: bool = False,
        negative_prompt: str = "",
        solver: str = "",
        square: bool = False,
        position: Any = None,
        loras: Any = None,
        asked_by: gr.Request = None,
    ) -> Iterator[str | None]:
        """Make a video that changes smoothly from one picture to the next, or a picture in between.

        Args:
            prompts: What the pictures show, in order; 2 to 16 texts. Repeat one to change the seed only.
            seeds: One whole number for each prompt, or one for all (default 0). Equal seeds keep the scene.
            frames: Length of the video, 2 to 600 frames at 24 a second.
            form: "mp4", or "webp" for an animated picture that repeats.
            model: Id of the model (default: the quick one-step model).
            steps: Steps of the model (default: what the model recommends).
            guidance: Strength of guidance (default: what the model recommends).
            noise: "slerp" mixes the noise on an arc, "lerp" on a straight line.
            text: "lerp" blends the descriptions, "first" keeps the first one throughout.
            there_and_back: Return to the first picture, so that the video repeats without a jump.
            negative_prompt: What to keep out of the pictures; it acts with guidance above 1.
            solver: dpm++, ddim or euler of diffusion models, euler or heun of others (default: the first).
            square: Make the video go round a square whose corners are the 4 prompts, in reading order.
            position: Instead of a video make the one picture there, a PNG: 0 to 1 on the way from the first
                prompt to the last, or [right, down] between the 4 corners of a square.
            loras: Up to 8 objects of "id", as upload_lora gives it, and "strength" (-2 to 2, default 1).

        Returns:
            The file.
        """
        if not isinstance(prompts, list):
            raise gr.Error("prompts must be a list of 2 to 16 texts.", print_exception=False)
        seeds = seeds if isinstance(seeds, list) else [0 if seeds is None else seeds] * len(prompts)
        if len(seeds) != len(prompts):
            raise gr.Error(
                f"There are {len(seeds)} seeds for {len(prompts)} prompts; give one for each, or one number.",
                print_exception=False,
            )
        keys = tuple(KeyFrame(prompt, seed) for prompt, seed in zip(prompts, seeds, strict=True))
        place = ([0, 0] if square else 0) if position is None else position
        try:
            way = FrameRequest(
                keys,
                tuple(place) if isinstance(place, list) else (place,),
                model or studio.first_model(),
                steps,
                guidance,
                noise,
                text,
                negative_prompt or "",
                solver or None,
                read_loras(loras or []),
                session=session_of(asked_by),
            )
            if position is None:
                request = interpolator.checked(VideoRequest(way, frames, form, bool(there_and_back)))
                for news in make_video(interpolator, request, file.GRADIO_CACHE):
                    yield str(news) if isinstance(news, Path) else None
            else:
                found: list[Frame] = []
                for news in batches(lambda emit, cancelled: emit(interpolator.frame(way, cancelled))):
                    found += news
                    yield None
                yield save_bytes_to_cache(found[0].png, "instaflow-interpolation.png", file.GRADIO_CACHE)
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    gr.on(
        [],
        interpolate,
        [
            prompts,
            seeds,
            frames,
            form,
            model,
            steps,
            guidance,
            noise,
            text,
            back,
            negative_prompt,
            solver,
            square,
            position,
            loras,
        ],
        file,
        api_name="interpolate",
        show_progress="hidden",
        **LONG_WORK,
    )
