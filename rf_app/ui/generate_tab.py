"""The Generate tab: its parts, and which event changes which of them.

Every wish for a picture, from typing to Enter, first changes one hidden text, the *cue* ("live:…" or
"go:…"), in the browser; only its change asks the server. With `always_last` that single event never runs
twice at once, drops what was typed in between but never the last of it, and pictures come in the order
asked for. It must not raise what a user can cause: Gradio forgets the waiting event when one fails.
"""

import contextvars
import json
from collections.abc import Callable
from html import escape
from pathlib import Path

import gradio as gr

from rf_app.errors import UserError
from rf_app.pipeline.requests import MAX_COUNT, GenerateRequest
from rf_app.registry.permission import Permission
from rf_app.ui import control_panel
from rf_app.ui.complaint import complain
from rf_app.ui.control_panel import ControlPanel
from rf_app.ui.cue import cue_for
from rf_app.ui.lora_panel import lora_panel, session_of, with_loras
from rf_app.ui.model_settings import steps_and_guidance
from rf_app.ui.seed_row import GO, RANDOM_SEED, seed_row
from rf_app.ui.stage import message_stage, opening_stage, stage
from rf_app.workflows.examples import Example
from rf_app.workflows.generate import Restored, Studio
from rf_app.workflows.loras import read_loras

FIRST_PROMPT = "A photograph of a snowy mountain near a beautiful lake under sunshine."
WAITING = 4  # requests Gradio may hand to the worker at once; the worker takes them in turn

DICE = f"(live, cue, prompt) => [{RANDOM_SEED}, live ? `live:${{performance.now()}}:${{prompt}}` : cue]"
# An unchanged cue is no event.
LIVE = "(live, cue, prompt) => live ? `live:${performance.now()}:${prompt}` : cue"
LIVE_TEXT = (
    "(live, cue, prompt) => live && cue.replace(/^\\w+:[\\d.]+:/, '') !== prompt"
    " ? `live:${performance.now()}:${prompt}` : cue"
)


def build(
    studio: Studio,
    examples: list[Example],
    drawings: list[Example],
    page: gr.Blocks,
    permission: Permission,
) -> gr.Dropdown:
    """Lay the tab out and connect it, inside the Blocks at hand, which is (part of) `page`.

    drawings: for a ControlNet to follow. permission: whether visitors may keep a LoRA for all. Returns its
    list of models.
    """
    model_id = studio.first_model()
    preset = studio.preset(model_id)
    first = examples[0] if examples else None

    with gr.Column(elem_id="generate"):
        with gr.Column(elem_id="picture-side"):
            picture = gr.HTML(
                opening_stage(first.path, first.prompt) if first else message_stage("Warming up…"),
                elem_id="stage",
            )
        with gr.Column(elem_id="control-side"):
            with gr.Column(elem_id="ask"):
                prompt = gr.Textbox(
                    first.prompt if first else FIRST_PROMPT,
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
                with gr.Row(elem_id="actions"):
                    go = gr.Button("Generate", variant="primary", elem_id="go", min_width=140)
                    live = gr.Checkbox(
                        preset.live, label="Live", elem_id="live", container=False, min_width=90
                    )
            example_buttons = _examples(examples)
            control = control_panel.build(studio, drawings)
            with gr.Column(elem_id="settings"):
                model = gr.Dropdown(
                    studio.models(), value=model_id, label="Model", filterable=False, elem_id="model"
                )
                about = gr.HTML(_about(preset.about), elem_id="about")
                steps, guidance = steps_and_guidance(preset)
                with gr.Row(elem_classes="pair"):
                    seed, dice, locked = seed_row(first.seed if first else 7)
                    count = gr.Slider(1, MAX_COUNT, 1, step=1, label="Pictures", buttons=[], elem_id="count")
                cue = gr.Textbox("", visible="hidden", elem_id="cue")
                now = [live, cue, prompt]
                page_only = {"fn": None, "trigger_mode": "multiple", "api_visibility": "private"}
                loras = lora_panel(
                    studio,
                    model,
                    page,
                    permission,
                    lambda event: event(js=LIVE, inputs=now, outputs=[cue], **page_only),
                )
                with gr.Accordion("Advanced", open=False, elem_id="advanced"):
                    solver = gr.Dropdown(
                        preset.solvers,
                        value=preset.solvers[0][1],
                        label="Solver",
                        filterable=False,
                        elem_id="solver",
                    )
                    negative = gr.Textbox(
                        "",
                        label="Negative prompt",
                        info="What to keep out. It acts only with guidance above 1.",
                        lines=1,
                        max_lines=4,
                        elem_id="negative",
                    )
                # Not in the accordion: what that hides is not on the page, and pictures are dropped on this.
                with gr.Column(elem_id="restore-box"):
                    restore = gr.UploadButton(
                        "Restore a saved picture’s settings",
                        file_types=[".png"],
                        size="sm",
                        elem_id="restore",
                    )
    sent = gr.Textbox("", visible="hidden", elem_id="sent-generate")
    sent_control = gr.Textbox("", visible="hidden", elem_id="sent-control")

    # In the browser alone: draw a seed, change the cue. A text box's `input` misses pasting and deleting; its
    # `change` does not.
    gr.on([prompt.submit, go.click], js=GO, inputs=[seed, locked, prompt], outputs=[seed, cue], **page_only)
    dice.click(js=DICE, inputs=now, outputs=[seed, cue], **page_only)
    prompt.change(js=LIVE_TEXT, inputs=now, outputs=[cue], **page_only)
    changes = [field.input for field in (steps, guidance, seed, count, live, solver)]
    gr.on([*changes, negative.change], js=LIVE, inputs=now, outputs=[cue], **page_only)
    for example, button in zip(examples, example_buttons, strict=True):
        values = json.dumps([example.prompt, example.seed])
        button.click(
            js=f"() => [...{values}, `go:${{performance.now()}}:${{{json.dumps(example.prompt)}}}`]",
            outputs=[prompt, seed, cue],
            **page_only,
        )

    # On the server.
    wish = [cue, prompt, model, steps, guidance, seed, count, negative, solver, loras, *control.controls]
    cue.change(
        _render(studio),
        wish,
        picture,
        trigger_mode="always_last",
        show_progress="full",
        concurrency_limit=WAITING,
        concurrency_id="pictures",
        api_visibility="private",
    )
    control_panel.connect(studio, control, drawings, sent_control, model, live, prompt, seed, cue, page)
    model.input(
        _preset(studio),
        [model, prompt],
        [steps, guidance, solver, live, about, cue],
        trigger_mode="always_last",  # else the second of two quick choices is dropped
        show_progress="hidden",
        api_visibility="private",
    )
    for event, source, found in (
        (restore.upload, restore, lambda path, session: studio.restore(Path(path), session)),
        (sent.change, sent, studio.restore_sent),
    ):
        event(
            _restore(studio, found, control),
            source,
            [
                prompt,
                negative,
                model,
                steps,
                guidance,
                solver,
                seed,
                count,
                locked,
                loras,
                about,
                cue,
                *control.filled,
            ],
            show_progress="hidden",
            api_visibility="private",
        )
    page.load(
        lambda prompt: cue_for("go", prompt),
        inputs=prompt,
        outputs=cue,
        show_progress="hidden",
        api_visibility="private",
    )
    return model


def _examples(examples: list[Example]) -> list[gr.Button]:
    with gr.Row(elem_id="examples"):
        return [
            gr.Button(example.title, icon=example.path, elem_classes="example", min_width=72)
            for example in examples
        ]


def _about(text: str) -> str:
    return f"<p>{escape(text)}</p>"


def _render(studio: Studio) -> Callable:
    def render(
        cue,
        prompt,
        model,
        steps,
        guidance,
        seed,
        count,
        negative,
        solver,
        loras,
        control,
        second_control,
        asked_by: gr.Request,
        progress=gr.Progress(),  # noqa: B008
    ):
        typing = cue.startswith("live")
        if typing and not prompt.strip():
            return gr.skip()
        here = contextvars.copy_context()  # the worker's thread reports in the name of this event

        def report(done: int, of: int) -> None:
            here.run(progress, (done, of), desc="Drawing")

        try:
            request = GenerateRequest(
                prompt,
                model,
                steps,
                guidance,
                seed,
                count,
                negative,
                solver,
                read_loras(loras),
                control_panel.acting((control, second_control)),
                session=session_of(asked_by),
            )
            return stage(studio.generate(request, typing, report))
        except UserError as error:
            complain(error)
            return gr.skip()

    return render


def _preset(studio: Studio) -> Callable:
    def preset(model: str, prompt: str):
        try:
            chosen = studio.preset(model)
        except UserError as error:
            complain(error)
            return (gr.skip(),) * 6
        cue = cue_for("live", prompt) if chosen.live else gr.skip()
        solver = gr.Dropdown(chosen.solvers, value=chosen.solvers[0][1])
        return chosen.steps, chosen.guidance, solver, chosen.live, _about(chosen.about), cue

    return preset


def _restore(studio: Studio, read: Callable[[str, str], Restored], panel: ControlPanel) -> Callable:
    def restore(source: str, asked_by: gr.Request):
        try:
            found = read(source, session_of(asked_by))
            loras = with_loras(studio, found.loras, asked_by)
        except UserError as error:
            complain(error)
            return (gr.skip(),) * (12 + len(panel.filled))
        if found.note:
            gr.Info(escape(found.note))
        preset = studio.preset(found.model)
        solver = gr.Dropdown(preset.solvers, value=found.solver)
        settings = (found.prompt, found.negative_prompt, found.model, found.steps, found.guidance)
        return (
            *settings,
            solver,
            found.seed,
            1,
            True,
            loras,
            _about(preset.about),
            cue_for("go", found.prompt),
            *control_panel.fill(studio, found.control),
        )

    return restore
