"""The words a pocket model has learned, so that a prompt's other words are named and not silently ignored."""

import re
import unicodedata
from dataclasses import dataclass

from rf_app.errors import UserError
from rf_app.registry.checking import read_json
from rf_app.registry.models import Registry

NOTATION = re.compile(r"<\w+:[^<>]*(?:>|$)|:\s*[0-9.]+\s*\)")
"""How other programs write a weight, (snow:1.3), and a LoRA, <lora:name:0.8>: not read here."""
WORD = re.compile("[LN][LMN]*|SM*(?:JSM*)*")  # by `_kind`


@dataclass(frozen=True)
class Vocabulary:
    """topics: what can be asked for, by heading, to show to a person; words: all learned, lower case."""

    topics: dict[str, tuple[str, ...]]
    words: frozenset[str]

    def unknown(self, prompt: str) -> list[str]:
        """The prompt's words that were not learned, in lower case and order of appearance, each once.

        Punctuation and hyphens part words; a possessive 's and NOTATION are ignored.
        """
        words = dict.fromkeys(split_words(NOTATION.sub(" ", prompt)))
        return [word for word in words if word not in self.words]


def split_words(text: str) -> list[str]:
    """The words of a text in any script, lower case: runs of letters, marks and digits; and each emoji."""
    text = unicodedata.normalize("NFC", text).lower()
    text = re.sub(r"(?<=\w)['\u2019]s\b", "", text)
    # A letter a character: what may join its kind becomes one match, whatever the characters are.
    return [text[found.start() : found.end()] for found in WORD.finditer("".join(map(_kind, text)))]


def _kind(character: str) -> str:
    category = unicodedata.category(character)
    if category == "Sk" and not character.isascii():  # the skin of the emoji before it
        return "M"
    return "J" if character == "\u200d" else "S" if category == "So" else category[0]


def vocabulary(registry: Registry, id: str) -> Vocabulary | None:
    """The vocabulary of a model: its own vocabulary.json, or that of the base its text encoder comes from.

    None for a model without one. Raises UserError where the file is broken.
    """
    for folder in (registry.folder(id), registry.pieces(id)["text_encoder"].parent):
        path = folder / "vocabulary.json"
        if not path.is_file():
            continue
        content = read_json(path)
        topics, words = content.get("topics"), content.get("words")
        lists = [words, *topics.values()] if isinstance(topics, dict) else [None]
        if not all(isinstance(a, list) and all(isinstance(word, str) for word in a) for a in lists):
            raise UserError(f'{path}: expected {{"topics": {{heading: [text, …]}}, "words": [word, …]}}.')
        return Vocabulary(
            {heading: tuple(texts) for heading, texts in topics.items()},
            frozenset(part for word in words for part in split_words(word)),
        )
    return None
