"""The Interpolate tab: key frames and switches beside the live picture, and the video under them.

Every change of a setting makes a new way in the browser alone, as the value of the scrubber; that draws the
frame and is what the video is made of. It is kept in the browser, for the next visit; nothing of a visitor
stays here.
"""

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from rf_app.actions import interpolate
from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.progress import Events
from rf_app.actions.run import LatestRun
from rf_app.actions.video import FRAMES_PER_SECOND
from rf_app.errors import UserError
from rf_app.settings.way import KeyFrame, Way, read_way
from rf_app.ui.api import endpoint, seen_by
from rf_app.ui.files import served
from rf_app.ui.interpolate.examples import EXAMPLES
from rf_app.ui.interpolate.scrubber import NAMES, page_way, scrubber
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.control import as_text
from rf_app.ui.parts.events import PAGE_ONLY, QUIET
from rf_app.ui.parts.model_form import ModelForm, advanced, decoder_list, model_list, steps_and_guidance
from rf_app.ui.parts.plug_ins import plug_ins
from rf_app.ui.parts.restoring import IN_EDIT, restore_button, restored
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.seed_row import seed_field
from rf_app.ui.parts.size import size_fields
from rf_app.ui.parts.streaming import stops, stream
from rf_app.ui.waiting import LONG_WORK

SHAPES = [("Two", "2"), ("Three", "3"), ("Four", "4"), ("Square", "square")]


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it, inside the Blocks at hand; with the endpoint of the same action."""
    model_id = app.first_model()
    preset = app.preset(model_id)
    first = next(iter(EXAMPLES.values()))
    start = replace(first, picture=replace(first.picture, model=model_id))

    with gr.Column(elem_id="interpolate"):
        with gr.Column(elem_id="between-side"):
            live = scrubber(app, start)
            with gr.Column(elem_id="video"):
                with gr.Row(elem_id="video-settings"):
                    kind = gr.Radio(
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
                        info=f"{interpolate.MIN_FRAMES} to {interpolate.MAX_FRAMES}",
                    )
                    back = gr.Checkbox(False, label="There and back", elem_id="video-back", min_width=120)
                with gr.Row(elem_id="video-actions"):
                    make = gr.Button("Make video", variant="primary", elem_id="video-make", min_width=120)
                    cancel = gr.Button("Cancel", elem_id="video-cancel", min_width=80)
                    file = gr.DownloadButton("Save video", visible=False, elem_id="video-save", min_width=100)
                line = gr.HTML("", elem_id="video-progress")
                preview = gr.HTML("", elem_id="video-preview")
        with gr.Column(elem_id="between-settings"):
            with gr.Row(elem_id="between-examples"):
                buttons = [gr.Button(name, size="sm", min_width=80, elem_classes="chip") for name in EXAMPLES]
            shape = gr.Radio(
                SHAPES, value=_shape(start), label="Pictures on the way (key frames)", elem_id="between-shape"
            )
            keys = _key_fields(start.key_frames)
            noise = gr.Radio(
                [("On an arc (slerp)", "slerp"), ("Straight (lerp)", "lerp")],
                value=start.noise,
                label="Between their seeds",
                elem_id="between-noise",
            )
            text = gr.Radio(
                [("Blended", "lerp"), ("A’s throughout", "first")],
                value=start.text,
                label="Between their words",
                elem_id="between-text",
            )
            model = model_list(app, model_id, elem_id="between-model")
            size = size_fields(preset, "between-")
            decoder = decoder_list(preset, "between-")
            steps, guidance = steps_and_guidance(preset, "between-")
            plugs = plug_ins(app, page, "interpolate-")
            solver, negative = advanced(preset, "between-")
            upload = restore_button("interpolate-restore")
    form = ModelForm(model, steps, guidance, solver, negative, size, decoder)
    page.lists.append(model)
    sent = gr.Textbox("", visible="hidden", elem_id="sent-interpolate")
    loras = plugs.loras.rows
    follows = gr.Textbox("[]", visible="hidden")  # the controls that are on, as JSON for the way
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    # In the browser alone.
    fields = [shape, model, steps, guidance, solver, negative, *size.fields, decoder, noise, text]
    fields += [loras, follows, *keys]
    again = {"js": browser("way"), "inputs": [live, *fields], "outputs": [live], **PAGE_ONLY}
    # Not the model: its own steps and solver have to come first.
    changes = [field.change for field in fields if field not in (model, loras)]
    gr.on([*changes, loras.input], **again)
    for button, way in zip(buttons, EXAMPLES.values(), strict=True):
        values = _key_values(way.key_frames)
        button.click(
            js=browser("wayFrom", _shape(way), way.noise, way.text, *values),
            outputs=[shape, noise, text, *keys[: len(values)]],
            **PAGE_ONLY,
        )
    page.tab.select(js=browser("wayLeft"), inputs=[sent], outputs=[sent], **PAGE_ONLY)
    file.change(js=browser("video"), inputs=[file], outputs=[preview], **PAGE_ONLY)

    # On the server.
    def made(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        own = seen_by(app, asked_by)
        asked = interpolate.Video(values[frames], values[kind], values[back])

        def video() -> Events[File]:
            wish = interpolate.Interpolate(page_way(own, values[live]), asked)
            yield from interpolate.interpolate(own, wish)

        def show(found: File) -> Updates:
            return {file: gr.DownloadButton(value=served(found), visible=True)}

        def said() -> str:
            return f"{asked.frames} frames, {asked.frames / FRAMES_PER_SECOND:.1f} seconds."

        yield {file: gr.DownloadButton(visible=False, value=None)}
        yield from stream(video(), values[latest], line, show, said, values[number])

    @complaining
    def restore(source: str, shown: Any, asked_by: gr.Request) -> Updates:
        """A frame brings its way back; any other picture becomes the first key frame."""
        own = seen_by(app, asked_by)
        found = restored(own, source)
        if found.translated:
            raise UserError(IN_EDIT)
        way = found.way
        if way is None:
            way = read_way(shown)
            key = KeyFrame(found.settings.prompt, found.settings.seed)
            way = replace(
                way,
                key_frames=(key, *way.key_frames[1:]),
                position=(0.0,) * len(way.position),
                picture=found.settings,
            )
        if len(way.key_frames) > len(NAMES):
            raise UserError(f"This picture has {len(way.key_frames)} key frames; here is room for 4.")
        plugged = plugs.show(own, way.picture)
        return {
            live: way.as_json() | {"at": time.time()},
            shape: _shape(way),
            **form.show(own, way.picture),
            noise: way.noise,
            text: way.text,
            **plugged,
            follows: as_text(way.picture.control),
            **dict(zip(keys, _key_values(way.key_frames), strict=False)),
        }

    def follow(event: Any) -> None:
        now = set(plugs.controls.inputs)
        event(lambda values: as_text(plugs.controls.read(values)), now, follows, **QUIET)

    plugs.loras.connect(app, model, lambda event: event(**again))
    plugs.controls.connect(app, model, follow, size)
    model.input(**form.recommended(app)).then(**again)
    wish = {latest, live, kind, frames, back, number}
    make.click(made, wish, [line, file], js=browser("numbered"), **LONG_WORK, **QUIET)
    stops(cancel, latest)
    for event, source in ((upload.upload, upload), (sent.change, sent)):
        event(restore, [source, live], [live, *{*fields, *plugs.parts}], **QUIET)
    endpoint(app, interpolate)


def _shape(way: Way) -> str:
    return "square" if way.square else str(len(way.key_frames))


def _key_fields(key_frames: tuple[KeyFrame, ...]) -> list[gr.Component]:
    """A prompt and a seed for each name; those beyond the key frames begin like the last."""
    fields = []
    for i, name in enumerate(NAMES):
        key = key_frames[min(i, len(key_frames) - 1)]
        with gr.Row(elem_id=f"key-{name.lower()}", elem_classes="key-frame"):
            fields.append(gr.Textbox(key.prompt, label=name, max_lines=4, scale=4, min_width=160))
            fields.append(seed_field(key.seed))
    return fields


def _key_values(key_frames: tuple[KeyFrame, ...]) -> list[Any]:
    return [value for key in key_frames for value in (key.prompt, key.seed)]
