"""The Edit tab's other mode: what is on the board becomes a picture of another kind, by a translation."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.translate import base_of
from rf_app.errors import UserError
from rf_app.registry.translations import TranslationCard
from rf_app.settings.translated import Translated
from rf_app.ui.parts.context import Updates
from rf_app.ui.parts.events import in_browser
from rf_app.ui.parts.fields import changing, choice
from rf_app.ui.parts.model_form import steps_slider

WORDS, TRANSLATE = "words", "translate"
MODES = [("With words or strokes", WORDS), ("By a translation", TRANSLATE)]
SIDE = 512  # pixels of the board's square, of which the translation takes as many as it knows
KINDS = "What it has learned to carry over, from pictures of both kinds that were no pairs."
STEPS = "One goes all the way at once; more follow the path that it was learned from."
NONE = (
    "<p>A translation carries pictures of one kind over to another, from day to night say, and keeps what is "
    "on them. There is none here yet. {}</p>"
)
TRAIN = "Make one on the Train tab: “From one kind of picture to another”, in a few minutes."
STRANGER = "The owner of this page can train one."
FIGURES = {
    "cost": ("Cost", "How far pictures move on the way", "{:.3g}"),
    "straightness": ("Bent", "How far paths are from straight ones: 0 is straight (straightness)", "{:.3g}"),
    "changed": ("Changed", "Pictures that become the other kind", "{:.0%}"),
    "kept": ("Kept", "Pictures on which everything else stays", "{:.0%}"),
    "both": ("Both", "Pictures that do both", "{:.0%}"),
}
"""Of a card's measured rows, by key: what they are called, what that means, and how they are written."""
TRIES = {"A lake": "1-mountain-lake", "A house": "6-white-house", "A valley": "8-green-valley"}


@dataclass(frozen=True)
class TranslationForm:
    """The parts of the mode."""

    translation: gr.Dropdown
    steps: gr.Slider
    about: gr.HTML
    train: gr.Button
    tries: list[gr.Button]

    @property
    def fields(self) -> list[gr.Component]:
        """What a wish is made of."""
        return [self.translation, self.steps]

    @property
    def parts(self) -> list[gr.Component]:
        """What `fresh` and `show` change."""
        return [*self.fields, self.about, self.train]

    def fresh(self, own: Application, chosen: str | None) -> Updates:
        """The translations there are now; the one that was chosen stays, if it is there."""
        cards = own.translations.cards()
        ids = [card.id for card in cards]
        value = chosen if chosen in ids else next(iter(ids), None)
        return {
            self.translation: gr.Dropdown(
                [(card.title, card.id) for card in cards], value=value, visible=bool(cards)
            ),
            self.steps: gr.Slider(visible=bool(cards)),
            self.about: about(own, value),
            self.train: gr.Button(visible=not cards and bool(own.permission)),
        }

    def show(self, own: Application, found: Translated, image: str) -> tuple[dict[str, Any], Updates]:
        """For the board, and for the fields, a translation of a picture, image: an address."""
        board = {"mode": TRANSLATE, "translation": found.translation, "translation_steps": found.steps}
        board |= {"size": [SIDE, SIDE], "at": time.time(), "picture": {"image": image, "mask": ""}}
        return board, self.fresh(own, found.translation) | {self.steps: gr.Slider(value=found.steps)}


def build(app: Application) -> TranslationForm:
    """Lay it out, inside a column of its own."""
    cards = app.translations.cards()
    value = cards[0].id if cards else None
    here = bool(cards)
    tries = chips_of(TRIES)
    choices = [(card.title, card.id) for card in cards]
    translation = choice(choices, value, "Translation", "edit-translation", KINDS, visible=here)
    steps = steps_slider(1, "edit-translation-steps", STEPS, visible=here)
    shown = gr.HTML(about(app, value), elem_id="edit-translation-about")
    train = gr.Button(
        "Open the Train tab", size="sm", visible=not here and bool(app.permission), elem_id="edit-to-train"
    )
    in_browser([train.click], "trainTranslation")
    return TranslationForm(changing(translation), steps, shown, train, tries)


def chips_of(names: Iterable[str]) -> list[gr.Button]:
    """A row of small buttons."""
    with gr.Row(elem_classes="chips"):
        return [gr.Button(name, size="sm", min_width=80, elem_classes="chip") for name in names]


def about(own: Application, id: str | None) -> str:
    """What a translation does, with its figures; or what to do where there is none."""
    if id is None:
        return NONE.format(TRAIN if own.permission else STRANGER)
    card = own.translations.card(id)
    try:
        base_of(own, card)
    except UserError as error:
        return f"<p class='slow'>{escape(str(error))}</p>"
    kinds = f"<p><span>{escape(card.source)}</span> → <span>{escape(card.target)}</span></p>"
    return f"{kinds}{_measured(card)}"


def _measured(card: TranslationCard) -> str:
    rows = {name: row for name, row in card.measured.items() if isinstance(row, dict)}
    names = [name for name in FIGURES if any(name in row for row in rows.values())]
    if not names:
        return ""
    head = "".join('<th title="{1}">{0}</th>'.format(*FIGURES[name]) for name in names)
    body = "".join(f"<tr><th>{escape(way)}</th>{_cells(row, names)}</tr>" for way, row in rows.items())
    table = f"<table><thead><tr><th></th>{head}</tr></thead><tbody>{body}</tbody></table>"
    return f"<details><summary>How good it is, as measured</summary><div>{table}</div></details>"


def _cells(row: dict[str, Any], names: Sequence[str]) -> str:
    values = ((name, row.get(name)) for name in names)
    said = (FIGURES[name][2].format(v) if isinstance(v, (int, float)) else "" for name, v in values)
    return "".join(f"<td>{each}</td>" for each in said)
