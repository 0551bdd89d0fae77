"""The Generate tab: its parts, and which event changes which of them.

Every wish for a picture, from typing to Enter, first changes one hidden text, the *cue* ("live:…" or
"go:…"), in the browser; only its change asks the server. With `always_last` that single event never runs
twice at once, drops what was typed in between but never the last of it, and pictures come in the order
asked for. It must not raise what a user can cause: Gradio forgets the waiting event when one fails.
"""

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from html import escape
from typing import Any

import gradio as gr

from rf_app.actions import generate, presets, refine, upload_lora, upscale
from rf_app.actions.application import Application, Preset
from rf_app.actions.caption import caption
from rf_app.actions.examples import Example, examples
from rf_app.actions.loras import rows as lora_rows
from rf_app.actions.picture import Picture
from rf_app.actions.restore import usable
from rf_app.actions.run import LatestRun, run
from rf_app.errors import Cancelled, HeldBack, UserError
from rf_app.registry.refiner import refiner_folder
from rf_app.settings.picture import MAX_SEED, PictureSettings, parse_json, read_loras
from rf_app.ui.api import endpoint, seen_by
from rf_app.ui.generate import afterwards, reading
from rf_app.ui.generate.presets import presets_panel
from rf_app.ui.generate.stage import message_stage, opening_stage, stage
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.control import control_panel
from rf_app.ui.parts.events import LATEST, PAGE_ONLY, QUIET, in_browser
from rf_app.ui.parts.fields import live_switch, slider
from rf_app.ui.parts.image import icon
from rf_app.ui.parts.keeping import kept
from rf_app.ui.parts.loras import end_uploads, lora_panel
from rf_app.ui.parts.model_form import ModelForm, advanced, decoder_list, model_list, steps_and_guidance
from rf_app.ui.parts.plug_ins import PlugIns
from rf_app.ui.parts.progress_bar import note, progress_bar
from rf_app.ui.parts.restoring import restore_button, restored_picture
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.seed_row import seed_row
from rf_app.ui.parts.size import size_fields
from rf_app.ui.parts.streaming import stops
from rf_app.ui.waiting import LONG_WORK

FIRST = PictureSettings("A photograph of a snowy mountain near a beautiful lake under sunshine.", seed=7)
VARIANTS = 4


def build(app: Application, page: Page) -> None:
    """Lay the tab out and connect it, inside the Blocks at hand; with the endpoints of the same actions."""
    model_id = app.first_model()
    preset = app.preset(model_id)
    shown = examples(page.examples)
    first = shown[0] if shown else None
    opening = PictureSettings(first.prompt, model_id, seed=first.seed) if first else FIRST
    with gr.Column(elem_id="generate"):
        with gr.Column(elem_id="picture-side"):
            picture = gr.HTML(
                opening_stage(first.path, first.prompt)
                if first and not app.on_loan
                else message_stage("Press Generate." if app.on_loan else "Warming up…"),
                elem_id="stage",
            )
            line = gr.HTML("", elem_id="generate-way")
        with gr.Column(elem_id="control-side"):
            with gr.Column(elem_id="ask"):
                prompt = gr.Textbox(
                    opening.prompt,
                    label="Prompt",
                    show_label=False,
                    placeholder="Describe a picture…",
                    lines=1,  # with more, Enter would not submit
                    max_lines=6,
                    autofocus=True,
                    elem_id="prompt",
                    html_attributes=gr.InputHTMLAttributes(
                        enterkeyhint="go", spellcheck=False, autocorrect="off"
                    ),
                )
                read = reading.prompt_reading(app, opening.prompt, model_id)
                with gr.Row(elem_id="actions"):
                    go = gr.Button("Generate", variant="primary", elem_id="go", min_width=140)
                    stop = gr.Button("Stop", elem_id="stop", min_width=70)
                    live = live_switch(not preset.slow, "live")
            buttons = _examples(shown)
            controls = control_panel(app, page.examples / "drawings")
            with gr.Column(elem_id="settings"):
                model = model_list(app, model_id, elem_id="model")
                about = gr.HTML(_about(preset), elem_id="about")
                size = size_fields(preset)
                decoder = decoder_list(preset)
                steps, guidance = steps_and_guidance(preset)
                with gr.Row(elem_classes="pair"):
                    seed, dice, locked = seed_row(opening.seed)
                    count = slider(1, generate.MAX_COUNT, 1, 1, "Pictures", "count")
                cue = gr.Textbox("", visible="hidden", elem_id="cue")
                now = [live, cue, prompt]
                follow_live = {"js": browser("live"), "inputs": now, "outputs": [cue], **PAGE_ONLY}
                lora_box = lora_panel(app)
                loras = lora_box.rows
                solver, negative = advanced(preset)
                form = ModelForm(model, steps, guidance, solver, negative, size, decoder)
                sent = gr.Textbox("", visible="hidden", elem_id="sent-generate")
                presets_panel(
                    app,
                    page.blocks,
                    lambda values, asked_by: settings(seen_by(app, asked_by), values),
                    {prompt, seed, loras, *controls.inputs, *form.fields},
                    sent,
                )
                # Not in the accordion: what that hides is not on the page, and pictures are dropped on this.
                upload = restore_button("restore")
    plugs = PlugIns(lora_box, controls)
    page.lists.append(model)
    to_vary = gr.Textbox("", visible="hidden", elem_id="sent-vary")
    to_follow = gr.Textbox("", visible="hidden", elem_id="sent-control")
    latest, number = gr.State(LatestRun()), gr.Number(visible="hidden")
    solvers = gr.State(preset.solvers)  # those that are offered

    # In the browser alone: draw a seed, change the cue. A text box's `input` misses pasting and deleting; its
    # `change` does not.
    in_browser([prompt.submit, go.click], "go", [seed, locked, prompt], [seed, cue])
    dice.click(js=browser("dice"), inputs=now, outputs=[seed, cue], **PAGE_ONLY)
    prompt.change(js=browser("liveText"), inputs=now, outputs=[cue], **PAGE_ONLY)
    changes = [field.input for field in (steps, guidance, seed, count, live, solver, decoder)]
    gr.on(changes, **follow_live)
    # Typed alone: a picture that is restored brings its own cue.
    negative.change(**follow_live | {"js": browser("liveNegative")})
    sides = size.fields
    form_now = [prompt, model, steps, guidance, seed, locked, count, live, solver, negative, loras]
    form_now += [*sides, decoder]
    in_browser([field.change for field in form_now], "keepForm", form_now)
    for example, button in zip(shown, buttons, strict=True):
        button.click(
            js=browser("example", example.prompt, example.seed), outputs=[prompt, seed, cue], **PAGE_ONLY
        )

    # On the server.
    def settings(own: Application, values: Values) -> PictureSettings:
        given = plugs.read(values)
        return PictureSettings(
            prompt=values[prompt], seed=values[seed], **given, **form.read(own, values, given["loras"])
        )

    def render(values: Values, asked_by: gr.Request) -> Iterator[Any]:
        typing = values[cue].startswith("live")
        if typing and (not values[prompt].strip() or values[seed] is None):  # or another is being typed
            yield gr.skip()  # without anything to yield, Gradio would empty the stage
            return
        own, ended = seen_by(app, asked_by), values[latest].begin(values[number])
        keeps = bool(own.permission)
        pictures: list[Picture] = []
        waited = False
        try:
            asked = settings(own, values)
            asked = asked if asked.model else replace(asked, model=own.first_model())
            wish = generate.Generate(own.typed(asked) if typing else asked, values[count])
            for event in run(generate.generate(own, wish), ended):
                if isinstance(event, Picture):
                    pictures.append(event)
                    made = caption(own, pictures)
                    yield {picture: stage(pictures, made, values[cue], refiner_folder().is_dir(), keeps)}
                    if values[cue].startswith("go"):  # what typing, or opening the page, shows is not kept
                        kept(own, event)
                else:
                    yield {line: progress_bar(event)} if event or not waited else gr.skip()
                    waited = True
            said = ""
            slow = own.slow(asked)
            if slow and typing:  # it is known only now
                yield {live: False, about: _about(own.preset(asked.model, asked.loras), slow)}
            elif not typing:
                yield {about: _about(own.preset(asked.model, asked.loras), slow)}
        except Cancelled:
            if not values[latest].stopped:  # what refines or enlarges has the word
                yield gr.skip()
                return
            said = "Stopped."
        except HeldBack as error:
            said = str(error) if pictures else ""
            yield gr.skip() if pictures else {picture: message_stage(str(error))}
        except UserError as error:
            complain(error)
            said = ""
        if waited or said or not pictures:
            yield {line: note(said)}

    @complaining
    def chosen(
        model: str, rows: Any, prompt_now: str, width: int, height: int, asked_by: gr.Request
    ) -> Updates:
        preset = seen_by(app, asked_by).preset(model, read_loras(rows))
        return {
            **form.show_preset(preset, width, height),
            live: not preset.slow,
            about: _about(preset),
            solvers: preset.solvers,
            cue: gr.skip() if preset.slow else cue_for("live", prompt_now),
        }

    def plugged(
        before: Any, model: str, rows: Any, prompt_now: str, width: int, height: int, asked_by: gr.Request
    ) -> Updates:
        """Another preset where a LoRA has come, or gone, that brings a sampler; else nothing."""
        with suppress(UserError):  # drawing says so
            own = seen_by(app, asked_by)
            if own.preset(model, read_loras(rows)).solvers != before:
                return chosen(model, rows, prompt_now, width, height, asked_by)
        return gr.skip()

    @complaining
    def restore(source: str, asked_by: gr.Request) -> Updates:
        own = seen_by(app, asked_by)
        found = restored_picture(own, source)
        shown = plugs.show(own, found)
        preset = own.preset(found.model, found.loras)
        return {
            **form.show(own, found),
            **shown,
            prompt: found.prompt,
            seed: found.seed,
            count: 1,
            locked: True,
            about: _about(preset),
            solvers: preset.solvers,
            cue: cue_for("go", found.prompt),
        }

    def vary(source: str, asked_by: gr.Request) -> Updates:
        shown = restore(source, asked_by)
        if seed in shown:  # else something was wrong
            shown |= {seed: (shown[seed] + 1) % (MAX_SEED + 1), count: VARIANTS, locked: False}
        return shown

    def opened(left: str, asked_by: gr.Request) -> Updates:
        """The form as it was left; what of it cannot be used any more is as on a first visit."""
        own = seen_by(app, asked_by)
        default = replace(opening, model=own.first_model())
        try:
            values = parse_json(left, "The form")
        except UserError:  # a first visit
            return unasked(own, default)
        found = usable(own, values, default)
        off = usable(own, {"loras": values.get("off")}, default).loras
        preset = own.preset(found.model, found.loras)
        many = values.get("count")
        return {
            **form.show(own, found),
            prompt: found.prompt,
            seed: found.seed,
            count: many if many in range(1, generate.MAX_COUNT + 1) else 1,
            locked: values.get("locked") is True,
            live: values.get("live") is True,
            loras: lora_rows(own, found.loras) + [row | {"on": False} for row in lora_rows(own, off)],
            about: _about(preset),
            solvers: preset.solvers,
            **unasked(own, found),
        }

    def unasked(own: Application, found: PictureSettings) -> Updates:
        """The picture that the page opens with, if it is there at once."""
        if own.keeps_waiting(found):
            return {picture: message_stage("Press Generate.")}
        return {cue: cue_for("opening", found.prompt)}

    wish = {cue, prompt, seed, count, latest, *plugs.inputs, *form.fields, number}
    drawn = {"js": browser("numbered"), **LONG_WORK, **LATEST}
    cue.change(render, wish, [picture, line, live, about], **drawn)
    afterwards.connect(app, picture, line, latest, number)
    stops(stop, latest)
    reading.connect(app, read, prompt, go, model, loras)

    def follow(event: Any) -> None:
        event(**follow_live)

    def begin(line: Example) -> Updates:
        return {prompt: line.prompt, seed: line.seed, cue: cue_for("go", line.prompt)}

    follow(loras.input)
    lora_box.connect(app, model, follow, page.blocks.load)
    controls.connect(app, model, follow, size, to_follow, begin, [prompt, seed, cue])
    end_uploads(app, lora_box, page.blocks)
    chosen_by, chosen_for = ([model, loras, prompt, *sides], [*form.recommends, live, about, cue, solvers])
    model.input(chosen, chosen_by, chosen_for, **LATEST)
    loras.change(plugged, [solvers, *chosen_by], chosen_for, **LATEST)
    outputs = [prompt, seed, count, locked, about, cue, solvers, *form.fields, *plugs.parts]
    upload.upload(restore, upload, outputs, **QUIET)
    sent.change(restore, sent, outputs, **QUIET)
    to_vary.change(vary, to_vary, outputs, **QUIET)
    page.blocks.load(opened, sent, [*outputs, live, picture], js=browser("left"), **QUIET)
    order = ("prompt", "model", "steps", "guidance", "seed", "count")
    endpoint(app, generate, order)
    endpoint(app, refine, order)
    endpoint(app, upscale)
    endpoint(app, upload_lora, queue=False)
    endpoint(app, presets)


def cue_for(kind: str, prompt: str) -> str:
    """The cue from the server: "live:…" follows the typing, "go:…" is asked for, "opening:…" comes first."""
    return f"{kind}:{time.time_ns()}:{prompt}"


def _examples(shown: list[Example]) -> list[gr.Button]:
    with gr.Row(elem_id="examples"):
        return [
            gr.Button(example.title, icon=icon(example.path), elem_classes="example", min_width=72)
            for example in shown
        ]


def _about(preset: Preset, slow: str | None = None) -> str:
    """slow: why pictures with other settings than the model's own do not follow the typing, or nothing."""
    said = preset.slow if slow is None else slow
    slow = f"<p class='slow' role='status'>{escape(said)}</p>" if said else ""  # style.css: while Live is off
    return f"<p>{escape(preset.about)}</p>{slow}"
