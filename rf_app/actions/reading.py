"""What a model reads of a prompt while it is typed: how much, where it stops, what it does not understand."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache

import torch
from transformers import CLIPTokenizer

from rf_app.actions.application import Application
from rf_app.pipeline.checking import check_text
from rf_app.pipeline.prompts import TAG, chunks, room, stretches
from rf_app.registry.checking import check_piece
from rf_app.registry.disk import Stamp, stamp
from rf_app.registry.loading import load_piece
from rf_app.registry.vocabulary import Span, vocabulary
from rf_app.settings.alternatives import choices, longest
from rf_app.settings.picture import Lora

LIKE = 0.75  # by difflib's ratio: a known word so near may have been meant, with two of four letters swapped
SHORT = 4  # letters: of a shorter word hardly any is left that could be near
COMPARED = 8  # unknown words


@dataclass(frozen=True)
class Reading:
    """tokens: of the prompt; room: how many are read. unread: where reading stops. chunks: where each but the
    first begins. unknown: words not learned in what is read, and where they are; like: known words that may
    have been meant. choices: pictures that show each combination of alternatives once. notes: what is not
    read as it is meant: "weights", "emoji", "tags". topics: what can be asked for; places: where the prompt
    says something of a topic.
    """

    tokens: int
    room: int
    unread: int | None
    chunks: tuple[int, ...]
    unknown: dict[str, list[Span]]
    like: dict[str, list[str]]
    choices: int
    notes: tuple[str, ...]
    topics: dict[str, tuple[str, ...]]
    places: dict[str, Span]


def reading(
    app: Application, prompt: str, model: str, loras: Sequence[Lora] = (), typing: bool = False
) -> Reading:
    """What the model reads of a prompt.

    typing: the last word may be unfinished, so it is not named while a known one begins with it. Raises
    UserError for a prompt that cannot be drawn, and for a model that is not at hand.
    """
    check_text("prompt", prompt)
    known = vocabulary(app.registry, model)
    tokenizer = _tokenizer(stamp(app.registry.pieces(model)["tokenizer"]))
    read, rest = chunks(tokenizer, longest(prompt), weighted=known is None)
    unknown: dict[str, list[Span]] = {}
    notes = {"tags": TAG.search(prompt)}
    if known:
        seen = prompt[: rest[0].start] if rest else prompt
        unknown = known.unknown(seen, app.worker.trigger_words(loras, app.visitor))
        last = next(reversed(unknown), "")
        at_end = typing and last and unknown[last][-1][1] == len(prompt)
        if at_end and any(word.startswith(last) for word in known.words):
            del unknown[last]
        notes["weights"] = any(weight != 1 for *_, weight in stretches(prompt))
        notes["emoji"] = any(unicodedata.category(character) == "So" for character in prompt)
    return Reading(
        tokens=sum(map(len, read)) + len(rest),
        room=len(read) * room(tokenizer),
        unread=rest[0].start if rest else None,
        chunks=tuple(chunk[0].start for chunk in read[1:]),
        unknown=unknown,
        like={
            word: get_close_matches(word, known.words, 2, LIKE)
            for word in list(unknown)[:COMPARED]
            if len(word) >= SHORT
        },
        choices=choices(prompt),
        notes=tuple(name for name, there in notes.items() if there),
        topics=known.topics if known else {},
        places=known.places(prompt) if known else {},
    )


@lru_cache(4)
def _tokenizer(folder: Stamp) -> CLIPTokenizer:
    check_piece(folder[0])
    found = load_piece(folder[0], torch.float32)
    found("", verbose=False)  # settles that it cuts nothing: after that several threads may use it
    return found
