"""The form of the Train tab: what to make, from what, how thoroughly; and what that will take.

Its fields are those of all recipes together; choosing a recipe shows the ones it has. So a recipe that is
added to `rf_app.settings.recipes` needs nothing here.
"""

import re
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path

import gradio as gr

from rf_app.actions.application import Application
from rf_app.errors import UserError
from rf_app.jobs import training
from rf_app.jobs.plan import Wish
from rf_app.jobs.words import duration, needs_in_words
from rf_app.registry.card import as_id
from rf_app.settings import sd15
from rf_app.settings.options import Option
from rf_app.settings.recipe import Recipe, Shown
from rf_app.settings.recipes import PRESETS, recipes
from rf_app.ui.parts.context import Updates, Values
from rf_app.ui.parts.fields import changing, choice
from rf_app.ui.train.fields import advanced_field, advanced_update, shown_field
from rf_app.ui.train.uploads import LISTS, SUFFIXES, forget_pictures

NO_STYLE = ("None", "")
SD_SIZE = 512  # pixels a side
CAPTIONS = (
    "Each picture needs a caption: in a .txt file of the picture’s name, or in a list (metadata.csv with "
    "file_name and text); else it is the prompt in the picture, or its name."
)
PLACEHOLDER = "a red sailboat on the sea at sunset\na yellow tent in a pine forest at night"


@dataclass(frozen=True)
class Form:
    """The parts, and what they are for the recipes."""

    app: Application
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
    source: gr.Textbox  # a folder on this computer, instead
    look: gr.Button
    looking: gr.HTML  # how far that is
    report: gr.HTML
    few: gr.Button  # for a world of few pictures: another recipe
    settings: dict[str, gr.components.Component]  # those that matter, TRAINER.OPTION
    advanced: dict[str, gr.components.Component]
    advanced_box: gr.Accordion
    estimate: gr.HTML
    start: gr.Button

    @property
    def fields(self) -> set[gr.Component]:
        """What a wish is made of."""
        fixed = {self.recipe, self.teacher, self.preset, self.name, self.prompts, self.style}
        return fixed | {self.images, self.source} | self._own

    @property
    def shaped(self) -> set[gr.Component]:
        """What `show` changes."""
        shape = {self.about, self.prompts_box, self.pictures, self.advanced_box, self.look, self.report}
        return (self.fields - {self.images}) | shape | {self.few, self.estimate}

    @property
    def _own(self) -> set[gr.Component]:
        return {*self.settings.values(), *self.advanced.values()}

    def read(self, values: Values) -> Wish:
        """The wish that the fields say; `jobs.training` checks it."""
        found = recipes()[values[self.recipe]]
        shown = {each.key: self.settings[each.key] for each in found.shown}  # advanced ones of other recipes
        fields, allowed = self.advanced | shown, found.options()
        own = {key: values[field] for key, field in fields.items() if key in allowed}
        title = values[self.name]
        return Wish(
            recipe=found.name,
            teacher=(values[self.teacher] or "") if found.teachers else "",
            output=as_id(title),
            title=title.strip(),
            preset=values[self.preset],
            prompts=values[self.prompts] if "prompts" in found.asks else "",
            style=(values[self.style] or "") if "style" in found.asks else "",
            images=_folder(values[self.source]) or values[self.images] if "images" in found.asks else "",
            settings={key: value for key, value in own.items() if value not in (None, "")},
        )

    def show(self, wish: Wish) -> Updates:
        """The fields as they are for a wish. Its pictures are a folder, also those that were uploaded: what
        was uploaded here stays.
        """
        found = recipes()[wish.recipe]
        shown = {each.key: each for each in found.shown}
        values = {key: option.default for key, option in found.options().items() if key in shown}
        values |= found.presets[wish.preset] | dict(wish.settings)
        return {
            self.recipe: wish.recipe,
            self.about: purpose(found),
            self.teacher: gr.Dropdown(
                choices=teachers(self.app, found), value=wish.teacher or None, visible=bool(found.teachers)
            ),
            self.preset: gr.Radio(choices=self._presets(wish), value=wish.preset),
            self.name: wish.title,
            self.prompts_box: gr.Column(visible="prompts" in found.asks),
            self.prompts: wish.prompts,
            self.style: gr.Dropdown(styles(self.app), value=wish.style, visible="style" in found.asks),
            self.pictures: gr.File(visible="images" in found.asks),
            self.source: gr.Textbox(wish.images, visible="images" in found.asks),
            self.advanced_box: gr.Accordion(visible=bool(found.advanced())),
            self.look: gr.Button(visible="images" in found.asks),
            self.report: "",
            self.few: gr.Button(visible=False),
            **{
                field: type(field)(
                    values.get(key),
                    visible=key in shown,
                    **({"label": shown[key].title, "info": shown[key].about} if key in shown else {}),
                )
                for key, field in self.settings.items()
            },
            **{field: advanced_update(key, field, found, wish) for key, field in self.advanced.items()},
            self.estimate: self.said(wish),
        }

    def show_recipe(self, values: Values) -> Updates:
        """For the choice of a recipe: its fields, with the preset's values. Raises UserError.

        Prompts and pictures stay where they are: the recipe before, or the next one, may ask for them.
        """
        found = recipes()[values[self.recipe]]
        title = self._title(found, values[self.name])
        kinds = {card.id: card.kind for card in self.app.registry.cards()}
        teacher = values[self.teacher] or ""
        if not found.teachers:
            teacher = ""
        elif kinds.get(teacher) != found.teachers[0]:
            teacher = first_teacher(self.app, found) or ""
        images = _folder(values[self.source]) or values[self.images]
        asked = {"prompts": values[self.prompts], "images": images}
        given = {name: value for name, value in asked.items() if name in found.asks}
        preset = values[self.preset]
        preset = preset if preset in found.presets else "quick"  # few have SD 1.5's
        wish = Wish(found.name, teacher, as_id(title), title, preset, **given)
        # The recipe, too: with the arrow keys the next one may have been chosen meanwhile.
        kept = dict.fromkeys((self.recipe, self.prompts), gr.skip())
        return self.show(wish) | kept | {self.source: gr.Textbox(visible="images" in found.asks)}

    def show_style(self, values: Values) -> Updates:
        """For few pictures: a style of them, for the largest model there is. Raises UserError."""
        cards = {card.id: card for card in self.app.registry.cards()}
        ids = [id for _, id in teachers(self.app, recipes()["lora"])]
        largest = max(ids, key=lambda id: cards[id].resolution, default=None)
        shown = self.show_recipe(values | {self.recipe: "lora", self.teacher: largest})
        return shown | {self.recipe: "lora"}

    def named(self, values: Values) -> str:
        """The pictures as the person knows them: a folder as it was written, or the names of files."""
        files = [Path(path).name for path in values[self.pictures] or ()]
        said = f"{files[0]}, {files[1]} …" if len(files) > 2 else ", ".join(files)
        return values[self.source].strip() or said or "your pictures"

    def show_preset(self, values: Values) -> Updates:
        """For the choice of a preset: its values."""
        found = recipes()[values[self.recipe]]
        wish = Wish(found.name, "", "", preset=values[self.preset])
        own = found.presets[wish.preset]
        numbers = [each.key for each in found.shown if each.minimum is not None]  # what is written stays
        return {self.settings[key]: own.get(key) for key in numbers} | {
            field: advanced_update(key, field, found, wish) for key, field in self.advanced.items()
        }

    def show_lists(self, values: Values) -> Updates:
        """For the opening of the tab, or another teacher: the models and LoRAs there are now, and how long
        each preset takes.

        No value but a name that is taken: somebody may have begun to fill the form in. Raises UserError.
        """
        found = recipes()[values[self.recipe]]
        title = self._title(found, values[self.name])
        wish = Wish(found.name, values[self.teacher] or "", as_id(title), preset=values[self.preset])
        return {
            self.teacher: gr.Dropdown(choices=teachers(self.app, found)),
            self.preset: gr.Radio(choices=self._presets(wish)),
            self.name: gr.skip() if title == values[self.name] else title,
            self.style: gr.Dropdown(choices=styles(self.app)),
        }

    def said(self, wish: Wish) -> str:
        """The estimate for a wish, or what is wrong with it."""
        jobs, registry = self.app.jobs, self.app.registry
        try:
            training.check(jobs, wish, registry)
            return f"<p>{escape(needs_in_words(training.needs(jobs, wish, registry)))}</p>"
        except UserError as error:
            return f'<p class="problem">{escape(str(error))}</p>'

    def free_name(self, title: str) -> str:
        """The name, with a number where it is taken or about to be."""
        stores = (self.app.registry, self.app.loras, self.app.controlnets, self.app.translations)
        taken = {card.id for store in stores for card in store.cards()}
        taken |= {job.output for job in self.app.jobs.jobs() if job.state != "done"}
        base, number = re.sub(r" \d+$", "", title), 2
        while as_id(title) in taken:
            title, number = f"{base} {number}", number + 1
        return title

    def _title(self, found: Recipe, own_name: str) -> str:
        """A name of one's own stays; one that was proposed goes with what is made."""
        proposed = re.sub(r" \d+$", "", own_name) in {each.proposes for each in recipes().values()}
        return self.free_name(found.proposes) if proposed else own_name

    def _presets(self, wish: Wish) -> list[tuple[str, str]]:
        """The presets, with the time each takes here; Stable Diffusion's where the teacher is of its size,
        and in any case the wish's, as a job begun by command may have another one.
        """
        choices, offered = [], PRESETS
        cards = {card.id: card for card in self.app.registry.cards()}
        if wish.teacher in cards and cards[wish.teacher].resolution >= SD_SIZE:
            own = recipes()[wish.recipe].presets
            offered = PRESETS | {name: title for name, title in sd15.PRESETS.items() if name in own}
        if wish.preset not in offered:
            offered = offered | {wish.preset: sd15.PRESETS.get(wish.preset, wish.preset.capitalize())}
        for name, title in offered.items():
            each = Wish(wish.recipe, wish.teacher, wish.output, preset=name)
            try:
                seconds = training.needs(self.app.jobs, each, self.app.registry).seconds
                title = f"{title}\n{duration(seconds)}"
            except UserError:
                pass  # of no use to anybody who has not chosen it
            choices.append((title, name))
        return choices


def build(app: Application) -> Form:
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
        about = gr.HTML(purpose(first), elem_id="train-about")
        known_here, chosen = teachers(app, first), first_teacher(app, first)
        teacher = changing(choice(known_here, chosen, "From (teacher)", "train-teacher"))
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
                label="Your own prompts, one per line",
                placeholder=PLACEHOLDER,
                lines=2,
                max_lines=8,
                info="What it will be best at. Without any it learns all of the pocket world.",
                elem_id="train-prompts",
            )
            prompt_file = gr.UploadButton(
                "Take them from a text file", file_types=[".txt"], size="sm", elem_id="train-prompt-file"
            )
        style = changing(
            gr.Dropdown(
                styles(app),
                value="",
                label="Style",
                info="The new model draws in it: a LoRA that goes into the teacher first.",
                filterable=False,
                visible="style" in first.asks,
                elem_id="train-style",
            )
        )
        pictures = gr.File(
            label="Pictures and their captions, or a ZIP of them",
            file_count="multiple",
            file_types=[*SUFFIXES, *LISTS, ".zip"],
            height=150,
            visible="images" in first.asks,
            elem_id="train-pictures",
        )
        images = gr.State("", delete_callback=partial(forget_pictures, app.jobs))
        source = gr.Textbox(
            "",
            label="Or a folder of them on this computer",
            placeholder="~/Pictures/kites",
            max_lines=1,
            visible="images" in first.asks,
            elem_id="train-source",
        )
        with gr.Row(elem_id="train-settings"):
            settings = {key: shown_field(each, first) for key, each in shown.items()}
        with gr.Accordion(
            "Advanced", open=False, elem_id="train-advanced", elem_classes="advanced"
        ) as advanced_box:
            advanced = {key: advanced_field(key, option, first) for key, option in options.items()}
        look = gr.Button("Look at the pictures", visible="images" in first.asks, elem_id="train-look")
        looking = gr.HTML("", elem_id="train-looking")
        report = gr.HTML("", elem_id="train-report")
        few = gr.Button("Make a style of them", visible=False, elem_id="train-few")
        with gr.Column(elem_id="train-go"):
            estimate = gr.HTML("", elem_id="train-estimate")
            start = gr.Button("Start", variant="primary", elem_id="train-start")
    return Form(
        app, recipe, about, teacher, preset, name, prompts_box, prompts, prompt_file, style, pictures, images,
        source, look, looking, report, few, settings, advanced,
        advanced_box, estimate, start,
    )  # fmt: skip


def teachers(app: Application, found: Recipe) -> list[tuple[str, str]]:
    """The models a recipe can begin with."""
    kinds = {card.id: card.kind for card in app.registry.cards()}
    return [(title, id) for title, id in app.models() if kinds.get(id) in found.teachers]


def first_teacher(app: Application, found: Recipe) -> str | None:
    """The model a recipe begins with where nobody chooses: of its first kind, the bundled before others."""
    cards = app.registry.cards()
    return next((card.id for kind in found.teachers for card in cards if card.kind == kind), None)


def styles(app: Application) -> list[tuple[str, str]]:
    """The LoRAs at hand."""
    return [NO_STYLE, *((card.title, card.id) for card in app.loras.cards())]


def _folder(written: str) -> str:
    """A folder as a person writes it."""
    text = written.strip()
    with suppress(RuntimeError):  # there is no such user
        text = text and str(Path(text).expanduser().absolute())
    return text


def purpose(found: Recipe) -> str:
    """What a recipe is for, as HTML."""
    texts = [found.about, *([CAPTIONS] if "images" in found.asks else [])]
    return "<p>" + " ".join(f"<span>{escape(text)}</span>" for text in texts) + "</p>"
