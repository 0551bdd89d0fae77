"""What the model reads of the prompt, directly under it; reading.js marks the prompt itself.

Every text of a user's, and of a model's, is escaped here.
"""

import json
from html import escape
from itertools import groupby
from typing import Any

import gradio as gr

from rf_app.actions.application import Application
from rf_app.actions.generate import MAX_COUNT
from rf_app.actions.reading import COMPARED, Reading, reading
from rf_app.errors import UserError
from rf_app.registry.vocabulary import Span
from rf_app.settings.picture import read_loras
from rf_app.ui.api import session_of
from rf_app.ui.parts.events import LATEST
from rf_app.ui.parts.script import scripted

NOTES = {
    "weights": "Weights are not read by this model.",
    "emoji": "Emoji are not read by this model.",
    "tags": "Tags such as <lora:…> are not read: choose a style below.",
}


def prompt_reading(app: Application, prompt: str, model: str) -> gr.HTML:
    """The part, to be laid out under the prompt; prompt, model: what the page opens with."""
    return scripted(__file__, _read(app, prompt, model, [], False), elem_id="reading")


def connect(
    app: Application, shown: gr.HTML, prompt: gr.Textbox, go: gr.Button, model: gr.Dropdown, loras: gr.HTML
) -> None:
    """Let it follow the prompt, the model and its LoRAs; once Generate is pressed, no word is unfinished."""

    def typed(text: str, id: str, rows: Any, asked_by: gr.Request) -> str:
        return _read(app.seen_by(session_of(asked_by)), text, id, rows, True)

    def finished(text: str, id: str, rows: Any, asked_by: gr.Request) -> str:
        return _read(app.seen_by(session_of(asked_by)), text, id, rows, False)

    for events, read in (
        ([prompt.change], typed),
        ([prompt.submit, go.click, model.change, loras.change], finished),
    ):
        gr.on(events, read, [prompt, model, loras], shown, queue=False, **LATEST)


def _read(app: Application, text: str, model: str, rows: Any, typing: bool) -> str:
    try:
        return view(text, reading(app, text, model, read_loras(rows), typing))
    except UserError:  # drawing says so
        return ""


def view(prompt: str, found: Reading) -> str:
    """The reading of a prompt as HTML."""
    kinds = [""] * len(prompt)
    for spans in found.unknown.values():
        for start, end in spans:
            kinds[start:end] = ["unknown"] * (end - start)
    for start in found.chunks:
        kinds[start] = "chunk"
    if found.unread is not None:
        kinds[found.unread :] = ["unread"] * (len(prompt) - found.unread)
    pieces = [
        ["".join(letter for letter, _ in group), kind]
        for kind, group in groupby(zip(prompt, kinds, strict=True), key=lambda each: each[1])
    ]
    parts = f", in {len(found.chunks) + 1} parts" if found.chunks else ""
    said = [f"{found.tokens} of {found.room} tokens{parts}"]
    said += [_choices(found.choices)] if 1 < found.choices <= MAX_COUNT else []
    said += [_unknown(found)] if found.unknown else []
    said += [escape(NOTES[name]) for name in found.notes]
    said += ["The end is not read: it is struck out."] if found.unread is not None else []
    return f'<div data-pieces="{escape(json.dumps(pieces))}"><p>{" · ".join(said)}</p>{_topics(found)}</div>'


def _choices(number: int) -> str:
    return f'To see each choice once: <button data-pictures="{number}">draw {number} pictures</button>'


def _unknown(found: Reading) -> str:
    words = list(found.unknown)
    shown = ", ".join(f'<b translate="no">{escape(word)}</b>' for word in words[:COMPARED])
    more = f" and {len(words) - COMPARED} more" if len(words) > COMPARED else ""
    like = "".join(
        _chip(one, found.unknown[word][0], word) for word in found.like for one in found.like[word]
    )
    return f"This model has not learned {shown}{more}." + (f" Did you mean {like}?" if like else "")


def _topics(found: Reading) -> str:
    if not found.topics:
        return ""
    rows = ""
    for topic, phrases in found.topics.items():
        chips = "".join(_chip(phrase, found.places.get(topic)) for phrase in phrases)
        rows += f"<dt>{escape(topic)}</dt><dd>{chips}</dd>"
    return f"<details><summary>What it knows</summary><dl>{rows}</dl></details>"


def _chip(text: str, place: Span | None, instead: str = "") -> str:
    """A button that puts the text into the prompt, at its end or in the place of what stands there."""
    at = f' data-at="{place[0]} {place[1]}"' if place else ""
    title = f' title="instead of {escape(instead)}"' if instead else ""
    return f'<button data-add="{escape(text)}"{at}{title}>{escape(text)}</button>'
