"""The `/compare` and `/grid` endpoints: the Compare tab's actions for programs.

from gradio_client import Client
files, found = Client("http://127.0.0.1:7860").predict("a lake at night", api_name="/compare")

They are generators, so that the work ends with the connection.
"""

from collections.abc import Iterator
from dataclasses import asdict
from io import BytesIO
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache

from rf_app.errors import UserError
from rf_app.pipeline.requests import GenerateRequest
from rf_app.ui.api import CONTROL
from rf_app.ui.json_input import json_input
from rf_app.ui.lora_api import LORAS
from rf_app.ui.lora_panel import session_of
from rf_app.ui.turn import LONG_WORK
from rf_app.workflows import grid
from rf_app.workflows.attempt import Attempt
from rf_app.workflows.background import Progress, batches
from rf_app.workflows.compare import SideDone, compare, default_models, speed_up
from rf_app.workflows.control import wished_control
from rf_app.workflows.generate import Studio
from rf_app.workflows.grid import CellDone, GridRequest
from rf_app.workflows.grid_export import archive, as_json, sheet
from rf_app.workflows.loras import read_loras

SIDE = {
    "model": {"type": "string"},
    "steps": {"type": "integer"},
    "guidance": {"type": "number"},
    "solver": {"type": "string"},
    "negative_prompt": {"type": "string"},
}
SIDES = {
    "type": "array",
    "items": {"anyOf": [{"type": "string"}, {"type": "object", "properties": SIDE, "required": ["model"]}]},
}


def build(studio: Studio) -> None:
    """Add the endpoints to the Blocks at hand; their parts are never shown."""
    _compare(studio)
    _grid(studio)


def _compare(studio: Studio) -> None:
    with gr.Column(visible=False):
        prompt = gr.Textbox(label="Prompt")
        models = json_input("Models: ids, or objects of settings", SIDES)
        seed = gr.Number(0, label="Seed")
        loras = json_input("LoRAs, with their strengths", LORAS)
        control = json_input("Controls, up to 2: ControlNets with pictures to follow", CONTROL)
        files = gr.File(label="PNG files", file_count="multiple")
        found = gr.JSON(label="Speed-up, and what became of each model")

    def compare_models(
        prompt: str,
        models: Any = None,
        seed: float = 0,
        loras: Any = None,
        control: Any = None,
        asked_by: gr.Request = None,
    ) -> Iterator[tuple]:
        """Draw the same words from the same noise with several models, and measure how long each takes.

        Args:
            prompt: What the pictures show.
            models: 2 to 8 ids, or objects that set more than "model" (default: diffusion and one-step).
            seed: The whole number the noise is drawn from.
            loras: For all of them, as in generate.
            control: For all of them, as in generate.

        Returns:
            The PNG files, and the speed-up with settings, seconds, and the file's index or the error of each.
        """
        sides = _sides(studio, models)
        try:
            shared = {
                "loras": read_loras(loras or []),
                "control": wished_control(studio, control or [], sides[0].get("model", "")) if sides else (),
                "session": session_of(asked_by),
            }
            requests = [_request(prompt, seed, side | shared) for side in sides]
            attempts = [Attempt(request) for request in requests]
            results = _results(attempts, files)
            for news in batches(lambda emit, cancelled: compare(studio, requests, emit, cancelled)):
                for each in news:
                    if isinstance(each, SideDone):
                        attempts[each.index] = each.attempt
                        results = _results(attempts, files)
                if news:
                    yield results
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None

    gr.on(
        [],
        compare_models,
        [prompt, models, seed, loras, control],
        [files, found],
        api_name="compare",
        show_progress="hidden",
        **LONG_WORK,
    )


def _sides(studio: Studio, models: Any) -> list[dict[str, Any]]:
    models = default_models(studio.registry, 2) if models is None else models
    if not isinstance(models, list):
        raise gr.Error("models must be a list of model ids or objects.", print_exception=False)
    sides = [{"model": side} if isinstance(side, str) else side for side in models]
    for side in sides:
        if not isinstance(side, dict) or not set(side) <= set(SIDE):
            raise gr.Error(
                f"{side!r:.80} is no model; give an id, or an object of {', '.join(SIDE)}.",
                print_exception=False,
            )
    return sides


def _request(prompt: str, seed: float, side: dict[str, Any]) -> GenerateRequest:
    values = {"model": "", "negative_prompt": ""} | side
    return GenerateRequest(prompt, seed=seed, **values)


def _results(attempts: list[Attempt], files: gr.File) -> tuple[list[str], dict[str, Any]]:
    paths, results = [], []
    for each in attempts:
        if each.picture:
            paths.append(save_bytes_to_cache(each.picture.png, each.picture.name, files.GRADIO_CACHE))
            made = {"file": len(paths) - 1, "seconds": asdict(each.timings)}
            results.append(each.picture.settings | made)
        else:
            results.append({"model": each.request.model, "error": each.error or "not drawn yet"})
    measured = speed_up(attempts)
    return paths, {"speed_up": asdict(measured) if measured else None, "results": results}


def _grid(studio: Studio) -> None:
    with gr.Column(visible=False):
        prompt = gr.Textbox(label="Prompt (of no use if it is an axis)")
        names = [
            gr.Textbox("", label=f"{each}: {', '.join(grid.AXES)}") for each in ("Rows", "Columns", "Pages")
        ]
        texts = [gr.Textbox("", label=f"Values of the {each}") for each in ("rows", "columns", "pages")]
        model = gr.Textbox("", label="Model id (of no use if it is an axis)")
        steps = gr.Number(label="Steps (the model's if left out)")
        guidance = gr.Number(label="Guidance (the model's if left out; 1 means none)")
        seed = gr.Number(0, label="Seed")
        negative_prompt = gr.Textbox("", label="Negative prompt")
        sheet_file = gr.File(label="The labelled sheet, a PNG")
        zip_file = gr.File(label="All pictures, a ZIP")
        found = gr.JSON(label="Axes and cells")

    def draw_grid(
        prompt: str,
        rows: str = "",
        row_values: str = "",
        columns: str = "",
        column_values: str = "",
        pages: str = "",
        page_values: str = "",
        model: str = "",
        steps: float | None = None,
        guidance: float | None = None,
        seed: float = 0,
        negative_prompt: str = "",
    ) -> Iterator[tuple]:
        """Draw a labelled grid of pictures for every combination of the values of up to three settings.

        At most 200 pictures.

        Args:
            prompt: What the pictures show, unless prompts are on an axis.
            rows: The setting that varies from row to row: steps, guidance, model, seed, prompt, or nothing.
            row_values: Its values: "1, 2, 4" or "1-4"; model ids with commas; prompts one a line.
            columns: The setting that varies from column to column.
            column_values: Its values.
            pages: The setting that varies from page to page.
            page_values: Its values.
            model: Id of the model, unless models are on an axis (default: the quick one-step model).
            steps: Steps of all pictures (default: what each model recommends).
            guidance: Strength of guidance of all pictures (default: what each model recommends).
            seed: The whole number the noise is drawn from.
            negative_prompt: What to keep out of the pictures; it acts with guidance above 1.

        Returns:
            The sheet as PNG, a ZIP of all pictures with their settings, and axes and cells.
        """
        base = GenerateRequest(
            prompt,
            model or studio.first_model(),
            steps,
            guidance,
            seed,
            negative_prompt=negative_prompt or "",
        )
        done: list[CellDone] = []
        try:
            axes = ((rows, row_values), (columns, column_values), (pages, page_values))
            plan = grid.plan(studio, GridRequest(base, *(grid.axis(*axis) for axis in axes)))
            for news in batches(lambda emit, cancelled: grid.run(studio, plan, emit, cancelled)):
                done += [each for each in news if isinstance(each, CellDone)]
                progress = [each for each in news if isinstance(each, Progress)]
                if progress:
                    yield None, None, asdict(progress[-1])
        except UserError as error:
            raise gr.Error(str(error), print_exception=False) from None
        buffer = BytesIO()
        sheet(plan, done).save(buffer, "PNG", compress_level=1)
        contents = {
            "instaflow-grid.png": buffer.getvalue(),
            "instaflow-grid.zip": archive(plan, done, buffer.getvalue()),
        }
        cache = sheet_file.GRADIO_CACHE
        paths = [save_bytes_to_cache(content, name, cache) for name, content in contents.items()]
        yield *paths, as_json(plan, done)

    gr.on(
        [],
        draw_grid,
        [
            prompt,
            *(part for pair in zip(names, texts, strict=True) for part in pair),
            model,
            steps,
            guidance,
            seed,
            negative_prompt,
        ],
        [sheet_file, zip_file, found],
        api_name="grid",
        show_progress="hidden",
        **LONG_WORK,
    )
