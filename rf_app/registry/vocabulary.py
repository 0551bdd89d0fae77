"""The words a pocket model has learned, so that a prompt's other words are named and not silently ignored."""

import re
import unicodedata
from dataclasses import dataclass

from rf_app.errors import UserError
from rf_app.registry.checking import read_json
from rf_app.registry.models import Registry


@dataclass(frozen=True)
class Vocabulary:
    """topics: what can be asked for, by heading, to show to a person; words: all learned, lower case."""

    topics: dict[str, tuple[str, ...]]
    words: frozenset[str]

    def unknown(self, prompt: str) -> list[str]:
        """The prompt's words that were not learned, in lower case and order of appearance, each once.

        Punctuation, hyphens and symbols part words; a possessive 's belongs to its word and is ignored.
        """
        return [word for word in dict.fromkeys(split_words(prompt)) if word not in self.words]


def split_words(text: str) -> list[str]:
    """The words of a text in any script, lower case: runs of letters, marks and digits."""
    text = unicodedata.normalize("NFC", text).lower()
    text = re.sub(r"(?<=\w)['\u2019]s\b", "", text)
    letters = (character if unicodedata.category(character)[0] in "LMN" else " " for character in text)
    return "".join(letters).split()


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
