"""The Interpolate tab: key frames and switches beside the live picture, and the video under them.

Every change of a setting makes a new request in the browser alone, as the value of the scrubber; that draws
the frame (see `rf_app.ui.scrubber`) and is what the video is made of. Nothing of a visitor stays here.
"""

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from rf_app.errors import Cancelled, UserError
from rf_app.pipeline.interpolation import FrameRequest, KeyFrame
from rf_app.pipeline.requests import MAX_GUIDANCE, MAX_STEPS, GenerateRequest
from rf_app.ui.progress_bar import note, progress_bar
from rf_app.ui.scrubber import NAMES, scrubber
from rf_app.workflows.background import Clock, batches
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
WAITING = 4  # videos at once; their frames take turns

# The request from the fields. The position stays, unless a row became a square or the other way round.
SETTINGS = """(before, shape, model, steps, guidance, noise, text, ...keys) => {
    const square = shape === "square";
    const key_frames = [];
    for (let i = 0; i < (square ? 4 : +shape); i++)
        key_frames.push({ prompt: keys[2 * i], seed: keys[2 * i + 1] });
    const kept = (before.position.length === 2) === square;
    const position = kept ? before.position : square ? [0.5, 0.5] : [0];
    return { key_frames, position, model, steps, guidance, noise, text };
}"""
# Shows the file as soon as there is one.
PREVIEW = """(file) => !file ? "" : file.path.endsWith(".webp")
    ? `<img src="${file.url}" alt="The video">`
    : `<video src="${file.url}" autoplay loop muted playsinline controls></video>`"""


def build(studio: Studio, page: gr.Blocks) -> None:
    """Lay the tab out and connect it, inside the Blocks at hand, which is (part of) `page`."""
    interpolator = Interpolator(studio.registry, studio.worker)
    model_id = studio.first_model()
    preset = studio.preset(model_id)
    square, key_frames = next(iter(EXAMPLES.values()))
    start = FrameRequest(key_frames, (0.0,), model_id, preset.steps, preset.guidance)

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
            with gr.Row(elem_classes="pair"):
                steps = gr.Slider(
                    1, MAX_STEPS, preset.steps, step=1, label="Steps", buttons=[], elem_id="between-steps"
                )
                guidance = gr.Slider(
                    0,
                    MAX_GUIDANCE,
                    preset.guidance,
                    step=0.1,
                    label="Guidance",
                    buttons=[],
                    elem_id="between-guidance",
                )
            with gr.Column(elem_id="interpolate-restore-box", elem_classes="restore-box"):
                restore = gr.UploadButton(
                    "Restore a saved picture’s settings",
                    file_types=[".png"],
                    size="sm",
                    elem_id="interpolate-restore",
                )
    sent = gr.Textbox("", visible="hidden", elem_id="sent-interpolate")

    # In the browser alone.
    page_only = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}
    fields = [shape, model, steps, guidance, noise, text, *keys]
    gr.on(
        [field.change for field in fields], js=SETTINGS, inputs=[live, *fields], outputs=[live], **page_only
    )
    for button, (square, key_frames) in zip(examples, EXAMPLES.values(), strict=True):
        values = [_shape_of(square, len(key_frames)), *_key_values(key_frames)]
        targets = [shape, *keys[: 2 * len(key_frames)]]
        button.click(js=f"() => {json.dumps(values)}", outputs=targets, **page_only)
    file.change(js=PREVIEW, inputs=[file], outputs=[preview], **page_only)

    # On the server.
    quiet = {"show_progress": "hidden", "api_visibility": "private"}
    model.input(_preset(studio), model, [steps, guidance], **quiet)
    making = export.click(
        _export(interpolator, file.GRADIO_CACHE),
        [live, form, frames, back],
        [progress, file],
        concurrency_limit=WAITING,
        concurrency_id="videos",
        **quiet,
    )
    cancel.click(lambda: note("Stopped."), outputs=progress, cancels=[making], queue=False, **quiet)
    restore.upload(_restore(interpolator), restore, [live, *fields], **quiet)
    sent.change(_receive(interpolator), sent, [model, steps, guidance, *keys[:2]], **quiet)
    page.load(lambda: gr.Dropdown(choices=studio.models()), outputs=model, **quiet)


def _shape_of(square: bool, count: int) -> str:
    return "square" if square else str(count)


def _shape(request: FrameRequest) -> str:
    return _shape_of(len(request.position) == 2, len(request.key_frames))


def _key_values(key_frames: tuple[KeyFrame, ...]) -> list[Any]:
    return [value for key in key_frames for value in (key.prompt, key.seed)]


def _complain(error: UserError) -> None:
    # A toast is HTML, and an error names what the user typed.
    gr.Warning(escape(str(error)))


def _preset(studio: Studio) -> Callable:
    def preset(model: str):
        try:
            chosen = studio.preset(model)
        except UserError as error:
            _complain(error)
            return gr.skip(), gr.skip()
        return chosen.steps, chosen.guidance

    return preset


def _export(interpolator: Interpolator, cache: str) -> Callable:
    def export(wish: Any, form: str, frames: int, back: bool) -> Iterator[tuple[Any, Any]]:
        try:
            request = interpolator.checked(VideoRequest(read_request(wish), frames, form, bool(back)))
        except UserError as error:
            _complain(error)
            yield note(""), gr.skip()
            return
        yield progress_bar(None), gr.DownloadButton(visible=False, value=None)
        clock = Clock(request.frames)
        path = new_file(cache, request)
        try:
            for news in batches(
                lambda emit, cancelled: interpolator.export(
                    request,
                    path,
                    lambda done, of: emit(clock.at(done, f"Frame {done} of {of}")),
                    cancelled,
                )
            ):
                yield progress_bar(news[-1]) if news else gr.skip(), gr.skip()
            yield (
                note(f"{request.frames} frames, {request.frames / FRAMES_PER_SECOND:.1f} seconds."),
                gr.DownloadButton(value=path, visible=True),
            )
        except Cancelled:
            yield note("Stopped."), gr.skip()
        except UserError as error:
            _complain(error)
            yield note(""), gr.skip()
        finally:
            if not path.exists():
                shutil.rmtree(path.parent)

    return export


def new_file(cache: str, request: VideoRequest) -> Path:
    """Where a video goes: a folder of its own among the files that Gradio serves and clears away."""
    folder = Path(cache) / secrets.token_hex(16)
    folder.mkdir(parents=True)
    return folder / f"instaflow-interpolation.{request.form}"


def _restore(interpolator: Interpolator) -> Callable:
    def restore(path: str):
        try:
            found = interpolator.restore(Path(path))
            if isinstance(found, FrameRequest) and len(found.key_frames) > len(NAMES):
                raise UserError(f"This picture has {len(found.key_frames)} key frames; here is room for 4.")
        except UserError as error:
            _complain(error)
            return (gr.skip(),) * (7 + 2 * len(NAMES))
        if isinstance(found, GenerateRequest):
            return gr.skip(), gr.skip(), *_first(found)[:3], gr.skip(), gr.skip(), *_padded(_first(found)[3:])
        options = (found.model, found.steps, found.guidance, found.noise, found.text)
        return asdict(found), _shape(found), *options, *_padded(_key_values(found.key_frames))

    return restore


def _receive(interpolator: Interpolator) -> Callable:
    def receive(text: str):
        try:
            return _first(interpolator.receive(text))
        except UserError as error:
            _complain(error)
            return (gr.skip(),) * 5

    return receive


def _first(found: GenerateRequest) -> tuple[Any, ...]:
    """A picture as the first key frame, with the model's settings that made it."""
    return found.model, found.steps, found.guidance, found.prompt, found.seed


def _padded(values: Any) -> list[Any]:
    """The values of all key frames, those that are not told left as they are."""
    return [*values, *([gr.skip()] * (2 * len(NAMES) - len(values)))]
