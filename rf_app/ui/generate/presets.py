"""The presets of the Generate tab: picked from a list, saved from the form, taken along as JSON.

What is picked goes the way of a picture's settings that another tab sends.
"""

import json
from collections.abc import Callable
from dataclasses import replace
from html import escape
from pathlib import Path

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.asking import File
from rf_app.actions.presets import SETTINGS, PromptPreset, at_hand, delete, own, preset, read, save
from rf_app.pipeline.checking import check_size
from rf_app.settings.picture import PictureSettings
from rf_app.ui.files import served
from rf_app.ui.parts.complaint import complaining
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.events import LATEST, QUIET
from rf_app.ui.parts.fields import text_field
from rf_app.ui.parts.model_form import SIDES

NONE = ("None", "")


def presets_panel(
    app: Application,
    page: gr.Blocks,
    settings: Callable[[Values, gr.Request], PictureSettings],
    inputs: set[gr.Component],
    sent: gr.Textbox,
) -> None:
    """Lay it out and connect it.

    settings: those of the form, read from the values of `inputs`. sent: gets what a preset makes of them, as
    JSON.
    """
    with gr.Accordion("Presets", open=False, elem_id="presets", elem_classes="advanced"):
        pick = gr.Dropdown([NONE], value="", label="Preset", filterable=False, elem_id="preset-pick")
        if app.permission:
            with gr.Row(elem_classes="pair"):
                before = gr.Textbox("", label="Before the prompt", elem_id="preset-before")
                after = gr.Textbox("", label="After it", elem_id="preset-after")
            title = "Keep the settings above under a name"
            name = text_field("", title, "preset-name", placeholder="Name", max_length=60)
            with gr.Row(elem_classes="acts"):
                keep = gr.Button("Save", size="sm", min_width=70, elem_id="preset-save")
                drop = gr.Button("Delete", size="sm", min_width=70, elem_id="preset-delete")
                export = gr.DownloadButton(
                    "Export", visible=False, size="sm", min_width=70, elem_id="preset-export"
                )
                take = gr.UploadButton(
                    "Read a file", file_types=[".json"], size="sm", min_width=70, elem_id="preset-read"
                )
            with gr.Row(visible=False, elem_classes="acts") as sure:
                yes = gr.Button("Delete this preset", variant="stop", size="sm", elem_id="preset-yes")
                no = gr.Button("Keep it", size="sm", elem_id="preset-no")
    last = gr.State("")

    @complaining
    def listed(chosen: str | None = None) -> Updates:
        """The lists as they are now; chosen: what is picked from now on, if anything else."""
        names, mine = [each.name for each in at_hand()], own()
        value = {} if chosen is None else {"value": chosen}
        lists = {pick: gr.Dropdown([NONE, *((name, name) for name in names)], **value)}
        if app.permission:
            text = json.dumps([each.as_json() for each in mine], ensure_ascii=False, indent=2)
            file = served(File("instaflow-presets.json", text.encode()))
            lists[export] = gr.DownloadButton(value=file, visible=bool(mine))
        return lists

    @complaining
    def picked(values: Values, asked_by: gr.Request) -> Updates:
        if values[pick] == values[last]:  # a list that is filled anew while it opens says it twice
            return gr.skip()
        now = settings(values, asked_by)
        known = {each.name: each for each in at_hand()}
        plain = known[values[last]].within(now.prompt) if values[last] in known else now.prompt
        new = preset(values[pick]) if values[pick] else PromptPreset("")
        plain = new.within(plain)  # the page was opened anew, or the words typed
        made = new.applied(PictureSettings(plain, seed=now.seed, control=now.control))
        made = made if made.model else replace(made, model=now.model)
        if made.model == now.model:  # another one may have none
            made = replace(made, decoder=now.decoder)
        words = {before: new.before, after: new.after, name: new.name} if app.permission else {}
        return {sent: json.dumps(made.as_json()), last: values[pick], **words}

    @complaining
    def kept(values: Values, asked_by: gr.Request) -> Updates:
        now = settings(values, asked_by)
        size = check_size(now.width, now.height, app.registry.card(now.model)) if now.model else {}
        shared = {key: getattr(now, key) for key in SETTINGS if key not in SIDES} | size
        made = PromptPreset(values[name], values[before], values[after], PictureSettings("", **shared))
        save(app, made)
        gr.Info(f"{escape(made.name)} is in the list of presets now.")
        return listed(made.name) | {last: made.name}

    @complaining
    def dropped(chosen: str) -> Updates:
        delete(app, chosen)
        return listed("") | {sure: gr.Row(visible=False), last: ""}

    @complaining
    def taken(path: str) -> Updates:
        save(app, *read(Path(path)))
        return listed()

    mine = [before, after, name] if app.permission else []
    lists = [pick, export] if app.permission else [pick]
    pick.input(picked, {pick, last, *inputs}, [sent, last, *mine], **LATEST)
    # Nothing is picked by it: while it is under way a preset may be saved, which then is.
    gr.on([page.load, pick.focus], listed, None, lists, **QUIET)
    if app.permission:
        keep.click(kept, {*mine, *inputs}, [*lists, last], **QUIET)
        drop.click(lambda: gr.Row(visible=True), outputs=sure, **QUIET)
        no.click(lambda: gr.Row(visible=False), outputs=sure, **QUIET)
        yes.click(dropped, pick, [*lists, sure, last], **QUIET)
        take.upload(taken, take, lists, **QUIET)
