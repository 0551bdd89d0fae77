"""The Edit tab: a picture to begin from, what the new one shows, and how far it may go.

Every change of the form makes a new wish in the browser alone, as the value of the easel, which has it drawn
while Live is on. "Draw" asks through the queue instead, with progress and Stop, and what it makes is kept.
"""

import base64
import json
import time
from collections.abc import Iterator
from dataclasses import asdict
from html import escape
from typing import Any

import gradio as gr

from rf_app.actions import edit, invert, translate
from rf_app.actions.application import Application
from rf_app.actions.picture import Picture
from rf_app.actions.progress import Events
from rf_app.actions.restore import Restored, on_another
from rf_app.actions.run import LatestRun
from rf_app.actions.translate import Made
from rf_app.errors import UserError
from rf_app.plugins.picture import encode_map, read_base64, read_picture
from rf_app.settings.picture import parse_json, read_picture_settings
from rf_app.settings.start import CORRECTED, LEARNED, START, Start
from rf_app.settings.translated import Translated
from rf_app.ui.api import endpoint, seen_by
from rf_app.ui.edit import translation
from rf_app.ui.edit.easel import asked, easel, shown
from rf_app.ui.edit.examples import EXAMPLES, Example
from rf_app.ui.edit.translation import MODES, WORDS, chips_of
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Page, Updates
from rf_app.ui.parts.control import as_text
from rf_app.ui.parts.events import LATEST, PAGE_ONLY, QUIET, RUN, in_browser
from rf_app.ui.parts.fields import choice, explained, live_switch, slider, text_field
from rf_app.ui.parts.keeping import kept
from rf_app.ui.parts.model_form import NEGATIVE, model_list, steps_and_guidance
from rf_app.ui.parts.plug_ins import plug_ins
from rf_app.ui.parts.restoring import restore_button, restored
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.seed_row import seed_row
from rf_app.ui.parts.size import size_fields
from rf_app.ui.parts.streaming import stops, stream

INVERSIONS = [("Step by step", CORRECTED), ("Learned (iRFDS)", LEARNED)]
INVERSION = (
    "It counts where you say what the picture shows now. Learned looks for the noise that agrees with the "
    "whole way, in some 2,000 calls of the model: it is not live, so press Draw."
)
COMMON = ("prompt", "model", "steps", "guidance", "seed", "negative_prompt")
SHOWS = "What is on the picture now. Its forms then stay where they are; without it, they only guide."
STRENGTH = "A little changes colours and light; much keeps little more than where things are."


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it, inside the Blocks at hand; with the endpoint of the same action."""
    model_id = edit.editing_model(app)
    preset = app.preset(model_id)
    first = next(iter(EXAMPLES.values()))
    live_at_first = not preset.slow
    with gr.Column(elem_id="edit"):
        with gr.Column(elem_id="edit-side"):
            board = easel(app, {"size": [preset.sizes.own] * 2, "live": live_at_first})
            line = gr.HTML("", elem_id="edit-way")
        with gr.Column(elem_id="edit-settings"):
            mode = gr.Radio(MODES, value=WORDS, label="Change it", elem_id="edit-mode")
            with gr.Column(elem_classes="with-words"):
                chips = chips_of(EXAMPLES)
                prompt = text_field(first.prompt, "The new picture shows", "edit-prompt")
                shows = text_field("", "The picture shows now (optional)", "edit-shows", SHOWS)
                title, id = "How much may change", "edit-strength"
                strength = slider(0.05, 1, first.strength, 0.05, title, id, STRENGTH)
            with gr.Column(elem_classes="by-translation"):
                translated = translation.build(app)
            with gr.Row(elem_classes="acts"):
                go = gr.Button("Draw", variant="primary", elem_id="edit-go", min_width=140)
                stop = gr.Button("Stop", elem_id="edit-stop", min_width=70)
                live = live_switch(live_at_first, "edit-live")
            with gr.Column(elem_classes="with-words"):
                model = model_list(app, model_id, elem_id="edit-model")
                about = gr.HTML("", elem_id="edit-about")
                size = size_fields(preset, "edit-")
                steps, guidance = steps_and_guidance(preset, "edit-")
                seed, dice, locked = seed_row(7, "edit-")
                plugs = plug_ins(app, page, "edit-")
                with gr.Accordion("Advanced", open=False, elem_classes="advanced"):
                    negative = gr.Textbox("", label="Leave out (negative prompt)", **explained(NEGATIVE))
                    title, id = "How it is followed back (inversion)", "edit-inversion"
                    inversion = choice(INVERSIONS, CORRECTED, title, id, INVERSION)
            upload = restore_button("edit-restore")
    page.lists.append(model)
    sent = gr.Textbox("", visible="hidden", elem_id="sent-edit")
    cue = gr.Textbox("", visible="hidden")
    follows = gr.Textbox("[]", visible="hidden")  # the controls that are on, as JSON
    loras = plugs.loras.rows
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")

    # In the browser alone.
    fields = [live, prompt, shows, strength, model, steps, guidance, seed, negative]
    fields += [*size.fields, loras, follows, inversion, mode, *translated.fields]
    again = {"js": browser("editForm"), "inputs": [board, *fields], "outputs": [board], **PAGE_ONLY}
    gr.on([*(field.change for field in fields if field not in (model, loras)), loras.input], **again)
    dice.click(js=browser("randomSeed"), outputs=[seed], **PAGE_ONLY)
    in_browser([go.click, prompt.submit], "editWish", [seed, locked], [seed, cue])
    page.tab.select(js=browser("firstEdit"), inputs=[sent], **PAGE_ONLY)

    # On the server.
    def draw(text: str, latest_now: LatestRun, number_now: Any, asked_by: gr.Request) -> Iterator[Updates]:
        own = seen_by(app, asked_by)

        def show(made: Picture | Made) -> Updates:
            kept(own, made)
            return {board: {"result": shown(made)}}

        def events() -> Events[Picture | Made]:
            yield from asked(own, parse_json(text.split(":", 2)[-1], "The page's words"))

        yield from stream(events(), latest_now, line, show, number=number_now)

    def form_of(own: Application, found: Restored) -> Updates:
        """The form with a picture's settings, and the picture that it began from on the board."""
        settings, start = found.settings, found.start
        sizes = own.preset(settings.model).sizes
        width, height = settings.width or sizes.own, settings.height or sizes.own
        common = {name: getattr(settings, name) for name in COMMON}
        return {
            board: common
            | {"width": width, "height": height, "size": [width, height]}
            | {"strength": start.strength, "shows": start.shows or "", "at": time.time()}
            | {"mode": WORDS, "inversion": start.inversion}
            | ({"live": False} if start.inversion == LEARNED else {})  # else as it was
            | {"picture": {name: _address(getattr(start, name)) for name in ("image", "mask")}}
            | {name: [asdict(each) for each in getattr(settings, name)] for name in ("loras", "control")},
            prompt: settings.prompt,
            shows: start.shows or "",
            strength: start.strength,
            mode: WORDS,
            inversion: start.inversion,
            model: gr.Dropdown(own.models(), value=settings.model),  # it may be newer than the page
            about: _about(own, settings.model),
            **size.show(sizes, settings.width, settings.height),
            steps: settings.steps,
            guidance: settings.guidance,
            seed: settings.seed,
            negative: settings.negative_prompt,
            **plugs.show(own, settings),
            follows: as_text(settings.control),
        }

    @complaining
    def receive(source: str, asked_by: gr.Request) -> Updates:
        """A picture that was made here, or one of another tab to begin from."""
        own = seen_by(app, asked_by)
        if isinstance(source, str) and source.startswith("{"):
            said = parse_json(source, "The settings sent here")
            if "model" not in said:  # a picture to begin from, of whichever model
                given = read_picture_settings(said, "The settings sent here")
                source = json.dumps(said | on_another(own, given, edit.editing_model(own)).as_json())
        found = restored(own, source)
        if found.translated:
            return translation_of(own, found.translated)
        if found.start is None:
            raise UserError("This picture began from noise alone: to begin from it, drop it on the board.")
        return form_of(own, found)

    def translation_of(own: Application, found: Translated) -> Updates:
        """The other mode with a translation, of the picture that it says, or else of an example."""
        if found.translation:
            own.translations.card(found.translation)  # it may be gone
        image = found.image or picture_of(next(iter(translation.TRIES.values())))
        with own.one_picture:
            image = encode_map(read_picture(read_base64(image)))
        on_board, fields = translated.show(own, found, _address(image))
        return {board: on_board, mode: translation.TRANSLATE} | fields

    def picture_of(name: str) -> str:
        return base64.b64encode((page.examples / f"{name}.png").read_bytes()).decode()

    def begun(example: Example, asked_by: gr.Request) -> Updates:
        image = picture_of(example.picture)
        start = Start(image, example.strength, example.shows)
        return receive(json.dumps({"prompt": example.prompt, "seed": 7, START: start.as_json()}), asked_by)

    @complaining
    def chosen(model_now: str, width: int, height: int, asked_by: gr.Request) -> Updates:
        own = seen_by(app, asked_by)
        preset = own.preset(model_now)
        return {
            **size.show(preset.sizes, *preset.sizes.like(width, height)),
            steps: preset.steps,
            guidance: preset.guidance,
            about: _about(own, model_now),
        }

    cue.change(draw, [cue, latest, number], [board, line], **RUN)
    stops(stop, latest)

    def follow(event: Any) -> None:
        now = set(plugs.controls.inputs)
        event(lambda values: as_text(plugs.controls.read(values)), now, follows, **QUIET)

    plugs.loras.connect(app, model, lambda event: event(**again))
    plugs.controls.connect(app, model, follow, size)
    of_model = [steps, guidance, about, *size.fields]
    model.input(chosen, [model, *size.fields], of_model, **LATEST).then(**again)
    outputs = [board, prompt, shows, strength, model, about, *size.fields, steps, guidance, seed, negative]
    outputs += [*plugs.parts, follows, inversion, mode, *translated.parts]
    for event, source in ((upload.upload, upload), (sent.change, sent)):
        event(receive, source, outputs, **QUIET)
    for chip, example in zip(chips, EXAMPLES.values(), strict=True):

        def begin(asked_by: gr.Request, example: Example = example) -> Updates:
            return begun(example, asked_by)

        chip.click(begin, None, outputs, **QUIET)

    def fresh(chosen: str | None, asked_by: gr.Request) -> Updates:
        return translated.fresh(seen_by(app, asked_by), chosen)

    for button, name in zip(translated.tries, translation.TRIES.values(), strict=True):

        @complaining
        def attempt(chosen: str | None, steps_now: int, asked_by: gr.Request, name: str = name) -> Updates:
            image = picture_of(name)
            return translation_of(seen_by(app, asked_by), Translated(chosen or "", image, steps_now))

        button.click(attempt, translated.fields, outputs, **QUIET)
    now = {"fn": fresh, "inputs": translated.translation, "outputs": translated.parts, **LATEST}
    gr.on([page.tab.select, mode.input, translated.translation.input], **now)
    endpoint(app, edit, ("image", "prompt"))
    endpoint(app, invert)
    endpoint(app, translate)


def _address(image: str) -> str:
    """A start's picture as the browser loads it; "" for none."""
    return image and f"data:image/png;base64,{image}"


def _about(own: Application, model: str) -> str:
    said = edit.advice(own, own.registry.card(model))
    return f"<p class='slow'>{escape(said)}</p>" if said else ""
