"""Side by side: one prompt and one seed on two to four models, each with settings of its own.

Every wish, from the button to an example, changes one hidden text, the cue; its change asks the server, where
a new run ends the one under way. The last of its inputs is a number made in the browser: requests overtake
each other, and the newest wish has the word. The form is kept in the browser.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import gradio as gr

from rf_app.actions import examples
from rf_app.actions.application import Application
from rf_app.actions.attempt import Attempt
from rf_app.actions.caption import active
from rf_app.actions.compare import (
    Compare,
    SideBegun,
    SideDone,
    SideProgress,
    compare,
    default_models,
    speed_up,
)
from rf_app.actions.loras import known
from rf_app.actions.loras import rows as lora_rows
from rf_app.actions.restore import usable
from rf_app.actions.run import LatestRun, run
from rf_app.errors import Cancelled, UserError
from rf_app.settings.picture import Lora, PictureSettings, Side, parse_json, read_sides
from rf_app.ui.api import seen_by
from rf_app.ui.compare.comparison import OPENING, faster, outcome, over, waiting, working
from rf_app.ui.parts.complaint import complain, complaining
from rf_app.ui.parts.context import Page, Updates, Values
from rf_app.ui.parts.events import PAGE_ONLY, QUIET, RUN, in_browser
from rf_app.ui.parts.model_form import ModelForm, advanced, model_list, steps_and_guidance
from rf_app.ui.parts.plug_ins import PlugIns
from rf_app.ui.parts.restoring import restored_picture
from rf_app.ui.parts.script import browser
from rf_app.ui.parts.seed_row import seed_row
from rf_app.ui.parts.size import size_numbers
from rf_app.ui.parts.streaming import stops

SHOWN, MOST = 2, 4  # columns
TITLES = {
    "1-mountain-lake": "Mountain lake",
    "2-red-sailboat": "Red sailboat",
    "4-forest-camp": "Yellow tent",
    "5-city-lights": "City lights",
}
EXAMPLES = tuple((TITLES[name], prompt, seed) for name, prompt, seed in examples.EXAMPLES if name in TITLES)


@dataclass(frozen=True)
class Column:
    """The parts of one side."""

    column: gr.Column
    picture: gr.HTML
    form: ModelForm


def build(app: Application, page: Page, plugs: PlugIns, sent: gr.Textbox, subtabs: gr.Tabs) -> None:
    """Lay the panel out and connect it, and the plug-ins of all panels; `sent` gets settings of other tabs,
    `subtabs` holds this panel.

    The tab, opened for the first time, shows the form as it was left, or the first example: of its pictures
    those that are there at once.
    """
    with gr.Column(elem_id="side-by-side", elem_classes="study"):
        with gr.Row(elem_classes="wish"):
            prompt = gr.Textbox(
                EXAMPLES[0][1],
                label="Prompt",
                show_label=False,
                placeholder="Describe a picture…",
                max_lines=4,
                scale=4,
                elem_id="compare-prompt",
            )
            seed, dice, locked = seed_row(EXAMPLES[0][2], "compare-")
        size = size_numbers("compare-")
        with gr.Row(elem_classes="acts"):
            go = gr.Button("Compare", variant="primary", min_width=150, elem_id="compare-go")
            stop = gr.Button("Stop", min_width=80, elem_id="compare-stop")
            chips = [
                gr.Button(title, size="sm", min_width=110, elem_classes="chip") for title, _, _ in EXAMPLES
            ]
        headline = gr.HTML(OPENING, elem_id="compare-headline")
        models = default_models(app.registry, MOST)
        with gr.Row(elem_id="sides"):
            columns = [_column(app, i, model) for i, model in enumerate(models)]
        with gr.Row(elem_classes="acts"):
            more = gr.Button("Add a model", size="sm", elem_id="compare-more")
            fewer = gr.Button("Remove the last", size="sm", elem_id="compare-fewer", visible=False)
        laid_over = gr.HTML("", elem_id="before-after")
    page.lists.extend(column.form.model for column in columns)
    cue = gr.Textbox("", visible="hidden", elem_id="compare-cue")
    left = gr.Textbox("", visible="hidden")
    count, latest, number = gr.State(SHOWN), gr.State(LatestRun()), gr.Number(visible="hidden")
    pictures = [column.picture for column in columns]
    fields = [field for column in columns for field in column.form.fields]

    def draw(values: Values, asked_by: gr.Request) -> Iterator[Updates]:
        own, ended = seen_by(app, asked_by), values[latest].begin(values[number])
        shown = columns[: values[count]]
        attempts = [
            Attempt(PictureSettings(values[prompt], values[column.form.model] or "")) for column in shown
        ]
        titles = {id: title for title, id in app.models()}
        blank = {headline: OPENING, laid_over: ""} | _blank(shown, "Waiting for its turn…")
        yield gr.skip() if ended() else blank

        def unfinished(text: str) -> Updates:
            made = zip(shown, attempts, strict=True)
            return _blank([column for column, each in made if not (each.picture or each.error)], text)

        try:
            given = plugs.read(values)
            sides = tuple(Side(**column.form.read(own, values, given["loras"])) for column in shown)
            wish = Compare(values[prompt], sides, values[seed], **given, **size.read(values))
            for event in run(compare(own, wish), ended):
                if isinstance(event, SideBegun):
                    side = PictureSettings(wish.prompt, **vars(sides[event.index]))
                    if values[cue].startswith("opening") and (why := own.keeps_waiting(side)):
                        yield unfinished(f"{why}: press Compare")
                        return
                    yield {pictures[event.index]: working(None)}
                elif isinstance(event, SideProgress):
                    yield {pictures[event.index]: working(event)}
                elif isinstance(event, SideDone):
                    attempts[event.index] = event.attempt
                    yield {
                        headline: faster(attempts, speed_up(attempts), titles),
                        laid_over: over(*attempts[:2], titles),
                        pictures[event.index]: outcome(
                            event.attempt, plugged(own, event.attempt, given["loras"])
                        ),
                    }
                else:
                    yield gr.skip()
        except Cancelled:
            if values[latest].stopped:
                yield unfinished("Stopped")
            else:
                yield gr.skip()  # or Gradio repeats the last word, perhaps over a picture of the next run
        except UserError as error:
            complain(error)
            yield {headline: OPENING, laid_over: ""} | _blank(shown, "Press Compare")

    def shape(count_now: int) -> Updates:
        return {
            count: count_now,
            more: gr.Button(visible=count_now < MOST),
            fewer: gr.Button(visible=count_now > SHOWN),
            **{column.column: gr.Column(visible=i < count_now) for i, column in enumerate(columns)},
        }

    @complaining
    def receive(text: str, asked_by: gr.Request) -> Updates:
        """A many-step model's settings become the first column, a quick one's the second.

        Where they name a model to compare with ("against"), that one is the first.
        """
        own = seen_by(app, asked_by)
        settings = restored_picture(own, text)
        plugged_in = plugs.show(own, settings)
        against = parse_json(text, "The settings sent here").get("against")
        first, second = (column.form for column in columns[:2])
        if against in (id for _, id in app.models()):
            other = {first.model: against, first.negative: "", **first.show_preset(app.preset(against))}
            shown = other | second.show(own, settings)
        else:
            many = app.registry.card(settings.model).kind == "diffusion"
            shown = (first if many else second).show(own, settings)
        return {
            **shown,
            prompt: settings.prompt,
            seed: settings.seed,
            locked: True,
            **size.show(settings),
            **plugged_in,
            cue: f"go:{text}",
            subtabs: gr.Tabs(selected="side-by-side"),
        }

    def reopened(left: str, asked_by: gr.Request) -> Updates:
        """The form as it was left; what of it cannot be used any more is as on a first visit."""
        own = seen_by(app, asked_by)
        try:
            found = parse_json(left, "The form")
            sides = read_sides(found.get("sides"))[:MOST]
        except UserError:
            return gr.skip()
        updates, loras = shape(max(SHOWN, len(sides))), ()
        for column, model, side in zip(columns, models, sides, strict=False):
            settings = usable(own, found | asdict(side), PictureSettings(EXAMPLES[0][1], model))
            updates |= column.form.show(own, settings)
            updates |= {prompt: settings.prompt, seed: settings.seed}
            loras = max(loras, settings.loras, key=len)  # some models go without one
        shared = {plugs.loras.rows: lora_rows(own, loras), locked: found.get("locked") is True}
        return updates | size.left(found) | shared

    wish = {latest, cue, prompt, seed, count, *size.fields, *plugs.inputs, *fields, number}
    cue.change(draw, wish, [headline, laid_over, *pictures], **RUN)
    in_browser([go.click, prompt.submit], "go", [seed, locked, prompt], [seed, cue])
    dice.click(js=browser("randomSeed"), outputs=[seed], **PAGE_ONLY)

    def plug_changed(event: Any) -> None:
        event(js=browser("againIn", "side-by-side"), inputs=[cue], outputs=[cue], **PAGE_ONLY)

    plug_changed(plugs.loras.rows.settled)
    plugs.loras.connect(app, columns[0].form.model, plug_changed)
    plugs.controls.connect(app, columns[0].form.model, plug_changed, size)
    for button, (_, *values) in zip(chips, EXAMPLES, strict=True):
        button.click(js=browser("fill", *values), outputs=[prompt, seed, cue], **PAGE_ONLY)
    form_now = [prompt, seed, locked, *size.fields, plugs.loras.rows, *fields]
    in_browser([field.change for field in form_now], "keepSides", form_now)
    page.tab.select(js=browser("openedSides"), inputs=[cue, sent], outputs=[cue, left], **PAGE_ONLY)
    stops(stop, latest)
    for column in columns:
        column.form.model.input(**column.form.recommended(app))
    shaped = [count, more, fewer, *(column.column for column in columns)]
    for button, change in ((more, 1), (fewer, -1)):
        button.click(lambda count, change=change: shape(count + change), count, shaped, **QUIET)
    received = [field for column in columns[:2] for field in column.form.fields]
    left.change(reopened, left, [*form_now, *shaped], **QUIET)
    outputs = [prompt, seed, locked, *size.fields, *plugs.parts, cue, subtabs, *received]
    sent.change(receive, sent, outputs, **QUIET).then(js=browser("sidesInSight"), **PAGE_ONLY)


def plugged(own: Application, attempt: Attempt, given: Sequence[Lora]) -> list[str]:
    """The words for what a side was drawn with, and what it went without, which is no diffusion model."""
    if attempt.error:
        return []
    left_out = [known(own, each.id).title for each in given if each not in attempt.settings.loras]
    return [*active(own, attempt.settings), *(f"without {title}: no diffusion model" for title in left_out)]


def _column(app: Application, i: int, model: str) -> Column:
    preset, id = app.preset(model), f"side-{i + 1}"
    with gr.Column(visible=i < SHOWN, min_width=230, elem_classes="side", elem_id=id) as column:
        picture = gr.HTML(waiting("Press Compare"), elem_classes="side-frame")
        chosen = model_list(app, model, f"Model {i + 1}")
        settings = *steps_and_guidance(preset, f"{id}-"), *advanced(preset, f"{id}-")
    return Column(column, picture, ModelForm(chosen, *settings))


def _blank(columns: list[Column], text: str) -> Updates:
    """Their frames, empty."""
    return {column.picture: waiting(text) for column in columns}
