"""The Interpolate tab: key frames and switches beside the live picture, and the video under them.

Every change of a setting makes a new request in the browser alone, as the value of the scrubber; that draws
the frame (see `rf_app.ui.scrubber`) and is what the video is made of. Nothing of a visitor stays here.
"""

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.interpolation import FrameRequest, KeyFrame
from rf_app.pipeline.requests import GenerateRequest
from rf_app.ui.complaint import complain
from rf_app.ui.followed import followed, followed_rows
from rf_app.ui.lora_panel import lora_rows, session_of, with_loras
from rf_app.ui.model_settings import recommended, steps_and_guidance
from rf_app.ui.progress_bar import note, progress_bar
from rf_app.ui.scrubber import NAMES, scrubber
from rf_app.ui.turn import LONG_WORK, Turn
from rf_app.ui.video_file import make_video
from rf_app.workflows.background import Progress
from rf_app.workflows.generate import Studio
from rf_app.workflows.interpolate import (
    EXAMPLES,
    MAX_FRAMES,
    MIN_FRAMES,
    Interpolator,
    VideoRequest,
    read_request,
)
from rf_app.workflows.video import FRAMES_PER_SECOND

SHAPES = [("Two", "2"), ("Three", "3"), ("Four", "4"), ("Square", "square")]

# The request from the fields. The position stays, unless a row became a square or the other way round; with
# another "at", one that was there before is news.
SETTINGS = """(before, shape, model, steps, guidance, solver, negative_prompt, noise, text, loras,
    followed, ...keys) => {
    const square = shape === "square";
    const key_frames = [];
    for (let i = 0; i < (square ? 4 : +shape); i++)
        key_frames.push({ prompt: keys[2 * i], seed: keys[2 * i + 1] });
    const kept = (before.position.length === 2) === square;
    const position = kept ? before.position : square ? [0.5, 0.5] : [0];
    const at = before.at;
    const used = loras.filter((lora) => lora.on).map(({ id, strength }) => ({ id, strength }));
    const control = followed.filter((each) => each.on);
    const rest = { model, steps, guidance, solver, negative_prompt, noise, text, loras: used, control };
    return { key_frames, position, at, ...rest };
}"""
# Shows the file as soon as there is one.
PREVIEW = """(file) => !file ? "" : file.path.endsWith(".webp")
    ? `<img src="${file.url}" alt="The video">`
    : `<video src="${file.url}" autoplay loop muted playsinline controls></video>`"""


def build(studio: Studio, tab: gr.Tab) -> gr.Dropdown:
    """Lay the tab out and connect it, inside `tab`; returns its list of models."""
    interpolator = Interpolator(studio.registry, studio.worker)
    model_id = studio.first_model()
    preset = studio.preset(model_id)
    square, key_frames = next(iter(EXAMPLES.values()))
    own_solver = preset.solvers[0][1]
    start = FrameRequest(key_frames, (0.0,), model_id, preset.steps, preset.guidance, solver=own_solver)

    with gr.Column(elem_id="interpolate"):
        with gr.Column(elem_id="between-side"):
            live = scrubber(interpolator, start)
            with gr.Column(elem_id="video"):
                with gr.Row(elem_id="video-settings"):
                    form = gr.Radio(
                        [("MP4", "mp4"), ("WebP that repeats", "webp")],
                        value="mp4",
                        label="Video",
                        elem_id="video-form",
                    )
                    frames = gr.Number(
                        3 * FRAMES_PER_SECOND,
                        label=f"Frames ({FRAMES_PER_SECOND} a second)",
                        precision=0,
                        min_width=120,
                        elem_id="video-frames",
                        info=f"{MIN_FRAMES} to {MAX_FRAMES}",
                    )
                    back = gr.Checkbox(False, label="There and back", elem_id="video-back", min_width=120)
                with gr.Row(elem_id="video-actions"):
                    export = gr.Button("Make video", variant="primary", elem_id="video-make", min_width=120)
                    cancel = gr.Button("Cancel", elem_id="video-cancel", min_width=80)
                    file = gr.DownloadButton("Save video", visible=False, elem_id="video-save", min_width=100)
                progress = gr.HTML("", elem_id="video-progress")
                preview = gr.HTML("", elem_id="video-preview")
        with gr.Column(elem_id="between-settings"):
            with gr.Row(elem_id="between-examples"):
                examples = [
                    gr.Button(name, size="sm", min_width=80, elem_classes="chip") for name in EXAMPLES
                ]
            shape = gr.Radio(SHAPES, value=_shape(start), label="Key frames", elem_id="between-shape")
            keys = []
            for i, name in enumerate(NAMES):
                key = key_frames[min(i, len(key_frames) - 1)]
                with gr.Row(elem_id=f"key-{name.lower()}", elem_classes="key-frame"):
                    prompt = gr.Textbox(key.prompt, label=name, lines=1, max_lines=4, scale=4, min_width=160)
                    seed = gr.Number(key.seed, label="Seed", precision=0, min_width=90)
                keys += [prompt, seed]
            noise = gr.Radio(
                [("On an arc (slerp)", "slerp"), ("Straight (lerp)", "lerp")],
                value=start.noise,
                label="Noise",
                elem_id="between-noise",
            )
            text = gr.Radio(
                [("Blended", "lerp"), ("A’s throughout", "first")],
                value=start.text,
                label="Text",
                elem_id="between-text",
            )
            model = gr.Dropdown(
                studio.models(), value=model_id, label="Model", filterable=False, elem_id="between-model"
            )
            steps, guidance = steps_and_guidance(preset, "between")
            loras = lora_rows("interpolate")
            follows = followed("interpolate")
            with gr.Accordion("Advanced", open=False, elem_classes="advanced"):
                solver = gr.Dropdown(
                    preset.solvers,
                    value=own_solver,
                    label="Solver",
                    filterable=False,
                    elem_id="between-solver",
                )
                negative = gr.Textbox(
                    "", label="Negative prompt", lines=1, max_lines=4, elem_id="between-negative"
                )
            with gr.Column(elem_id="interpolate-restore-box", elem_classes="restore-box"):
                restore = gr.UploadButton(
                    "Restore a saved picture’s settings",
                    file_types=[".png"],
                    size="sm",
                    elem_id="interpolate-restore",
                )
    sent = gr.Textbox("", visible="hidden", elem_id="sent-interpolate")
    turn = gr.State(Turn())

    # In the browser alone.
    page_only = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}
    fields = [shape, model, steps, guidance, solver, negative, noise, text, loras, follows, *keys]
    again = {"js": SETTINGS, "inputs": [live, *fields], "outputs": [live], **page_only}
    # Not the model: its own steps and solver have to come first.
    changes = [field.change for field in fields if field not in (model, loras, follows)]
    gr.on([*changes, loras.input, follows.input], **again)
    for button, (square, key_frames) in zip(examples, EXAMPLES.values(), strict=True):
        values = [_shape_of(square, len(key_frames)), start.noise, start.text, *_key_values(key_frames)]
        targets = [shape, noise, text, *keys[: 2 * len(key_frames)]]
        button.click(js=f"() => {json.dumps(values)}", outputs=targets, **page_only)
    file.change(js=PREVIEW, inputs=[file], outputs=[preview], **page_only)

    # On the server.
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    model.input(
        recommended(studio), model, [steps, guidance, solver], trigger_mode="always_last", **quiet
    ).then(**again)
    export.click(
        _export(interpolator, file.GRADIO_CACHE),
        [turn, live, form, frames, back],
        [progress, file],
        **LONG_WORK,
        **quiet,
    )
    cancel.click(lambda turn: turn.stop(), turn, **quiet)
    for event, source, read in (
        (restore.upload, restore, lambda path, session: interpolator.restore(Path(path), session)),
        (sent.change, sent, interpolator.receive),
    ):
        event(_fill(studio, read), [source, live], [live, *fields], **quiet)
    return model


def _shape_of(square: bool, count: int) -> str:
    return "square" if square else str(count)


def _shape(request: FrameRequest) -> str:
    return _shape_of(len(request.position) == 2, len(request.key_frames))


def _key_values(key_frames: tuple[KeyFrame, ...]) -> list[Any]:
    return [value for key in key_frames for value in (key.prompt, key.seed)]


def _export(interpolator: Interpolator, cache: str) -> Callable:
    def export(
        turn: Turn, wish: Any, form: str, frames: int, back: bool, asked_by: gr.Request
    ) -> Iterator[tuple[Any, Any]]:
        ended = turn.begin()
        try:
            way = read_request(wish, session=session_of(asked_by))
            request = interpolator.checked(VideoRequest(way, frames, form, bool(back)))
            yield progress_bar(None), gr.DownloadButton(visible=False, value=None)
            for news in make_video(interpolator, request, cache, ended):
                if isinstance(news, Path):
                    yield (
                        note(f"{request.frames} frames, {request.frames / FRAMES_PER_SECOND:.1f} seconds."),
                        gr.DownloadButton(value=news, visible=True),
                    )
                else:
                    yield progress_bar(news) if isinstance(news, Progress) else gr.skip(), gr.skip()
        except Cancelled:
            yield note("Stopped."), gr.skip()
        except UserError as error:
            complain(error)
            yield note(""), gr.skip()

    return export


def _fill(studio: Studio, read: Callable[[str, str], FrameRequest | GenerateRequest]) -> Callable:
    """What `read` finds goes into the scrubber and all fields; a picture becomes the first key frame."""

    def fill(source: str, wish: Any, asked_by: gr.Request) -> list[Any]:
        try:
            found = read(source, session_of(asked_by))
            way = found if isinstance(found, FrameRequest) else _with_first(read_request(wish), found)
            loras = with_loras(studio, way.loras, asked_by)
            if len(way.key_frames) > len(NAMES):
                raise UserError(f"This picture has {len(way.key_frames)} key frames; here is room for 4.")
            solvers = studio.preset(way.model).solvers
        except UserError as error:
            complain(error)
            return [gr.skip()] * (11 + 2 * len(NAMES))
        keys = _key_values(way.key_frames)
        return [
            way.settings | {"at": time.time()},
            _shape(way),
            way.model,
            way.steps,
            way.guidance,
            gr.Dropdown(solvers, value=way.solver),
            way.negative_prompt,
            way.noise,
            way.text,
            loras,
            followed_rows(way.control),
            *keys,
            *([gr.skip()] * (2 * len(NAMES) - len(keys))),
        ]

    return fill


def _with_first(way: FrameRequest, picture: GenerateRequest) -> FrameRequest:
    """The way from a picture on, with the settings that made it."""
    return replace(
        way,
        key_frames=(KeyFrame(picture.prompt, picture.seed), *way.key_frames[1:]),
        position=(0.0,) * len(way.position),
        model=picture.model,
        steps=picture.steps,
        guidance=picture.guidance,
        negative_prompt=picture.negative_prompt,
        solver=picture.solver,
        loras=picture.loras,
        control=picture.control,
    )
