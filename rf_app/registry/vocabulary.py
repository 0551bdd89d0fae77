"""The words a pocket model has learned, so that a prompt's other words are named and not silently ignored."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rf_app.errors import UserError
from rf_app.registry.checking import read_json
from rf_app.registry.models import Registry

NOTATION = re.compile(r"<\w+:[^<>]*(?:>|$)|:\s*[0-9.]+\s*\)|\b__[\w-]+__|\{\d+\$\$|(?<=\w)['\u2019]s\b")
"""What is no word: a LoRA as <lora:name:0.8>, a weight as (snow:1.3), a list and a number of alternatives, a
possessive.
"""
WORD = re.compile("[LN][LMN]*")  # by the first letters of Unicode's categories
ARTICLES = {"a", "an", "the"}
SIZES = {"small", "big"}
LINKS = {
    *("and", "at", "beside", "by", "during", "in", "near"),
    *("next", "of", "on", "to", "under", "with", "without"),
}
REACH = 3  # words between an article and its noun

Span = tuple[int, int]
"""The first character, and the one after the last."""


@dataclass(frozen=True)
class Vocabulary:
    """topics: what can be asked for, by heading, to show to a person; words: all learned, lower case.

    wordings: by topic all that says something of it, in words.
    """

    topics: dict[str, tuple[str, ...]]
    words: frozenset[str]
    wordings: dict[str, tuple[tuple[str, ...], ...]] = field(default_factory=dict)

    def unknown(self, prompt: str, called: Sequence[str] = ()) -> dict[str, list[Span]]:
        """The prompt's words that were not learned, lower case, in order of appearance, and where they are.

        called: what LoRAs have learned besides. Punctuation and hyphens part words; emoji and NOTATION are
        none.
        """
        known = self.words.union(*map(split_words, called))
        found: dict[str, list[Span]] = {}
        for word, span in _words(prompt):
            if word not in known:
                found.setdefault(word, []).append(span)
        return found

    def places(self, prompt: str) -> dict[str, Span]:
        """Where the prompt says something of a topic, so that another phrase of it can stand there."""
        found = list(_words(prompt))
        words, claimed = [word for word, _ in found], [""] * len(found)
        known = [(wording, topic) for topic, wordings in self.wordings.items() for wording in wordings]
        places: dict[str, Span] = {}
        for wording, topic in sorted(known, key=lambda each: -len(each[0])):
            for i in range(len(words) - len(wording) + 1):
                end = i + len(wording)
                if not any(claimed[i:end]) and tuple(words[i:end]) == wording:
                    claimed[i:end] = [topic] * len(wording)
                    places.setdefault(topic, (i, end))
        return {
            topic: (found[self._begin(topic, i, found, claimed, prompt)][1][0], found[end - 1][1][1])
            for topic, (i, end) in places.items()
        }

    def _begin(
        self, topic: str, i: int, found: list[tuple[str, Span]], claimed: list[str], prompt: str
    ) -> int:
        """Where the phrase begins whose noun is the word i: with its article, and what links it if the
        topic's own phrases have such a word.
        """
        words = [word for word, _ in found]
        single = {phrase for phrases in self.topics.values() for phrase in phrases if " " not in phrase}
        if set(self.topics[topic]) <= single:
            return i
        begin = i
        for j in range(i - 1, max(i - 1 - REACH, -1), -1):
            apart = prompt[found[j][1][1] : found[j + 1][1][0]].strip(" -")
            taken = claimed[j] and words[j] not in single
            if apart or taken or words[j] in LINKS or words[j + 1] in ARTICLES | LINKS:
                break
            if words[j] in ARTICLES | SIZES | single:
                begin = j
        linked = LINKS.intersection(split_words(self.topics[topic][0])[:1])
        while linked and begin and words[begin - 1] in LINKS:
            begin -= 1
        return begin


def split_words(text: str) -> list[str]:
    """The words of a text in any script, lower case: runs of letters, marks and digits."""
    return [word for word, _ in _words(text)]


def _words(text: str) -> Iterable[tuple[str, Span]]:
    bare = NOTATION.sub(lambda found: " " * len(found[0]), text)
    # A letter a character: what may join its kind becomes one match, whatever the characters are.
    for found in WORD.finditer("".join(unicodedata.category(character)[0] for character in bare)):
        yield unicodedata.normalize("NFC", text[found.start() : found.end()]).lower(), found.span()


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
        wordings = content.get("wordings", topics)
        both = isinstance(topics, dict) and isinstance(wordings, dict)
        lists = [words, *topics.values(), *wordings.values()] if both else [None]
        if not all(isinstance(a, list) and all(isinstance(word, str) for word in a) for a in lists):
            raise UserError(f'{path}: expected {{"topics": {{heading: [text, …]}}, "words": [word, …]}}.')
        topics = {heading: tuple(texts) for heading, texts in topics.items() if texts}
        split = {
            heading: tuple(filter(None, (tuple(split_words(text)) for text in wordings.get(heading, ()))))
            for heading in topics
        }
        return Vocabulary(topics, frozenset(part for word in words for part in split_words(word)), split)
    return None
