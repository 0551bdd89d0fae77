"""The form of the Train tab: what to make, from what, how thoroughly; and what that will take.

Its fields are those of all recipes together; choosing a recipe shows the ones it has. So a recipe that is
added in `rf_app.settings.recipes` needs nothing here.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from rf_app.errors import UserError
from rf_app.jobs import queue
from rf_app.jobs.database import Database
from rf_app.jobs.plan import Wish
from rf_app.jobs.words import duration, needs_in_words
from rf_app.registry.card import as_id
from rf_app.registry.controlnets import ControlNets
from rf_app.registry.loras import Loras
from rf_app.settings.options import Option
from rf_app.settings.recipes import PRESETS, Recipe, Shown, recipes
from rf_app.ui.complaint import complain
from rf_app.ui.train_fields import advanced_field, advanced_update, shown_field
from rf_app.ui.train_uploads import SUFFIXES
from rf_app.workflows.generate import Studio

NO_STYLE = ("None", "")
PLACEHOLDER = "a red sailboat on the sea at sunset\na yellow tent in a pine forest at night"


@dataclass(frozen=True)
class Form:
    """The parts, and what they are for the recipes."""

    recipe: gr.Radio
    about: gr.HTML
    teacher: gr.Dropdown
    preset: gr.Radio
    name: gr.Textbox
    prompts_box: gr.Column
    prompts: gr.Textbox
    prompt_file: gr.UploadButton
    style: gr.Dropdown
    pictures: gr.File
    images: gr.State  # the folder that the uploaded pictures are in
    settings: dict[str, gr.components.Component]  # those that matter, TRAINER.OPTION
    advanced: dict[str, gr.components.Component]
    estimate: gr.HTML
    start: gr.Button

    @property
    def fields(self) -> list[gr.components.Component]:
        """What a wish is made of, in the order of `read`."""
        fixed = [self.recipe, self.teacher, self.preset, self.name, self.prompts, self.style, self.images]
        return [*fixed, *self.settings.values(), *self.advanced.values()]

    @property
    def shaped(self) -> list[gr.components.Component]:
        """What the choice of a recipe changes, in the order of `shape`."""
        own = [self.about, self.teacher, self.preset, self.name, self.prompts_box, self.style, self.pictures]
        return [*own, *self.settings.values(), *self.advanced.values(), self.estimate]

    def read(self, values: tuple) -> Wish:
        """The wish that the fields say; `queue` checks it."""
        name, teacher, preset, title, prompts, style, images, *rest = values
        found = recipes()[name]
        keys = [*self.settings, *self.advanced]
        own = {key: value for key, value in zip(keys, rest, strict=True) if value not in (None, "")}
        allowed = found.options()
        return Wish(
            recipe=name,
            teacher=teacher or "",
            output=as_id(title),
            title=title.strip(),
            preset=preset,
            prompts=prompts if "prompts" in found.asks else "",
            style=(style or "") if "style" in found.asks else "",
            images=images if "images" in found.asks else "",
            settings={key: value for key, value in own.items() if key in allowed},
        )


def free_name(studio: Studio, database: Database, title: str) -> str:
    """The name, with a number where it is taken or about to be."""
    stores = (studio.registry, Loras.beside(studio.registry), ControlNets.beside(studio.registry))
    taken = {card.id for store in stores for card in store.cards()}
    taken |= {job.wish.output for job in database.jobs() if job.state != "done"}
    base, number = re.sub(r" \d+$", "", title), 2
    while as_id(title) in taken:
        title, number = f"{base} {number}", number + 1
    return title


def build(studio: Studio) -> Form:
    """Lay the form out, for the first recipe."""
    known = recipes()
    first = next(iter(known.values()))
    shown: dict[str, Shown] = {}
    for each in (each for found in known.values() for each in found.shown):
        shown.setdefault(each.key, each)
    options: dict[str, Option] = {}
    for found in known.values():
        options |= found.advanced()
    with gr.Column(elem_id="train-form"):
        recipe = gr.Radio(
            [(found.title, name) for name, found in known.items()],
            value=first.name,
            label="Make",
            elem_id="train-recipe",
        )
        about = gr.HTML(_about(first), elem_id="train-about")
        teacher = gr.Dropdown(
            teachers(studio, first),
            value=first_teacher(studio, first),
            label="From",
            filterable=False,
            elem_id="train-teacher",
        )
        preset = gr.Radio(
            [(title, name) for name, title in PRESETS.items()],
            value="quick",
            label="How thoroughly",
            elem_id="train-preset",
        )
        name = gr.Textbox(
            first.proposes,
            label="Name",
            max_length=60,
            max_lines=1,
            elem_id="train-name",
            info="It will stand in every list under this name.",
        )
        with gr.Column(elem_id="train-own", visible="prompts" in first.asks) as prompts_box:
            prompts = gr.Textbox(
                "",
                label="Own prompts, one a line",
                placeholder=PLACEHOLDER,
                lines=2,
                max_lines=8,
                info="What it will be best at. Without any it learns all of the pocket world.",
                elem_id="train-prompts",
            )
            prompt_file = gr.UploadButton(
                "Take them from a text file", file_types=[".txt"], size="sm", elem_id="train-prompt-file"
            )
        style = gr.Dropdown(
            styles(studio),
            value="",
            label="Style",
            info="A LoRA that goes into the teacher first.",
            filterable=False,
            visible="style" in first.asks,
            elem_id="train-style",
        )
        pictures = gr.File(
            label="Pictures, each with its caption in a .txt of its name (or in its name)",
            file_count="multiple",
            file_types=[*SUFFIXES, ".txt"],
            height=150,
            visible="images" in first.asks,
            elem_id="train-pictures",
        )
        images = gr.State("")
        with gr.Row(elem_id="train-settings"):
            settings = {key: shown_field(each, first) for key, each in shown.items()}
        with gr.Accordion("Advanced", open=False, elem_id="train-advanced", elem_classes="advanced"):
            advanced = {key: advanced_field(key, option, first) for key, option in options.items()}
        with gr.Column(elem_id="train-go"):
            estimate = gr.HTML("", elem_id="train-estimate")
            start = gr.Button("Start", variant="primary", elem_id="train-start")
    return Form(
        recipe, about, teacher, preset, name, prompts_box, prompts, prompt_file, style, pictures, images,
        settings, advanced, estimate, start,
    )  # fmt: skip


def _about(found: Recipe) -> str:
    return f"<p>{escape(found.about)}</p>"


def teachers(studio: Studio, found: Recipe) -> list[tuple[str, str]]:
    """The models a recipe can begin with."""
    kinds = {card.id: card.kind for card in studio.registry.cards()}
    return [(title, id) for title, id in studio.models() if kinds.get(id) in found.teachers]


def first_teacher(studio: Studio, found: Recipe) -> str | None:
    """The model a recipe begins with where nobody chooses: of its first kind, the bundled before others."""
    cards = studio.registry.cards()
    for kind in found.teachers:
        for card in cards:
            if card.kind == kind:
                return card.id
    return None


def styles(studio: Studio) -> list[tuple[str, str]]:
    """The LoRAs at hand."""
    return [NO_STYLE, *((card.title, card.id) for card in Loras.beside(studio.registry).cards())]


def lists(studio: Studio, database: Database) -> Callable:
    """For the opening of the tab: the models and LoRAs there are now, and how long each preset takes."""

    def now(name: str, preset: str, teacher: str, own_name: str) -> list[Any]:
        found = recipes()[name]
        try:
            title = _title(studio, database, found, own_name)
        except UserError as error:
            complain(error)
            return [gr.skip()] * 4
        wish = Wish(name, teacher, as_id(title), preset=preset)
        # No value but a name that is taken: somebody may have begun to fill the form in.
        return [
            gr.Dropdown(choices=teachers(studio, found)),
            gr.Radio(choices=_presets(studio, database, wish)),
            gr.skip() if title == own_name else title,
            gr.Dropdown(choices=styles(studio)),
        ]

    return now


def shape(studio: Studio, database: Database, form: Form) -> Callable:
    """For the choice of a recipe: its fields, with the preset's values."""

    def change(name: str, preset: str, teacher: str, own_name: str) -> list[Any]:
        found = recipes()[name]
        try:
            title = _title(studio, database, found, own_name)
        except UserError as error:
            complain(error)
            return [gr.skip()] * len(form.shaped)
        kinds = {card.id: card.kind for card in studio.registry.cards()}
        if kinds.get(teacher) != found.teachers[0]:
            teacher = first_teacher(studio, found) or ""
        wish = Wish(name, teacher, as_id(title), title, preset)
        return fill(studio, database, form, wish)

    return change


def _title(studio: Studio, database: Database, found: Recipe, own_name: str) -> str:
    """A name of one's own stays; one that was proposed goes with what is made."""
    proposed = re.sub(r" \d+$", "", own_name) in {each.proposes for each in recipes().values()}
    return free_name(studio, database, found.proposes) if proposed else own_name


def fill(studio: Studio, database: Database, form: Form, wish: Wish) -> list[Any]:
    """The fields of `shaped` as they are for a wish."""
    found = recipes()[wish.recipe]
    values = found.presets[wish.preset] | dict(wish.settings)
    titles = {each.key: each for each in found.shown}
    return [
        _about(found),
        gr.Dropdown(choices=teachers(studio, found), value=wish.teacher),
        gr.Radio(choices=_presets(studio, database, wish), value=wish.preset),
        wish.title,
        gr.Column(visible="prompts" in found.asks),
        gr.Dropdown(value=wish.style, visible="style" in found.asks),
        gr.File(visible="images" in found.asks),
        *(
            type(field)(
                values.get(key),
                visible=key in titles,
                **({"label": titles[key].title, "info": titles[key].about} if key in titles else {}),
            )
            for key, field in form.settings.items()
        ),
        *(advanced_update(key, field, found, wish) for key, field in form.advanced.items()),
        said(studio, database, wish),
    ]


def preset_values(form: Form) -> Callable:
    """For the choice of a preset: its values."""

    def change(name: str, preset: str) -> list[Any]:
        found = recipes()[name]
        values = found.presets[preset]
        wish = Wish(name, "", "", preset=preset)
        hints = (advanced_update(key, field, found, wish) for key, field in form.advanced.items())
        return [*(values.get(key) for key in form.settings), *hints]

    return change


def _presets(studio: Studio, database: Database, wish: Wish) -> list[tuple[str, str]]:
    """The presets, with the time each takes here."""
    choices = []
    for name, title in PRESETS.items():
        try:
            each = Wish(wish.recipe, wish.teacher, wish.output, preset=name)
            needs = queue.needs(database, each, studio.registry)
            title = f"{title}\n{duration(needs.seconds)}"
        except UserError:
            pass
        choices.append((title, name))
    return choices


def said(studio: Studio, database: Database, wish: Wish) -> str:
    """The estimate for a wish, or what is wrong with it."""
    try:
        queue.check(database, wish, studio.registry)
        return f"<p>{escape(needs_in_words(queue.needs(database, wish, studio.registry)))}</p>"
    except UserError as error:
        return f'<p class="problem">{escape(str(error))}</p>'
